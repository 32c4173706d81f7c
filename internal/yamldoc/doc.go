// Package yamldoc knows how YAML (and so JSON) text becomes a tree of nodes
// with positions: strictly, bounded in size, depth and aliases, typed by the
// YAML 1.2 core schema. What the nodes mean is for the reader's descriptor to
// say. [Write] writes a tree of [Draft]s.
//
// The package is pure. It imports value and diag, and go.yaml.in/yaml/v4 for
// the syntax; no other package sees that library's types.
//
//	docs, problems := yamldoc.Parse("eod.yaml", text)
//	for _, doc := range docs {
//		if name := doc.Get("name"); name != nil {
//			fmt.Println(name.Pos.Line, name.Text)
//		}
//	}
package yamldoc
