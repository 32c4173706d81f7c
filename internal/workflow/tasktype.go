package workflow

// TaskType is what work of a user's own program takes and gives. It stands in the
// member "input" of the task's input.
type TaskType struct {
	Name string `json:"name"`
	// Version names what the type says: 16 hexadecimal digits of a hash over it.
	Version string `json:"version"`
	// Input are the members that the work gets; there are no others. Defaults are
	// constants.
	Input []Input `json:"input,omitempty"`
	// Output are the members that it gives, and no others; nil: anything.
	Output []Input `json:"output,omitzero"`
}
