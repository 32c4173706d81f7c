package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	// The files that the API imports, in the registry of linked descriptors.
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/api/httpbody"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
)

// A plugin is a program that makes files from a CodeGeneratorRequest.
type plugin struct {
	// command is what is run, in the folder dir below the root.
	command []string
	dir     string
	// parameter is handed to the plugin; out is the folder, below the root, that
	// the names of its files are relative to.
	parameter, out string
}

// module is cut off the import paths of generated packages.
const module = "github.com/regie-dev/regie"

// plugins run in this order: each may use what those before it wrote.
func plugins() []plugin {
	return []plugin{
		{[]string{"go", "tool", "protoc-gen-go"}, "tools/proto", "module=" + module, "."},
		// simple: handlers and clients take messages, and find headers in the context.
		{[]string{"go", "tool", "protoc-gen-connect-go"}, "tools/proto", "simple,module=" + module, "."},
		// Regie's own, built on what the first one wrote.
		{[]string{"go", "run", "./cmd/regie-openapi"}, ".", "", "internal/api/openapi"},
	}
}

// generated ends the names of files below gen/ that belong to plugins.
var generated = []string{".pb.go", ".connect.go"}

func main() {
	root := flag.String("root", ".", "root of the repository")
	flag.Parse()
	if err := run(context.Background(), *root); err != nil {
		fmt.Fprintln(os.Stderr, "proto:", err)
		os.Exit(1)
	}
}

// run writes all generated files of the repository at root.
func run(ctx context.Context, root string) error {
	request, err := compile(ctx, filepath.Join(root, "proto"))
	if err != nil {
		return err
	}
	written := map[string]bool{}
	for _, p := range plugins() {
		files, err := p.run(ctx, root, request)
		if err != nil {
			return fmt.Errorf("%s: %w", strings.Join(p.command, " "), err)
		}
		for _, f := range files {
			name := path.Join(p.out, f.GetName())
			if !filepath.IsLocal(name) || written[name] {
				return fmt.Errorf("%s: unexpected file %q", strings.Join(p.command, " "), name)
			}
			written[name] = true
			if err := write(root, name, f.GetContent()); err != nil {
				return err
			}
		}
	}
	return removeStale(root, written)
}

// compile reads every .proto file below folder and returns what plugins are
// asked: all of them with comments, and what they import, dependencies first.
func compile(ctx context.Context, folder string) (*pluginpb.CodeGeneratorRequest, error) {
	names, err := sources(folder)
	if err != nil {
		return nil, err
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.CompositeResolver{
			&protocompile.SourceResolver{ImportPaths: []string{folder}},
			protocompile.ResolverFunc(linked),
		},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", folder, err)
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: names}
	seen := map[string]bool{}
	var add func(file protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		imports := file.Imports()
		for i := range imports.Len() {
			add(imports.Get(i).FileDescriptor)
		}
		request.ProtoFile = append(request.ProtoFile, protoutil.ProtoFromFileDescriptor(file))
	}
	for _, file := range files {
		add(file)
	}
	return reread(request)
}

// sources lists the .proto files below folder, sorted, with slashes.
func sources(folder string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".proto" {
			return err
		}
		relative, err := filepath.Rel(folder, name)
		names = append(names, filepath.ToSlash(relative))
		return err
	})
	slices.Sort(names)
	return names, err
}

// linked finds a file among the descriptors that are linked into this program.
func linked(name string) (protocompile.SearchResult, error) {
	file, err := protoregistry.GlobalFiles.FindFileByPath(name)
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	return protocompile.SearchResult{Desc: file}, nil
}

// reread gives options of our own the one form that is the same in each run:
// bytes in the order of their field numbers.
func reread(request *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorRequest, error) {
	for i, file := range request.GetProtoFile() {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(file)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", file.GetName(), err)
		}
		again := &descriptorpb.FileDescriptorProto{}
		if err := (proto.UnmarshalOptions{Resolver: new(protoregistry.Types)}).Unmarshal(data, again); err != nil {
			return nil, fmt.Errorf("decode %s: %w", file.GetName(), err)
		}
		request.ProtoFile[i] = again
	}
	return request, nil
}

// run asks the plugin.
func (p plugin) run(
	ctx context.Context, root string, request *pluginpb.CodeGeneratorRequest,
) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	asked := proto.CloneOf(request)
	asked.Parameter = proto.String(p.parameter)
	input, err := proto.MarshalOptions{Deterministic: true}.Marshal(asked)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	command.Dir = filepath.Join(root, filepath.FromSlash(p.dir))
	command.Stdin = bytes.NewReader(input)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return nil, err
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(output, &response); err != nil {
		return nil, fmt.Errorf("decode the answer: %w", err)
	}
	if response.Error != nil {
		return nil, fmt.Errorf("refused: %s", response.GetError())
	}
	return response.GetFile(), nil
}

// write stores a file, and leaves alone one that already has the content.
func write(root, name, content string) error {
	target := filepath.Join(root, filepath.FromSlash(name))
	if old, err := os.ReadFile(target); err == nil && string(old) == content {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, []byte(content), 0o644)
}

// removeStale removes generated files below gen/ that were not written.
func removeStale(root string, written map[string]bool) error {
	return filepath.WalkDir(filepath.Join(root, "gen"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		ours := func(end string) bool { return strings.HasSuffix(name, end) }
		if written[filepath.ToSlash(relative)] || !slices.ContainsFunc(generated, ours) {
			return nil
		}
		return os.Remove(name)
	})
}
