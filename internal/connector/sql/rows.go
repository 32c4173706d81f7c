package sql

import (
	"fmt"
	"strconv"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/value"
)

// tooManyRows is the name of the error for results beyond the bounds.
const tooManyRows = "sql.too_many_rows"

// rowOverhead is what a row counts beside the bytes of its values.
const rowOverhead = 16

// result is what a statement did.
type result struct {
	columns   []string
	rows      []value.Value
	bytes     int64
	affected  int64
	truncated bool
}

// setColumns names the columns; names that repeat get a number.
func (r *result) setColumns(names []string) {
	seen := make(map[string]bool, len(names))
	r.columns = make([]string, len(names))
	for i, name := range names {
		unique := name
		for n := 2; seen[unique]; n++ {
			unique = name + "_" + strconv.Itoa(n)
		}
		seen[unique] = true
		r.columns[i] = unique
	}
}

// room reports whether a row of that many bytes may be added. Without room it
// marks the result as truncated, or returns the error.
func (r *result) room(size int64, l limits) (bool, error) {
	size += rowOverhead
	if len(r.rows) < l.rows && r.bytes+size <= l.bytes {
		r.bytes += size
		return true, nil
	}
	if l.truncate {
		r.truncated = true
		return false, nil
	}
	what := fmt.Sprintf("more than %d rows", l.rows)
	if len(r.rows) < l.rows {
		what = fmt.Sprintf("more than %d bytes", l.bytes)
	}
	return false, connector.Errorf(tooManyRows, "the statement returns %s; raise max_rows or max_bytes, set truncate: true, or ask for less", what)
}

func (r *result) add(row []value.Value) {
	members := make([]value.Member, len(row))
	for i, v := range row {
		members[i] = value.M(r.columns[i], v)
	}
	r.rows = append(r.rows, value.Object(members...))
}

func (r *result) members() []value.Member {
	columns := make([]value.Value, len(r.columns))
	for i, c := range r.columns {
		columns[i] = value.String(c)
	}
	return []value.Member{
		value.M("rows", value.List(r.rows...)), value.M("columns", value.List(columns...)),
		value.M("row_count", value.Int(int64(len(r.rows)))), value.M("truncated", value.Bool(r.truncated)),
	}
}

// output is the step's output.
func (p plan) output(results []*result) value.Value {
	affected := int64(0)
	each := make([]value.Value, len(results))
	for i, r := range results {
		affected += r.affected
		each[i] = value.Object(append([]value.Member{value.M("rows_affected", value.Int(r.affected))}, r.members()...)...)
	}
	out := append([]value.Member{value.M("rows_affected", value.Int(affected))}, results[len(results)-1].members()...)
	if p.several {
		out = append(out, value.M("results", value.List(each...)))
	}
	return value.Object(out...)
}
