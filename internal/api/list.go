package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/filter"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// Bounds of lists.
const (
	DefaultPage = 100
	MaxPage     = 1000
	// MaxScan is how many rows are looked at for one page; where fewer match
	// than fit, the answer has what was found and a token to go on.
	MaxScan = 20_000
	// MaxSorted is among how many rows an order other than that of time is
	// looked for; of more it is refused.
	MaxSorted = 20_000
	// readRows is how many rows are read at once.
	readRows = 500
	// acceptSlack is how far the times of acceptance may be from the order of
	// IDs, in which rows are read: the clock may have been set in between.
	acceptSlack = 24 * time.Hour
)

// ListRuns lists runs.
func (a *API) ListRuns(ctx context.Context, m *regiev1.ListRunsRequest) (*regiev1.ListRunsResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	size, err := pageSize(m.GetPageSize())
	if err != nil {
		return nil, err
	}
	at, err := openToken[runToken](m.GetPageToken(), listOf(m.GetNamespace(), m.GetFilter()))
	if err != nil {
		return nil, err
	}
	if at.At.IsZero() {
		at.At = a.cfg.Now()
	}
	q, err := a.runQuery(ctx, m.GetNamespace(), access.RunsRead, m.GetFilter(), at.At)
	if err != nil {
		return nil, err
	}
	position := a.cfg.Runtime.Position()
	rows, next, err := a.matching(ctx, q, at, size, MaxScan, filter.Unknown)
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.ListRunsResponse{NextPageToken: next, Position: position}
	for i := range rows {
		out.Runs = append(out.Runs, a.run(ctx, &rows[i]))
	}
	return out, nil
}

func pageSize(n int32) (int, error) {
	switch {
	case n == 0:
		return DefaultPage, nil
	case n < 1 || n > MaxPage:
		return 0, invalid("page_size", "it is %d; it lies between 1 and %d", n, MaxPage)
	}
	return int(n), nil
}

// runToken says where a page of runs begins.
type runToken struct {
	Before store.RunID `json:"before,omitempty"`
	// After is the rank behind which a list with an order of its own goes on.
	After string `json:"after,omitempty"`
	// At is when the first page was asked for: what is relative to now, such as
	// how long a run has waited, is the same on all pages.
	At time.Time `json:"at"`
}

// sealed is a page token: it goes on with one list only.
type sealed[T any] struct {
	Of string `json:"of"`
	At T      `json:"at"`
}

func makeToken[T any](at T, of string) string {
	text, _ := json.Marshal(sealed[T]{Of: of, At: at}) //nolint:errchkjson // of texts, numbers and times
	return base64.RawURLEncoding.EncodeToString(text)
}

// openToken reads a page token of the list described by of; an empty one is the
// beginning.
func openToken[T any](token, of string) (T, error) {
	var s sealed[T]
	if token == "" {
		return s.At, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(text, &s) != nil || s.Of != of {
		return s.At, invalid("page_token", "it is not one of this list: ask for the first page again")
	}
	return s.At, nil
}

// runQuery is a question about runs: what the store looks for, and what is
// looked at then.
type runQuery struct {
	of     string
	store  store.RunQuery
	filter filter.Filter
	only   []string // namespaces; nil: any
	none   bool     // nothing can match
	// oldest is the time of acceptance before which no row is looked at; zero:
	// there is none. What is newer than the question is left out by the store.
	oldest time.Time
}

// listOf tells lists of runs apart, for page tokens.
func listOf(namespace, line string) string { return "runs\n" + namespace + "\n" + line }

// runQuery reads the filter line of a request, within what the caller may see.
func (a *API) runQuery(ctx context.Context, namespace string, permission access.Permission, line string, now time.Time) (*runQuery, error) {
	identity := identityOf(ctx)
	f, err := filter.Parse(line, filter.Context{Me: identity.User, Now: now, Zone: a.cfg.Zone})
	if err != nil {
		return nil, refuse(connect.CodeInvalidArgument, "filter_invalid", err.Error(), "such as: state:failed date:today-1..today name~\"gl_*\"")
	}
	if err := f.Check(filter.Runs); err != nil {
		return nil, refuse(connect.CodeInvalidArgument, "filter_invalid", err.Error(), "")
	}
	of := listOf(namespace, line)
	hints := f.Query()
	if hints.None {
		return &runQuery{of: of, none: true}, nil
	}
	q := &runQuery{of: of, filter: f, store: store.RunQuery{
		Workflows: hints.Workflows, States: hints.States, DateFrom: hints.DateFrom, DateTo: hints.DateTo, Limit: readRows,
	}}
	if !hints.AcceptedFrom.IsZero() {
		q.oldest = hints.AcceptedFrom.Add(-acceptSlack)
	}
	if !hints.AcceptedTo.IsZero() {
		q.store.Before = runtime.FirstID(hints.AcceptedTo.Add(acceptSlack))
	}
	allowed, all := a.namespaces(identity, namespace, permission)
	switch {
	case all:
		q.only = hints.Namespaces
	case hints.Namespaces == nil:
		q.only = allowed
	default:
		q.only = slices.DeleteFunc(slices.Clone(hints.Namespaces), func(n string) bool { return !slices.Contains(allowed, n) })
	}
	q.none = !all && len(q.only) == 0
	if len(q.only) <= store.MaxAlternatives {
		q.store.Namespaces = q.only
	}
	return q, nil
}

// live leaves out runs that have ended.
func (q *runQuery) live() {
	states := []string{string(engine.Pending), string(engine.Queued), string(engine.Running), string(engine.Waiting)}
	if q.store.States != nil {
		states = slices.DeleteFunc(states, func(s string) bool { return !slices.Contains(q.store.States, s) })
	}
	q.store.States, q.none = states, q.none || len(states) == 0
}

// namespaces are those that a request names: one, or with "-" all in which the
// caller has the permission.
func (a *API) namespaces(identity access.Identity, namespace string, permission access.Permission) (names []string, all bool) {
	if namespace != "-" {
		return []string{namespace}, false
	}
	all, names = identity.Namespaces(permission)
	return names, all
}

// matching finds a page of rows that match at least so well, among at most scan
// rows; there may be fewer than fit, and more behind the token.
func (a *API) matching(ctx context.Context, q *runQuery, at runToken, size, scan int, least filter.Tri) ([]store.RunRow, string, error) {
	if q.none {
		return nil, "", nil
	}
	if !q.filter.NewestFirst() {
		return a.sorted(ctx, q, at, size, least)
	}
	var out []store.RunRow
	look := a.looker(ctx, at.At)
	query := q.store
	if at.Before != "" {
		query.Before = at.Before
	}
	// What the store looks for is most of what filters ask, so the first read
	// has all as a rule: one more tells whether there is a next page.
	query.Limit = min(size+1, readRows)
	for scanned := 0; scanned < scan; {
		rows, err := a.cfg.Store.Runs(ctx, query)
		if err != nil {
			return nil, "", err
		}
		for i := range rows {
			if q.allows(&rows[i]) && q.filter.Match(look(&rows[i])) >= least {
				if len(out) == size {
					return out, makeToken(runToken{Before: query.Before, At: at.At}, q.of), nil
				}
				out = append(out, rows[i])
			}
			query.Before = rows[i].ID
		}
		if len(rows) < query.Limit || q.past(&rows[len(rows)-1]) {
			return out, "", nil
		}
		scanned += len(rows)
		query.Limit = readRows
	}
	return out, makeToken(runToken{Before: query.Before, At: at.At}, q.of), nil
}

// sorted finds a page of an order that is not that of time.
func (a *API) sorted(ctx context.Context, q *runQuery, at runToken, size int, least filter.Tri) ([]store.RunRow, string, error) {
	var after filter.Rank
	if at.After != "" {
		var err error
		if after, err = q.filter.ParseRank([]byte(at.After)); err != nil {
			return nil, "", invalid("page_token", "it is not one of this list: ask for the first page again")
		}
	}
	type match struct {
		row  store.RunRow
		rank filter.Rank
	}
	var all []match
	look := a.looker(ctx, at.At)
	query := q.store
	for scanned := 0; ; {
		rows, err := a.cfg.Store.Runs(ctx, query)
		if err != nil {
			return nil, "", err
		}
		for i := range rows {
			query.Before = rows[i].ID
			facts := look(&rows[i])
			if !q.allows(&rows[i]) || q.filter.Match(facts) < least {
				continue
			}
			if rank := q.filter.Rank(facts); at.After == "" || rank.Compare(after) > 0 {
				all = append(all, match{rows[i], rank})
			}
		}
		if len(rows) < query.Limit || q.past(&rows[len(rows)-1]) {
			break
		}
		if scanned += len(rows); scanned >= MaxSorted {
			return nil, "", refuse(connect.CodeFailedPrecondition, "too_many_to_sort", fmt.Sprintf("there are more than %d runs to put in order", MaxSorted),
				"narrow it by state, date or name, or leave sort out: the newest come first")
		}
	}
	slices.SortFunc(all, func(x, y match) int { return x.rank.Compare(y.rank) })
	more := len(all) > size
	all = all[:min(size, len(all))]
	out := make([]store.RunRow, 0, len(all))
	for i := range all {
		out = append(out, all[i].row)
	}
	if !more {
		return out, "", nil
	}
	text, err := all[len(all)-1].rank.MarshalText()
	return out, makeToken(runToken{After: string(text), At: at.At}, q.of), err
}

// looker gives the facts about rows that filters look at. What only live runs
// know is asked for once, when the first filter wants it.
func (a *API) looker(ctx context.Context, now time.Time) func(row *store.RunRow) *filter.Row {
	var facts map[store.RunID]filter.Live
	live := func(id store.RunID) (filter.Live, bool) {
		if facts == nil {
			facts = a.liveFacts(ctx, now)
		}
		l, ok := facts[id]
		return l, ok
	}
	return func(row *store.RunRow) *filter.Row {
		about := a.about(ctx, row.Program)
		id := row.ID
		return &filter.Row{
			ID: string(id), Namespace: row.Namespace, Workflow: row.Workflow, Folder: about["folder"], Owner: about["owner"],
			Labels: labelsOf(about), State: row.State, Reason: row.Reason, BusinessDate: row.BusinessDate, Trigger: row.Trigger,
			Actor: row.Actor, AcceptedAt: row.AcceptedAt, StartedAt: row.StartedAt, EndedAt: row.EndedAt,
			DueAt: row.Due, Held: row.Held, Attempts: row.Attempts,
			Live: func() (filter.Live, bool) { return live(id) },
		}
	}
}

// matches reports whether a filter has a row. One of which that cannot be known
// is shown: better one too many than one overlooked.
func matches(f filter.Filter, row *filter.Row) bool { return f.Match(row) != filter.No }

// allows reports whether the namespace of a run is one of those asked about.
func (q *runQuery) allows(row *store.RunRow) bool {
	return !q.none && (q.only == nil || slices.Contains(q.only, row.Namespace))
}

// past reports whether a row, and so all that come after it, is too old.
func (q *runQuery) past(row *store.RunRow) bool { return row.AcceptedAt.Before(q.oldest) }
