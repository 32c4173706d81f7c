package catalog

import "encoding/hex"

// Authors are those, as actors, who made the version of a workflow that has the
// program: who applied it first, and who made it the current one last. None if
// it is not known.
func (c *Catalog) Authors(namespace, name string, program [32]byte) []string {
	text := hex.EncodeToString(program[:])
	var out []string
	if v, ok := c.versions.Get(namespace, versionName(name, text[:16])); ok && v.Program == text {
		out = append(out, v.CreatedBy)
	}
	if w, ok := c.workflows.Get(namespace, name); ok && w.Program == text {
		out = append(out, w.UpdatedBy)
	}
	return out
}
