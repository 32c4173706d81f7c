package openapitest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/regie-dev/regie/internal/api/openapi"
	"github.com/regie-dev/regie/internal/api/routes"
)

// address names the document in messages of the validator.
const address = "openapi.json"

// A Checker compares answers with the document. Safe for concurrent use.
type Checker struct {
	table *routes.Table
	root  map[string]any

	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

// NewChecker reads the document.
func NewChecker() (*Checker, error) {
	table, err := routes.Load()
	if err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.Document()))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	root, ok := parsed.(map[string]any)
	if !ok {
		return nil, errors.New("read the document: it is no object")
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource(address, root); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	return &Checker{table: table, root: root, compiler: compiler}, nil
}

// Check says where an answer differs from what the document promises: the HTTP
// method and path of the request, as it was sent and without its query, the
// status and the body of the answer.
func (c *Checker) Check(verb, path string, status int, body []byte) error {
	pointer, response, err := c.response(verb, path, status)
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, path, err)
	}
	content, _ := response["content"].(map[string]any)
	described, isJSON := content["application/json"].(map[string]any)
	if !isJSON || described["schema"] == nil {
		return nil // text or a download
	}
	schema, err := c.compile(pointer + "/content/application~1json/schema")
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, path, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s %s: status %d: the body is no JSON: %w", verb, path, status, err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("%s %s: status %d: %w", verb, path, status, err)
	}
	return nil
}

// response returns the description of an answer, and where it stands.
func (c *Checker) response(verb, path string, status int) (pointer string, response map[string]any, err error) {
	template := path
	match, allow := c.table.Lookup(verb, path)
	switch {
	case match.Binding != nil:
		template = match.Binding.Template
	case match.Route == nil:
		// What is no route has the form of errors.
		if (status == http.StatusNotFound && allow == nil) || (status == http.StatusMethodNotAllowed && allow != nil) {
			return c.follow("#/components/responses/Error")
		}
		return "", nil, errors.New("no such route, but it was answered")
	case match.Route.Method != nil:
		return "", nil, errors.New("not REST, so the document does not describe it")
	}
	pointer = "#/paths/" + escape(template) + "/" + strings.ToLower(verb) + "/responses"
	_, responses, err := c.follow(pointer)
	if err != nil {
		return "", nil, err
	}
	key := strconv.Itoa(status)
	if responses[key] == nil {
		if status < http.StatusBadRequest {
			return "", nil, fmt.Errorf("the document has no answer with status %d", status)
		}
		key = "default"
	}
	return c.follow(pointer + "/" + key)
}

// follow returns the object at a pointer, and its own place if it stands
// elsewhere.
func (c *Checker) follow(pointer string) (string, map[string]any, error) {
	object := c.root
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		next, ok := object[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)].(map[string]any)
		if !ok {
			return "", nil, fmt.Errorf("the document has nothing at %s", pointer)
		}
		object = next
	}
	if target, ok := object["$ref"].(string); ok {
		return c.follow(target)
	}
	return pointer, object, nil
}

func escape(token string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(token) }

// compile returns the schema at a pointer.
func (c *Checker) compile(pointer string) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// In the fragment of an address braces and percent signs are escaped.
	fragment := strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D").Replace(pointer)
	return c.compiler.Compile(address + fragment)
}
