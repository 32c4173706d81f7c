package transport

import (
	"mime"
	"net/http"
	"slices"
	"strings"
)

// mediaType returns the one media type of a request, in lower case. It takes no
// parameter but charset=utf-8.
func mediaType(header http.Header) (string, bool) {
	sent := header.Values("Content-Type")
	if len(sent) != 1 {
		return "", false
	}
	name, params, err := mime.ParseMediaType(sent[0])
	if err != nil {
		return "", false
	}
	if charset, ok := params["charset"]; len(params) > 1 || len(params) == 1 && !ok || ok && !strings.EqualFold(charset, "utf-8") {
		return "", false
	}
	return name, true
}

// procedureType says that connect or gRPC can read the request of a method.
func procedureType(header http.Header, stream bool) bool {
	name, ok := mediaType(header)
	types := []string{"application/json", "application/proto"}
	if stream {
		types = []string{"application/connect+json", "application/connect+proto"}
	}
	return ok && slices.Contains(append(types,
		"application/grpc", "application/grpc+json", "application/grpc+proto",
		"application/grpc-web", "application/grpc-web+json", "application/grpc-web+proto",
	), name)
}
