package badinput

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// row is a bad input with the tests that see to it.
type row struct {
	id, meaning string
	// tests are names of test functions, as "package: TestOne TestTwo" with the
	// package's path below internal; "executortest: testX" and the like are
	// parts of contract suites. A name that ends in .txtar is a script, which
	// must name the row.
	tests []string
}

// rows is the table. IDs are those of the list of bad inputs; the gaps belong to
// parts of Regie that take other inputs.
var rows = []row{
	{"B01", "an expression that reaches for the inside of the program", []string{
		"expr/cel: TestRefused", "badinput/testdata/script/expressions.txtar"}},
	{"B02", "text of another template language is text", []string{
		"dialect/native/testdata/script.txtar", "expr: TestParseTemplate", "badinput/testdata/script/expressions.txtar"}},
	{"B03", "an expression that is too long is refused before it is read", []string{
		"expr/cel: TestRefused", "dialect/native: TestLimits", "badinput: TestRefusedCheaply", "badinput/testdata/script/expressions.txtar"}},
	{"B04", "an expression that is nested too deep is refused early and cheaply", []string{
		"expr/cel: TestRefused TestLongChains", "badinput: TestRefusedCheaply", "badinput/testdata/script/expressions.txtar"}},
	{"B05", "an expression that costs too much is stopped, in time and memory", []string{
		"expr/cel: TestCostExceeded TestBudgetIsExact TestCostIsNotAbsorbed", "badinput/testdata/script/expressions.txtar"}},
	{"B06", "a pattern that takes other engines exponential time", []string{
		"expr/cel: TestPatternsAreLinear TestCostExceeded", "badinput/testdata/script/expressions.txtar"}},
	{"B07", "a secret where it would be shown", []string{
		"dialect/native/testdata/script.txtar", "badinput/testdata/script/expressions.txtar"}},
	{"B08", "a value that looks like an expression is not evaluated", []string{
		"expr/cel: TestResultsAreNotEvaluated", "dialect/native/testdata/run/values.txtar", "badinput/testdata/script/expressions.txtar"}},
	{"B09", "a value that looks like code reaches scripts byte for byte", []string{
		"executor/executortest: testEnvironment", "cli/testdata/script/hostile.txtar", "badinput/testdata/script/tasks.txtar"}},
	{"B10", "an expression within a script is refused, with the way to write it", []string{
		"dialect/native/testdata/script.txtar", "cli/testdata/script/hostile.txtar", "badinput/testdata/script/expressions.txtar"}},
	{"B11", "NUL, half surrogates and invalid UTF-8 in an input", []string{
		"value: TestParseRefuses", "executor: TestParseOutputErrors", "badinput/testdata/script/input.txtar"}},
	{"B12", "a workflow's name that would be a path, is reserved or too long", []string{
		"dialect/native/testdata/documents.txtar", "datadir: TestNamesFromOutside", "cli/testdata/script/hostile.txtar",
		"badinput/testdata/script/definitions.txtar"}},
	{"B13", "a run's ID that would be a path", []string{
		"store: TestRunIDGrammar", "datadir: TestNamesFromOutside", "badinput/testdata/script/input.txtar"}},
	{"B14", "a step or run of a log that would be a path", []string{
		"server: TestLogPaths", "store: TestRunIDGrammar", "datadir: TestNamesFromOutside"}},
	{"B15", "an artifact by an absolute path, one that leads out, or a link", []string{
		"worker: TestArtifactsRefused", "glob: TestFault", "blob/folder: TestNames", "cli/testdata/script/artifacts.txtar",
		"badinput/testdata/script/artifacts.txtar"}},
	{"B18", "a task that replaces its log, folders or results by links or pipes", []string{
		"executor/process: TestReleaseStaysInside", "executor/executortest: testOutputs testCheckpoint testDirectory",
		"datadir: TestKeyFileMayNotLeadOutside", "badinput/testdata/script/tasks.txtar"}},
	{"B19", "a file of a bundle with modes that give rights", []string{
		"project: TestBundleKeepsContentAndMode", "executor/executortest: testFiles", "badinput/testdata/script/tasks.txtar"}},
	{"B20", "a backup that is none, is damaged, has names that lead out, or another key", []string{
		"server: TestBackupIsWhole", "server/offline: TestRestoreRefuses", "store/sqlite: TestRestoreRefuses", "cli/testdata/script/server_keep.txtar"}},
	{"B21", "a call of the cloud's metadata", []string{
		"egress: TestHTTPRefuses TestClassify", "badinput/testdata/script/http.txtar"}},
	{"B22", "loopback and no address at all, in every family", []string{
		"egress: TestHTTPRefuses TestClassifyEmbedded TestDial", "badinput/testdata/script/http.txtar"}},
	{"B23", "an address written as a number, in hexadecimal, octal or cut short", []string{
		"egress: TestHTTPRefuses", "badinput/testdata/script/http.txtar"}},
	{"B24", "a name that leads to a forbidden address, at once or later", []string{"egress: TestDialRebinding"}},
	{"B25", "an answer that leads to a forbidden address, or away with credentials", []string{
		"egress: TestHTTPRedirects TestHTTPRedirectDropsRights", "badinput/testdata/script/http.txtar"}},
	{"B26", "metadata by other addresses and names", []string{
		"egress: TestHTTPRefuses TestClassify TestClassifyEmbedded", "badinput/testdata/script/http.txtar"}},
	{"B27", "a URL of a scheme that reads files or sockets", []string{
		"egress: TestHTTPRefuses TestHTTPRedirects", "badinput/testdata/script/http.txtar"}},
	{"B28", "an answer that is endless, huge, slow, or unpacks to much", []string{
		"egress: TestExchangeBounds TestExchangeInflation TestHTTPHeaderLimit", "connector/web: TestTimeout",
		"badinput/testdata/script/http.txtar"}},
	{"B29", "a header's value that ends the header", []string{
		"connector/web: TestConnection", "connector/message: TestMailErrors", "badinput/testdata/script/http.txtar"}},
	{"B31", "a path, header or parameter that would make another request of one", []string{
		"server: TestPathTricks TestRawRequests", "api/transport: TestNoRoute TestMethodNotAllowed"}},
	{"B32", "a stream without a token, in the wrong role, or whose token ends meanwhile", []string{
		"server: TestStreamsEndWithTheirCredential TestEveryRouteForEveryCaller"}},
	{"B33", "a credential that is empty, twice, of another scheme or huge", []string{"server: TestCredentialTricks"}},
	{"B34", "a token of another kind, which says where its key is", []string{"server: TestCredentialTricks"}},
	{"B36", "a body for another namespace than its path, definitions of several", []string{
		"server: TestNamespacesOfRequests", "catalog: TestRefused"}},
	{"B37", "an unknown, mistyped or forbidden field, at any depth", []string{
		"descriptor: TestCheck", "cli/testdata/script/validate.txtar", "badinput/testdata/script/definitions.txtar"}},
	{"B39", "a secret that is printed, plain, encoded or in pieces", []string{
		"secret: TestMaskEncodings TestMaskBase64Alignments TestMaskAnySplit", "cli/testdata/script/secrets.txtar",
		"badinput/testdata/script/secrets.txtar"}},
	{"B40", "a secret that is looked for in what Regie keeps and says", []string{
		"secret: TestSecretIsNotPrinted TestOpenFileFaults", "worker: TestProcess TestConnector", "cli/testdata/script/secrets.txtar",
		"badinput/testdata/script/secrets.txtar"}},
	{"B41", "a secret that is too short or too common to be masked", []string{
		"secret: TestUnmaskable", "cli/testdata/script/secrets.txtar", "badinput/testdata/script/secrets.txtar"}},
	{"B42", "a crash while secrets are in memory", []string{"secret: TestCrashShowsNoSecret TestSecretIsNotPrinted", "worker: TestPanic"}},
	{"B44", "a request of another media type, or of none", []string{"server: TestMediaTypes TestSessions"}},
	{"B45", "JSON with twice the same key, huge numbers, depth, marks or more text", []string{
		"value: TestParseRefuses TestParse", "executor/executortest: testOutputs", "cli/testdata/script/hostile.txtar",
		"badinput/testdata/script/input.txtar", "badinput/testdata/script/tasks.txtar"}},
	{"B52", "a value of another kind, or none, in place of every field", []string{
		"descriptor: TestEveryWrongKind", "dialect/native: TestOddShapes FuzzLoad", "badinput/testdata/script/definitions.txtar"}},
	{"B53", "a stored run or program that is damaged or of a newer format", []string{
		"runtime: TestDamagedRunsAreQuarantined", "engine: TestUnknownFormat", "store/sqlite: TestDamageIsLocal TestSchemaOfANewerRegie",
		"cli/testdata/script/data.txtar"}},
	{"B55", "a filter, an order or a page token that would reach a statement", []string{
		"server: TestFilters TestPageTokens TestNastyTexts", "filter: TestParseErrors"}},
	{"B57", "printed text that steers the terminal", []string{
		"tasklog: TestSanitize FuzzSanitize TestStyle", "cli/testdata/script/hostile.txtar", "badinput/testdata/script/tasks.txtar"}},
	{"B58", "a printed line that looks like one of Regie's own", []string{
		"tasklog: TestFormat TestLines", "cli/testdata/script/hostile.txtar", "badinput/testdata/script/tasks.txtar"}},
	{"B63", "an argument that looks like the name of a file", []string{"cli/testdata/script/hostile.txtar"}},
	{"B65", "the name of a user that could be taken for another", []string{"server: TestUserNames", "access: TestNames"}},
	{"B70", "a task that would run as root, by a number, or as a user that is not allowed", []string{
		"dialect/native: TestRunAs", "executor/supervised: TestRunAsIsDenied TestTasksOfAnotherUser",
		"executor/supervised/supervisor: TestUsers TestUserListsAreChecked", "server: TestRunAsOfTheAPI"}},
	{"B71", "YAML that unfolds to much, or never ends", []string{
		"yamldoc: TestBombs TestLimits", "cli/testdata/script/hostile.txtar", "badinput/testdata/script/definitions.txtar"}},
	{"B72", "YAML that is read in two ways", []string{
		"yamldoc: TestParse TestParseRefuses", "dialect/native/testdata/yaml.txtar", "dialect/native/testdata/documents.txtar",
		"badinput/testdata/script/definitions.txtar"}},
	{"B73", "names that are taken twice, needs in a circle, too many of anything", []string{
		"dialect/native: TestLimits TestProgramSize", "dialect/native/testdata/documents.txtar", "cli/testdata/script/validate.txtar",
		"badinput/testdata/script/definitions.txtar", "badinput/testdata/script/expressions.txtar"}},
	{"B74", "a state machine with more transitions than AWS allows", []string{"badinput: TestTransitions"}},
	{"B78", "a decision of who may not, on another question, or on one that is over", []string{
		"server: TestApprovals", "cli/testdata/script/people.txtar"}},
	{"B79", "the same decision or key twice at once, a cancel and an end, a start and a deletion", []string{"server: TestExactlyOneWins"}},
	{"B80", "a signal that is too large, and more than a run keeps", []string{"server: TestSignals"}},
	{"B82", "rows of the audit log changed or removed, its end cut off, an old copy put back", []string{
		"auditlog: TestTamperedSQLite TestOldCopiesOfSQLite TestForksAreNotSigned TestOldCopyIsFoundByAnchors",
		"auditlog/evidence: TestEveryFlippedByteIsFound TestLinesOutOfPlaceAreFound TestOnlyAnAnchorFindsWhatTheKeyHolderDoes",
		"cli/testdata/script/audit_verify.txtar", "cli/testdata/script/server_keep.txtar", "server/offline: TestVerify"}},
}

// wanted are the rows that must be there.
const wanted = "B01 B02 B03 B04 B05 B06 B07 B08 B09 B10 B11 B12 B13 B14 B15 B18 B19 B20 B21 B22 B23 B24 B25 B26 B27 B28 B29 B31 B32 B33 B34 B36 B37 B39 B40 B41 B42 B44 B45 B52 B53 B55 B57 B58 B63 B65 B70 B71 B72 B73 B74 B78 B79 B80 B82"

// TestRows: every row has tests, and they are there.
func TestRows(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.id)
		if r.meaning == "" || len(r.tests) == 0 {
			t.Errorf("%s has no meaning or no tests", r.id)
		}
	}
	if got := strings.Join(ids, " "); got != wanted {
		t.Errorf("rows are %s, want %s", got, wanted)
	}
	functions := map[string][]string{}
	for _, r := range rows {
		for _, test := range r.tests {
			if strings.HasSuffix(test, ".txtar") {
				text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(test)))
				if err != nil || !strings.Contains(string(text), r.id) {
					t.Errorf("%s: %s does not name it: %v", r.id, test, err)
				}
				continue
			}
			pkg, names, _ := strings.Cut(test, ": ")
			if functions[pkg] == nil {
				functions[pkg] = functionsOf(t, filepath.Join("..", filepath.FromSlash(pkg)))
			}
			if names == "" {
				t.Errorf("%s: %q names no test", r.id, test)
			}
			for name := range strings.FieldsSeq(names) {
				if !slices.Contains(functions[pkg], name) {
					t.Errorf("%s: there is no %s in %s", r.id, name, pkg)
				}
			}
		}
	}
}

// functionsOf are the tests and fuzz targets of a folder, and the parts of the
// suites in it. One that has no statements sees to nothing.
func functionsOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		inTest := strings.HasSuffix(file, "_test.go")
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || len(f.Body.List) == 0 {
				continue
			}
			name := f.Name.Name
			if inTest && (strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")) || !inTest && strings.HasPrefix(name, "test") {
				names = append(names, name)
			}
		}
	}
	return names
}
