package engine

import "github.com/regie-dev/regie/internal/value"

// Artifact is a file that an attempt left in its working directory, kept as a
// blob of the run.
type Artifact struct {
	// Path is relative to the working directory, with slashes, clean.
	Path   string `json:"path"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // lower-case hexadecimal digits
	// Executable says that the file may be executed.
	Executable bool `json:"executable,omitempty"`
}

// Value is the artifact as expressions see it: path, size, sha256, executable.
func (a *Artifact) Value() value.Value {
	return value.Object(
		value.M("path", value.String(a.Path)), value.M("size", value.Int(a.Size)), value.M("sha256", value.String(a.SHA256)),
		value.M("executable", value.Bool(a.Executable)))
}

// ArtifactsValue is a list of artifacts as expressions see it.
func ArtifactsValue(all []Artifact) value.Value {
	out := make([]value.Value, len(all))
	for i := range all {
		out[i] = all[i].Value()
	}
	return value.List(out...)
}
