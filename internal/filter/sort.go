package filter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// sortBy is an order.
type sortBy string

const (
	byTime     sortBy = "time"
	byName     sortBy = "name"
	byDate     sortBy = "date"
	byState    sortBy = "state"
	byAttempt  sortBy = "attempt"
	byWait     sortBy = "wait"
	byDuration sortBy = "duration"
)

var sortKeys = []sortBy{byTime, byName, byDate, byState, byAttempt, byWait, byDuration}

type sortKey struct {
	by         sortBy
	descending bool
	column     int
}

func (k sortKey) String() string {
	if k.descending {
		return "-" + string(k.by)
	}
	return string(k.by)
}

// NewestFirst reports whether the order is that in which runs are accepted, the
// newest first, so that nothing must be sorted.
func (f Filter) NewestFirst() bool {
	return len(f.sort) == 0 || f.sort[0].by == byTime && f.sort[0].descending
}

// Rank is where a row stands in the order of a filter.
type Rank struct {
	id     string
	places []rankPlace
}

type rankPlace struct {
	known      bool
	number     int64
	text       string
	descending bool
}

// Rank finds where the row stands. Ask for it once for each row: sort:wait asks
// the live run.
func (f Filter) Rank(r *Row) Rank {
	a := &asking{Row: r, context: f.context}
	rank := Rank{id: r.ID}
	for _, k := range f.sort {
		p := a.place(k.by)
		p.descending = k.descending
		rank.places = append(rank.places, p)
	}
	return rank
}

func (a *asking) place(by sortBy) rankPlace {
	switch by {
	case byTime:
		return rankPlace{known: true, number: a.AcceptedAt.UnixMicro()}
	case byName:
		return rankPlace{known: true, text: a.Workflow + "\x00" + a.Namespace}
	case byDate:
		return rankPlace{known: a.BusinessDate != "", text: a.BusinessDate}
	case byState:
		return rankPlace{known: true, number: int64(slices.Index(states, a.State))}
	case byAttempt:
		return rankPlace{known: true, number: int64(a.Attempts)}
	case byWait:
		if a.ended() {
			return rankPlace{}
		}
		live, known := a.live()
		return rankPlace{known: known && live.Wait > 0, number: int64(live.Wait)}
	case byDuration:
		took, started := a.took(a.context.Now)
		return rankPlace{known: started, number: int64(took)}
	}
	return rankPlace{}
}

// rankText is a rank as [Rank.MarshalText] writes it.
type rankText struct {
	ID     string      `json:"id"`
	Places []placeText `json:"p,omitempty"`
}

type placeText struct {
	Known  bool   `json:"k,omitempty"`
	Number int64  `json:"n,omitempty"`
	Text   string `json:"t,omitempty"`
}

// MarshalText writes the rank for [Filter.ParseRank], such as for a page token.
func (r Rank) MarshalText() ([]byte, error) {
	out := rankText{ID: r.id}
	for _, p := range r.places {
		out.Places = append(out.Places, placeText{p.known, p.number, p.text})
	}
	return json.Marshal(out)
}

// ParseRank reads a rank of this filter. An error says that it is none, whoever
// may have written it.
func (f Filter) ParseRank(text []byte) (Rank, error) {
	var in rankText
	if err := json.Unmarshal(text, &in); err != nil {
		return Rank{}, fmt.Errorf("read rank: %w", err)
	}
	if len(in.Places) != len(f.sort) {
		return Rank{}, fmt.Errorf("read rank: it has %d places, the order %d", len(in.Places), len(f.sort))
	}
	rank := Rank{id: in.ID}
	for i, p := range in.Places {
		rank.places = append(rank.places, rankPlace{p.Known, p.Number, p.Text, f.sort[i].descending})
	}
	return rank, nil
}

// Compare orders ranks of the same filter: -1 when r comes before other, 0 only
// when they are of the same ID. What is not known of a row stands last, whichever
// way the order goes; where all is equal the newest run comes first.
func (r Rank) Compare(other Rank) int {
	for i, p := range r.places {
		q := other.places[i]
		if p.known != q.known {
			if p.known {
				return -1
			}
			return 1
		}
		if c := cmp.Or(cmp.Compare(p.number, q.number), strings.Compare(p.text, q.text)); c != 0 {
			if p.descending {
				return -c
			}
			return c
		}
	}
	return strings.Compare(other.id, r.id)
}
