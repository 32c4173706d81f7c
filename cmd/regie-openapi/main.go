package main

import (
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/regie-dev/regie/internal/api/openapi/describe"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "regie-openapi:", err)
		os.Exit(1)
	}
}

// run answers one request of the compiler.
func run(in io.Reader, out io.Writer) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var request pluginpb.CodeGeneratorRequest
	if err := proto.Unmarshal(data, &request); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	registry, err := protodesc.NewFiles(&descriptorpb.FileDescriptorSet{File: request.GetProtoFile()})
	if err != nil {
		return fmt.Errorf("read the files of the request: %w", err)
	}
	var files []protoreflect.FileDescriptor
	for _, name := range request.GetFileToGenerate() {
		file, err := registry.FindFileByPath(name)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	document, err := describe.Document(files)
	if err != nil {
		return err
	}
	answer, err := proto.Marshal(&pluginpb.CodeGeneratorResponse{
		SupportedFeatures: proto.Uint64(uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)),
		File: []*pluginpb.CodeGeneratorResponse_File{
			{Name: proto.String("openapi.json"), Content: proto.String(document)},
		},
	})
	if err != nil {
		return err
	}
	_, err = out.Write(answer)
	return err
}
