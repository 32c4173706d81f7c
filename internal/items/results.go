package items

import (
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// Result is how one item of a distributed map ended.
type Result struct {
	// Name is the name of the item's execution.
	Name string
	// Status is SUCCEEDED, FAILED, TIMED_OUT, ABORTED or PENDING (never
	// started).
	Status        string
	Input, Output value.Value
	// Error and Cause say why it did not succeed.
	Error, Cause string
	// Start and Stop are instants as texts; empty if it was never started.
	Start, Stop string
}

// Export says how results are written.
type Export struct {
	// Bucket and Prefix say where; a folder of the map run's own is put below.
	Bucket, Prefix string
	// Machine is the name of the state machine, in Region and Account; Label
	// names the map in it; Run is the ID of the map run.
	Region, Account, Machine, Label, Run string
	// Lines writes JSON Lines instead of a list.
	Lines bool
	// Compact writes of what succeeded the outputs alone, and Flatten the
	// items of outputs that are lists. Others are always written whole.
	Compact, Flatten bool
}

// File is an object to write.
type File struct {
	Key  string
	Body []byte
}

// groups are the files of results, in the manifest's order.
var groups = []string{"FAILED", "PENDING", "SUCCEEDED"}

// group is the file that results with a status belong to.
func group(status string) string {
	switch status {
	case "SUCCEEDED", "PENDING":
		return status
	}
	return "FAILED"
}

// MapRunARN names the map run as AWS Step Functions does.
func (e Export) MapRunARN() string { return e.arn("mapRun") + ":" + e.Run }

// arn names the map of the machine as a thing of a kind.
func (e Export) arn(kind string) string {
	return fmt.Sprintf("arn:aws:states:%s:%s:%s:%s/%s", e.Region, e.Account, kind, e.Machine, e.Label)
}

// Files returns what is to be written for the results: a file for each status
// that occurs and, last, the manifest.
func (e Export) Files(results []Result) []File {
	folder := e.Run
	if e.Prefix != "" {
		folder = strings.TrimSuffix(e.Prefix, "/") + "/" + e.Run
	}
	records := map[string][]value.Value{}
	for _, r := range results {
		name := group(r.Status)
		records[name] = append(records[name], e.records(r)...)
		if records[name] == nil {
			records[name] = []value.Value{} // the file exists, though nothing is in it
		}
	}
	extension := "json"
	if e.Lines {
		extension = "jsonl"
	}
	var files []File
	lists := make([]value.Member, 0, len(groups))
	for _, name := range groups {
		list := value.List()
		if items, ok := records[name]; ok {
			file := File{Key: fmt.Sprintf("%s/%s_0.%s", folder, name, extension), Body: e.encode(items)}
			files = append(files, file)
			list = value.List(value.Object(value.M("Key", value.String(file.Key)), value.M("Size", value.Int(int64(len(file.Body))))))
		}
		lists = append(lists, value.M(name, list))
	}
	manifest := value.Object(
		value.M("DestinationBucket", value.String(e.Bucket)),
		value.M("MapRunArn", value.String(e.MapRunARN())),
		value.M("ResultFiles", value.Object(lists...)),
	)
	return append(files, File{Key: folder + "/manifest.json", Body: manifest.Append(nil)})
}

// records are what a result puts into its file.
func (e Export) records(r Result) []value.Value {
	if r.Status != "SUCCEEDED" || !e.Compact && !e.Flatten {
		return []value.Value{e.record(r)}
	}
	if e.Flatten && r.Output.Kind() == value.KindList {
		return r.Output.Items()
	}
	return []value.Value{r.Output}
}

// record is a result with all that is known of it. Input and output are JSON
// within texts, as in the API of AWS Step Functions.
func (e Export) record(r Result) value.Value {
	included := value.Object(value.M("Included", value.True))
	input := []value.Member{value.M("Input", value.String(r.Input.String())), value.M("InputDetails", included)}
	if r.Status == "PENDING" {
		return value.Object(append(input, value.M("Status", value.String(r.Status)))...)
	}
	members := append([]value.Member{value.M("ExecutionArn", value.String(e.arn("execution")+":"+r.Name))}, input...)
	members = append(members, value.M("Name", value.String(r.Name)))
	if r.Status == "SUCCEEDED" {
		members = append(members, value.M("Output", value.String(r.Output.String())), value.M("OutputDetails", included))
	} else {
		members = append(members, value.M("Cause", value.String(r.Cause)), value.M("Error", value.String(r.Error)))
	}
	return value.Object(append(
		members,
		value.M("RedriveCount", value.Int(0)),
		value.M("RedriveStatus", value.String("NOT_REDRIVABLE")),
		value.M("RedriveStatusReason", value.String("Execution is "+r.Status+" and cannot be redriven")),
		value.M("StartDate", value.String(r.Start)),
		value.M("StateMachineArn", value.String(e.arn("stateMachine"))),
		value.M("Status", value.String(r.Status)),
		value.M("StopDate", value.String(r.Stop)),
	)...)
}

func (e Export) encode(records []value.Value) []byte {
	if !e.Lines {
		return value.List(records...).Append(nil)
	}
	var b []byte
	for _, record := range records {
		b = append(record.Append(b), '\n')
	}
	return b
}
