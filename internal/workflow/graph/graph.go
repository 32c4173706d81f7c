package graph

import "strings"

// Bounds of a graph.
const (
	// MaxNodes is how many nodes it has at most; MaxEdges the same of edges.
	MaxNodes = 20_000
	MaxEdges = 60_000
	// MaxText is how many bytes of a condition or label are shown.
	MaxText = 400
)

// Graph is a program as a picture.
type Graph struct {
	Language string
	// Nodes are in the order of the source as a rule; each stands behind the one
	// that it lies in.
	Nodes []Node
	Edges []Edge
	// Truncated says that there were more than MaxNodes or MaxEdges.
	Truncated bool
}

// Node is a step, or a part of one that holds others.
type Node struct {
	ID string
	// Parent is the node that it lies in, empty at the top.
	Parent string
	// Name is the last segment of its path, as the author wrote it; Label what
	// people call it, if the source says so.
	Name, Label string
	// Kind is the language's word, such as foreach or Parallel; Shape the form that
	// all languages share: task, fork, map, choice, loop, wait, assign, pass,
	// raise, exit, call, child, or part, which is none of them but holds others.
	Kind, Shape string
	// Role says what a part is, or a node that takes its place.
	Role Role
	// Uses is what does the work of a task, or the workflow that a child runs.
	Uses string
	// Condition is what must hold for it to run; Join how its needs count: empty
	// (all), any, or an expression.
	Condition, Join string
	File            string
	Line            int
	// Start says that a body of jumps begins here.
	Start bool
	// Recursive says that what is inside it stands around it already.
	Recursive bool
}

// Role says what a part of a step is.
type Role string

// The roles.
const (
	RoleStep         Role = "step"
	RoleBranch       Role = "branch"
	RoleItem         Role = "item" // what is done for each item, or in each turn
	RoleHandler      Role = "handler"
	RoleFinally      Role = "finally"
	RoleCompensation Role = "compensation"
	RoleRetry        Role = "retry" // what decides whether there is another attempt
)

// Edge leads from one node to another, both by ID.
type Edge struct {
	From, To string
	Kind     EdgeKind
	// Label is the condition on it: of a branch its expression, of an error the
	// names, of a need the ends that count if it is not success.
	Label string
}

// EdgeKind says why one node follows another.
type EdgeKind string

// The kinds of edges.
const (
	EdgeNeeds        EdgeKind = "needs"
	EdgeNext         EdgeKind = "next"
	EdgeBranch       EdgeKind = "branch" // a case of a choice
	EdgeError        EdgeKind = "error"
	EdgeRetry        EdgeKind = "retry"
	EdgeFinally      EdgeKind = "finally"
	EdgeCompensation EdgeKind = "compensation"
)

// NodeOf is the node of a step of a run: its path without the numbers of items,
// turns, tries and visits. It costs the length of the path.
func NodeOf(path string) string {
	if !strings.ContainsAny(path, "[~#") {
		return path
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; c {
		case '~', '#':
			for i+1 < len(path) && path[i+1] >= '0' && path[i+1] <= '9' {
				i++
			}
		case '[':
			out.WriteByte('[')
			for i+1 < len(path) && path[i+1] != ']' {
				i++
			}
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}
