package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/dialect/asl/teststate"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/value"
)

// maxStateFile is the largest definition, or mock, that asl commands read.
const maxStateFile = 16 << 20

// aslCommand is `regie asl`.
func (c *cli) aslCommand() *cobra.Command {
	return family("asl", "Test states of state machines, show executions",
		"Tests states of definitions in the Amazon States Language, the language of AWS Step\nFunctions, and shows what their executions did.", groupWrite,
		c.testStateCommand(), c.aslHistoryCommand())
}

// testStateFlags are the flags of `regie asl test-state`, as written.
type testStateFlags struct {
	state, input, variables, context, mock, configuration, level string
}

func (c *cli) testStateCommand() *cobra.Command {
	var f testStateFlags
	cmd := &cobra.Command{
		Use:   "test-state FILE",
		Short: "Test one state, with a mock for what it calls",
		Long: `Tests one state of a state machine as the TestState API of AWS Step Functions
does: FILE holds the machine, whose state --state names, or a state alone. The
state gets --input, and the result says how it ended, what it puts out and which
state is next. No time passes: a Wait ends at once.

A Task, Map or Parallel needs a --mock, which stands for what it would do: JSON,
or a file with it, such as

  {"result": {"Payload": 3}}
  {"errorOutput": {"error": "Lambda.TooManyRequestsException", "cause": "busy"}}

A mocked result is held against the answer of the API if that is known here,
unless the mock has "fieldValidationMode": "NONE" (or "PRESENT": nothing is
required). --state-configuration says how far the state has come:
retrierRetryCount, errorCausedByState, mapIterationFailureCount and
mapItemReaderData. With --inspection-level DEBUG the result has the data behind
each field of the state.

With --output json the result has the form of AWS, in which data is JSON as
text.

Exit code 1 if the state failed, 2 if the definition or a flag is not valid.`,
		Example: `  regie asl test-state order.asl.json --state Price --input '{"id": 7}' --mock '{"result": {"Payload": 3}}'
  regie asl test-state order.asl.json --state Ship --input @order.json --mock busy.json --inspection-level DEBUG
  regie asl test-state choice.json --input '{"cost": 12}' --variables '{"limit": 10}'`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error { return c.testState(args[0], &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.state, "state", "", "`NAME` of the state, if FILE holds a state machine")
	flags.StringVar(&f.input, "input", "", inputHelp)
	flags.StringVar(&f.variables, "variables", "", "variables that the state can read, as a `JSON` object")
	flags.StringVar(&f.context, "context", "", "the whole context object as `JSON`; without it, one of a first state")
	flags.StringVar(&f.mock, "mock", "", "what the state gets instead of calling, as `JSON` or the name of a file with it")
	flags.StringVar(&f.configuration, "state-configuration", "", "how far the state has come, as a `JSON` object")
	flags.StringVar(&f.level, "inspection-level", string(teststate.Info), "how much is told: INFO, DEBUG or TRACE (`LEVEL`)")
	_ = cmd.RegisterFlagCompletionFunc("inspection-level", cobra.FixedCompletions(
		[]string{string(teststate.Info), string(teststate.Debug), string(teststate.Trace)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (c *cli) testState(file string, f *testStateFlags) error {
	request, err := c.testStateRequest(file, f)
	if err != nil {
		return c.refusedState(request, err)
	}
	cfg := teststate.Config{JSONata: jsonata.New(jsonata.Config{AWS: true}), Now: c.Clock.Now().UTC(), Seed: 1}
	response, err := teststate.Run(cfg, request)
	if err != nil {
		return c.refusedState(request, err)
	}
	if c.output == outputJSON {
		c.printJSON(response.JSON())
	} else {
		printf(c.Stdout, "%s\n", visibleJSON(response.Value()))
	}
	if response.Status == teststate.Failed {
		return ended(exitFailed)
	}
	return nil
}

func (c *cli) testStateRequest(file string, f *testStateFlags) (r teststate.Request, err error) {
	text, err := c.readFile(file, maxStateFile)
	if err != nil {
		return r, err
	}
	r = teststate.Request{Definition: string(text), File: file, StateName: f.state, Level: teststate.Level(f.level)}
	if r.Input, err = c.inputValue(f.input); err != nil {
		return r, err
	}
	if f.variables != "" {
		if r.Variables, err = jsonFlag("variables", f.variables); err != nil {
			return r, err
		}
	}
	if f.context != "" {
		if r.Context, err = jsonFlag("context", f.context); err != nil {
			return r, err
		}
	}
	if f.mock != "" {
		mock, err := c.mockFlag(f.mock)
		if err != nil {
			return r, err
		}
		if r.Mock, err = teststate.ParseMock(mock); err != nil {
			return r, err //nolint:wrapcheck // refusedState shows it as it is
		}
	}
	if f.configuration != "" {
		v, err := jsonFlag("state-configuration", f.configuration)
		if err != nil {
			return r, err
		}
		if r.Configuration, err = teststate.ParseConfiguration(v); err != nil {
			return r, err //nolint:wrapcheck // as above
		}
	}
	return r, nil
}

// mockFlag reads what stands after --mock: an object, or the name of a file
// that holds one.
func (c *cli) mockFlag(text string) (value.Value, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return jsonFlag("mock", text)
	}
	source, err := c.readFile(text, maxStateFile)
	if err != nil {
		return value.Undefined, err
	}
	v, err := value.Parse(source)
	if err != nil {
		return value.Undefined, failf(exitInvalid, "input_invalid", "%s is not valid JSON: %w", text, err)
	}
	return v, nil
}

// refusedState is the failure of a test that is refused.
func (c *cli) refusedState(r teststate.Request, err error) error {
	var refused *teststate.Error
	if !errors.As(err, &refused) {
		return err
	}
	if len(refused.Diagnostics) == 0 {
		return failf(exitInvalid, refused.Code, "%s", refused.Message).withHint("%s", refused.Hint)
	}
	d := &definitions{texts: map[string]string{r.File: r.Definition}}
	for _, p := range refused.Diagnostics {
		d.problems = append(d.problems, p.Diag())
	}
	return c.usable(d)
}
