package asl

import (
	"reflect"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
)

// constructs says under which construct each field of the model is reported.
// "-" stands for what is no construct of its own: what is made of others.
var constructs = map[string]string{
	"Machine.Comment": "Comment", "Machine.Version": "Version", "Machine.QueryLanguage": "-",
	"Machine.TimeoutSeconds": "TimeoutSeconds", "Machine.Flow": "-",
	"Flow.StartAt": "StartAt", "Flow.States": "-", "Flow.Pos": "-", "Flow.Location": "-",

	"State.Name": "-", "State.Type": "Type", "State.Comment": "Comment", "State.Pos": "-", "State.Location": "-", "State.Language": "-",
	"State.Next": "Next", "State.End": "End", "State.InputPath": "InputPath", "State.OutputPath": "OutputPath",
	"State.ResultPath": "ResultPath", "State.Parameters": "Parameters", "State.ResultSelector": "ResultSelector",
	"State.Arguments": "Arguments", "State.Output": "Output", "State.Assign": "Assign", "State.Retry": "Retry", "State.Catch": "Catch",
	"State.Task": "-", "State.Pass": "-", "State.Wait": "-", "State.Choice": "-", "State.Parallel": "-", "State.Map": "-", "State.Fail": "-",

	"TaskState.Resource": "Resource", "TaskState.TimeoutSeconds": "Value", "TaskState.HeartbeatSeconds": "Value", "TaskState.Credentials": "Credentials",
	"PassState.Result": "Result", "WaitState.Seconds": "Value", "WaitState.Timestamp": "Value",
	"FailState.Error": "Value", "FailState.Cause": "Value", "ParallelState.Branches": "Branches",
	"ChoiceState.Rules": "Choices", "ChoiceState.Default": "Default",

	"MapState.Items": "Value", "MapState.ItemSelector": "ItemSelector", "MapState.Processor": "ItemProcessor",
	"MapState.Distributed": "ProcessorConfig", "MapState.ExecutionType": "ProcessorConfig", "MapState.MaxConcurrency": "Value",
	"MapState.ToleratedFailureCount": "Value", "MapState.ToleratedFailurePercentage": "Value", "MapState.Label": "Label",
	"Rule.Comment": "Choices", "Rule.Pos": "-", "Rule.Location": "-", "Rule.Next": "Choices", "Rule.Assign": "Assign", "Rule.Output": "Output",
	"Rule.Condition": "Choices", "Rule.Test": "Choices",
	"Retrier.ErrorEquals": "Retry", "Retrier.IntervalSeconds": "Retry", "Retrier.MaxAttempts": "Retry", "Retrier.MaxDelaySeconds": "Retry",
	"Retrier.BackoffRate": "Retry", "Retrier.FullJitter": "Retry", "Retrier.Comment": "Retry", "Retrier.Pos": "-",
	"Catcher.ErrorEquals": "Catch", "Catcher.Next": "Catch", "Catcher.ResultPath": "ResultPath", "Catcher.Assign": "Assign",
	"Catcher.Output": "Output", "Catcher.Comment": "Catch", "Catcher.Pos": "-", "Catcher.Location": "-",

	"ItemReader.Resource": "ItemReader", "ItemReader.Arguments": "ItemReader", "ItemReader.InputType": "ItemReader",
	"ItemReader.CSVHeaderLocation": "ItemReader", "ItemReader.CSVDelimiter": "ItemReader", "ItemReader.CSVHeaders": "ItemReader",
	"ItemReader.ManifestType": "ItemReader", "ItemReader.Transformation": "ItemReader", "ItemReader.ItemsPointer": "ItemReader",
	"ItemReader.MaxItems": "ItemReader", "ItemBatcher.MaxItemsPerBatch": "ItemBatcher", "ItemBatcher.MaxInputBytesPerBatch": "ItemBatcher",
	"ItemBatcher.BatchInput": "ItemBatcher", "ResultWriter.Resource": "ResultWriter", "ResultWriter.Arguments": "ResultWriter",
	"ResultWriter.Transformation": "ResultWriter", "ResultWriter.OutputType": "ResultWriter",
	"MapState.Reader": "ItemReader", "MapState.Batcher": "ItemBatcher", "MapState.Writer": "ResultWriter",
}

// unaccounted reports as lost what nothing was said of, so that nothing is lost
// in silence.
func (c *converter) unaccounted() {
	said := map[[2]string]bool{}
	for _, e := range c.report {
		said[[2]string{e.State, e.Construct}] = true
	}
	c.machine.Each(func(s *asl.State) {
		if c.written[s.Name] == 0 {
			c.note(Lost, s.Pos, s.Name, "Type", "no way that is converted leads to the state")
			return
		}
		for _, f := range present(s) {
			if !said[[2]string{s.Name, f}] {
				c.note(Lost, s.Pos, s.Name, f, "it is not converted; look at it by hand")
			}
		}
	})
}

// present lists the constructs that a state has.
func present(s *asl.State) []string {
	out := presentIn(reflect.ValueOf(*s))
	for _, part := range []any{s.Task, s.Pass, s.Wait, s.Choice, s.Parallel, s.Map, s.Fail} {
		if v := reflect.ValueOf(part); !v.IsNil() {
			out = append(out, presentIn(v.Elem())...)
		}
	}
	return out
}

func presentIn(v reflect.Value) []string {
	var out []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		construct := constructs[v.Type().Name()+"."+f.Name]
		if !f.IsExported() || construct == "-" || v.Field(i).IsZero() {
			continue
		}
		switch x := v.Field(i).Interface().(type) {
		case *asl.Value:
			construct = x.Field
		case asl.Text:
			if x.Pos == (diag.Pos{}) {
				continue
			}
		}
		if v.Field(i).Kind() == reflect.Slice && v.Field(i).Len() == 0 {
			continue
		}
		out = append(out, construct)
	}
	return out
}
