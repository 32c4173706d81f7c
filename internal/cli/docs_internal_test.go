package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestDocsCommands: each line of a fenced block of the documents that calls
// regie names a command that there is, with flags and as many arguments as it
// takes.
func TestDocsCommands(t *testing.T) {
	t.Parallel()
	top := filepath.Join("..", "..")
	files, err := filepath.Glob(filepath.Join(top, "docs", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("documents: %v, %v", files, err)
	}
	count := 0
	for _, file := range append(files, filepath.Join(top, "README.md")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range fencedLines(string(text)) {
			for _, args := range regieCalls(line) {
				count++
				if err := checkCall(args); err != nil {
					t.Errorf("%s: %s\n\t%v", filepath.Base(file), line, err)
				}
			}
		}
	}
	if count < 50 {
		t.Errorf("only %d calls were found", count)
	}
}

// checkCall says what is wrong with the arguments of regie.
func checkCall(args []string) error {
	root := (&cli{}).root()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return flagError(cmd, err)
	}
	rest = cmd.Flags().Args()
	if len(rest) > 0 && cmd.HasSubCommands() && !strings.Contains(cmd.Use, " ") { // a family takes no arguments
		return unknownCommand(cmd, rest[0])
	}
	if err := cmd.ValidateFlagGroups(); err != nil {
		return err
	}
	return checkCount(cmd, rest)
}

func checkCount(cmd *cobra.Command, args []string) error {
	if cmd.Args == nil {
		return nil
	}
	return cmd.Args(cmd, args)
}

// fencedLines are the lines of fenced blocks; those that end in a backslash are
// joined with the next.
func fencedLines(text string) []string {
	var out []string
	inside, begun := false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inside, begun = !inside, ""
			continue
		}
		if !inside {
			continue
		}
		if more, found := strings.CutSuffix(line, "\\"); found {
			begun += more
			continue
		}
		out, begun = append(out, begun+line), ""
	}
	return out
}

// assignment is a variable that is set for one command.
var assignment = regexp.MustCompile(`^[A-Z_]+=`)

// regieCalls are the arguments of each regie that a line of a shell calls.
func regieCalls(line string) [][]string {
	var calls [][]string
	for _, words := range commandsOf(strings.TrimPrefix(strings.TrimSpace(line), "$ ")) {
		for len(words) > 0 && assignment.MatchString(words[0]) {
			words = words[1:]
		}
		if len(words) > 0 && (words[0] == "regie" || words[0] == "bin/regie") {
			calls = append(calls, words[1:])
		}
	}
	return calls
}

// commandsOf splits a line of a shell into commands and their words: it knows
// quotes, comments, redirections, $(…), which stands for 1, and what joins
// commands.
func commandsOf(line string) (commands [][]string) {
	var words []string
	var word strings.Builder
	some, quote, depth, skip := false, rune(0), 0, false
	end := func() {
		if some && !skip {
			words = append(words, word.String())
		}
		skip = skip && !some // what follows < or > is no argument
		some = false
		word.Reset()
	}
	letters := []rune(line)
	for i := 0; i < len(letters); i++ {
		r := letters[i]
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != '\'' && r == '\\' && i+1 < len(letters):
			i++
			word.WriteRune(letters[i])
			some = true
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, some = r, true
		case r == '$' && i+1 < len(letters) && letters[i+1] == '(':
			word.WriteRune('1') // whatever it prints
			some = true
		case r == '(':
			depth++
		case r == ')' && depth > 0:
			depth--
		case depth > 0:
		case r == '#' && !some:
			end()
			return append(commands, words)
		case r == ' ' || r == '\t':
			end()
		case r == '<' || r == '>':
			end()
			skip = true
		case r == '|' || r == ';' || r == '&':
			end()
			commands, words = append(commands, words), nil
		default:
			word.WriteRune(r)
			some = true
		}
	}
	end()
	return append(commands, words)
}

// TestCheckCall: what the test of the documents is to find is found.
func TestCheckCall(t *testing.T) {
	t.Parallel()
	for line, says := range map[string]string{
		"$ regie hold --filter name:x --every":         "unknown flag --every",
		"regie hold --filter 'name:x | y' # regie hld": "",
		"regie hld":                     "unknown command",
		"cat x | regie verify --backup": "needs an argument",
		"A=1 B=\"2 3\" bin/regie version now > regie.txt":        "one argument too many",
		"regie version > now":                                    "",
		"regie schedules shw settle":                             "unknown command",
		"regie backup regie-$(date +%F).backup && regie apply":   "FILE",
		`regie eval --language jsonpath "a \"b" --input @o.json`: "",
		"regiectl hld; other regie hld":                          "",
	} {
		var problems []string
		for _, args := range regieCalls(line) {
			if err := checkCall(args); err != nil {
				problems = append(problems, err.Error())
			}
		}
		if got := strings.Join(problems, "\n"); (got == "") != (says == "") || !strings.Contains(got, says) {
			t.Errorf("%s: got %q, want %q", line, got, says)
		}
	}
}
