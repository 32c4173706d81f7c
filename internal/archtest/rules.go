package archtest

import (
	"slices"
	"strings"
)

// Rules say how a module is cut.
type Rules struct {
	// Module is the path of the module, such as "example.com/m".
	Module string
	// Layers from top to bottom. A package imports only layers below its own.
	Layers []Layer
	// PureStd are the packages of the standard library that pure packages may
	// import; PureModules are the import paths of others, each with everything
	// below it.
	PureStd, PureModules []string
	// PureNames are names of allowed packages that are forbidden all the same
	// in pure packages: package path to names.
	PureNames map[string][]string
	// Ordered are packages, written as in Layers, whose results must never
	// depend on the order of a map.
	Ordered []string
}

// Layer is a set of packages.
type Layer struct {
	Name string
	// Packages are paths below the module. A path that ends in "/..." takes in
	// everything below it too; the longest path that fits decides.
	Packages []string
	// Neighbours lets packages of the layer import each other. Without it only
	// packages of which one lies below the other may.
	Neighbours bool
	// Pure forbids clock, randomness, IO, goroutines, channels and logging.
	Pure bool
	// TestOnly packages are imported by tests and by each other only. Tests of
	// every layer may import them.
	TestOnly bool
}

// layer returns the index of the layer that the package belongs to, or -1.
func (r Rules) layer(pkg string) int {
	best, bestLength := -1, -1
	for i, layer := range r.Layers {
		for _, pattern := range layer.Packages {
			path, whole := strings.CutSuffix(pattern, "/...")
			if path != pkg && (!whole || !within(pkg, path)) {
				continue
			}
			// An exact path beats the same path with everything below it.
			length := 2 * len(path)
			if !whole {
				length++
			}
			if length > bestLength {
				best, bestLength = i, length
			}
		}
	}
	return best
}

// twice returns the patterns that stand in the table more than once.
func (r Rules) twice() []string {
	var all, out []string
	for _, layer := range r.Layers {
		all = append(all, layer.Packages...)
	}
	slices.Sort(all)
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			out = append(out, all[i])
		}
	}
	return slices.Compact(out)
}

// within reports whether path is root or lies below it.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// Regie returns the rules of this repository (docs/design.md, "Packages").
func Regie() Rules {
	return Rules{
		Module: "github.com/regie-dev/regie",
		Layers: []Layer{
			// Tests of the whole, from above.
			{Name: "whole", TestOnly: true, Packages: []string{"internal/badinput"}},
			// Workflows to learn from, and what operators install, with their tests.
			{Name: "examples", Packages: []string{"examples/...", "deploy"}},
			{Name: "command", Packages: []string{"cmd/..."}},
			{Name: "binary", Packages: []string{"command"}},
			{Name: "command line", Packages: []string{"internal/cli/..."}, Neighbours: true},
			// Drives whole parts of Regie: simulator, benchmark, definition tests.
			{Name: "harness", Neighbours: true, Packages: []string{
				"internal/sim/...", "internal/bench/...", "internal/suite/...", "internal/kill",
			}},
			// What other programs import; their tests call real servers.
			{Name: "worker", Packages: []string{"worker/..."}},
			{Name: "client", Packages: []string{"client/..."}},
			{Name: "server", Packages: []string{"internal/server/...", "internal/local/..."}, Neighbours: true},
			{Name: "api", Packages: []string{"internal/api/...", "web/..."}, Neighbours: true},
			{Name: "service", Neighbours: true, Packages: []string{
				"internal/runtime/...", "internal/dispatch/...", "internal/trigger/...",
				"internal/worker/...", "internal/report/...", "internal/notify/...", "internal/telemetry", "internal/registry", "internal/access", "internal/auditlog/...", "internal/catalog", "internal/retention",
			}},
			// Code that is generated from the API definition.
			{Name: "generated", Packages: []string{"gen/..."}, Neighbours: true},
			// The explicit list of connectors.
			{Name: "registration", Packages: []string{"internal/connector/all"}},
			// An executor in two processes, which stands on another executor.
			{Name: "supervision", Neighbours: true, Packages: []string{"internal/executor/supervised/..."}},
			{Name: "adapter", Packages: []string{
				"internal/store/...", "internal/executor/...", "internal/connector/...",
				"internal/blob/...", "internal/secret/...", "internal/archive",
			}},
			{Name: "test support", TestOnly: true, Neighbours: true, Packages: []string{
				"internal/store/storetest", "internal/executor/executortest", "internal/connector/connectortest",
				"internal/testpg/...", "internal/archtest", "internal/dialect/asl/asltest",
			}},
			// Files, sockets and formats that several adapters and services share.
			{Name: "support", Neighbours: true, Packages: []string{
				"internal/egress", "internal/large", "internal/tasklog", "internal/bundle", "internal/datadir", "internal/project",
				"internal/secret",
			}},
			{Name: "contract", Packages: []string{
				"internal/store", "internal/executor", "internal/connector", "internal/blob",
			}},
			{Name: "pure", Pure: true, Neighbours: true, Packages: []string{
				"internal/workflow/...", "internal/engine/...", "internal/dialect/...", "internal/expr/...", "internal/convert/...",
				"internal/calendar/...", "internal/plan/...", "internal/policy/...", "internal/audit/...",
				"internal/eval", "internal/descriptor", "internal/yamldoc", "internal/diag", "internal/value",
				"internal/duration", "internal/filter", "internal/gate", "internal/glob", "internal/history", "internal/items", "internal/mock", "internal/resources",
				"internal/dispatch/match", "internal/telemetry/traceid", "internal/breaker",
			}},
		},
		PureStd: []string{
			"bufio", "bytes", "cmp", "embed", "errors", "fmt", "hash", "html", "io", "iter", "maps", "math",
			"path", "reflect", "regexp", "slices", "sort", "strconv", "strings", "time", "unicode",
			"compress/gzip", "compress/zlib", "container/heap", "container/list", "container/ring",
			"crypto/ed25519", "crypto/hmac", "crypto/md5", "crypto/sha1", "crypto/sha256", "crypto/sha512", "crypto/subtle",
			"encoding", "encoding/base32", "encoding/base64", "encoding/binary", "encoding/csv",
			"encoding/hex", "encoding/json", "encoding/xml", "hash/crc32", "hash/crc64", "hash/fnv",
			"math/big", "math/bits", "math/cmplx", "net/netip", "net/url", "regexp/syntax",
			"text/template/parse", "unicode/utf16", "unicode/utf8",
		},
		PureModules: []string{
			"cel.dev/cel-go", "cel.dev/expr", "google.golang.org/genproto", "google.golang.org/protobuf",
			"go.yaml.in/yaml/v4", "github.com/cockroachdb/apd/v3", "github.com/santhosh-tekuri/jsonschema/v6",
			"golang.org/x/mod/sumdb", "golang.org/x/text",
		},
		PureNames: map[string][]string{
			// time.LoadLocation stays: the rules of a zone are data, and what was
			// computed with them is recorded.
			"time": {
				"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker",
				"Timer", "Ticker", "Local",
			},
			"fmt": {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
		},
		Ordered: []string{"internal/workflow/...", "internal/engine/...", "internal/dialect/..."},
	}
}
