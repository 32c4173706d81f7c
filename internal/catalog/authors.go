package catalog

import (
	"encoding/hex"
	"slices"
)

// Authors are those, as actors, who made the version of a workflow that has the
// program: who applied it first, and all who put it in force again. None if it is
// not known.
func (c *Catalog) Authors(namespace, name string, program [32]byte) []string {
	text := hex.EncodeToString(program[:])
	v, ok := c.versions.Get(namespace, versionName(name, text[:16]))
	if !ok || v.Program != text {
		return nil
	}
	return append([]string{v.CreatedBy}, v.AppliedBy...)
}

// applied notes that an actor puts the version in force.
func (v *Version) applied(actor string) {
	if actor != v.CreatedBy && !slices.Contains(v.AppliedBy, actor) {
		v.AppliedBy = append(slices.Clone(v.AppliedBy), actor)
	}
}
