// Package catalog knows the definitions of an installation: which workflows
// there are in which version, their sources, and the connections and channels
// that their steps name.
//
// Definitions arrive as files in one transaction ([Catalog.Apply]): all are
// checked, and either all are stored or none. A version of a workflow is
// immutable and named by what it compiles to; runs name the program, so that a
// later version changes nothing for them.
//
//	c := catalog.New(catalog.Config{Store: s, Programs: runtime, Native: cfg})
//	r, err := registry.Open(ctx, s, runtime, c.Tables()...)
//	c.Begin(r)
//	result, err := c.Apply(ctx, catalog.Apply{Namespace: "default", Files: files, By: by})
package catalog
