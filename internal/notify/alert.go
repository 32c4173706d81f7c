package notify

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// Cause is why there is an alert.
type Cause string

// The causes.
const (
	CauseFailed Cause = "failed" // a run failed, or waits with a failure that is held
	CauseLate   Cause = "late"   // a run had not ended when it was due
	CauseMissed Cause = "missed" // a run was skipped, since its tick was dropped
	// CauseApproval is that a run asks people.
	CauseApproval Cause = "approval"
	// CauseBreaker is that the circuit breaker of a connection opened by itself.
	CauseBreaker Cause = "breaker_open"
)

// Causes returns all causes.
func Causes() []Cause {
	return []Cause{CauseFailed, CauseLate, CauseMissed, CauseApproval, CauseBreaker}
}

// causeList names all causes.
func causeList() string {
	var list []string
	for _, c := range Causes() {
		list = append(list, string(c))
	}
	return strings.Join(list, ", ")
}

// State is how far an alert is.
type State string

// The states.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged"
	Closed       State = "closed"
)

// Bounds of an alert.
const (
	// MaxRuns is how many runs an alert lists, the latest.
	MaxRuns = 100
	// MaxNotes is how many notes an alert has at most, MaxNote the length of the
	// longest in bytes.
	MaxNotes = 200
	MaxNote  = 4 << 10
	// MaxDeliveries is how many messages an alert lists that are no longer
	// pending, the latest.
	MaxDeliveries = 50
	// Retention is how long a closed alert is kept.
	Retention = 90 * 24 * time.Hour
)

// Alert is what somebody should look at. It is stored as it is.
type Alert struct {
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
	// Workflow is what it is about, or Connection is: then there is no run.
	Workflow   string      `json:"workflow,omitempty"`
	Connection string      `json:"connection,omitempty"`
	Cause      Cause       `json:"cause"`
	Run        store.RunID `json:"run,omitempty"` // that came last
	Text       string      `json:"text"`          // what happened to it
	State      State       `json:"state"`
	Owner      string      `json:"owner,omitempty"` // name of a user

	// OpenedAt is when it was opened, of breakers when the breaker was.
	OpenedAt       time.Time `json:"opened_at"`
	UpdatedAt      time.Time `json:"updated_at"`
	ClosedAt       time.Time `json:"closed_at,omitzero"`
	AcknowledgedBy string    `json:"acknowledged_by,omitempty"` // actor
	ClosedBy       string    `json:"closed_by,omitempty"`       // actor
	ClosedWhy      string    `json:"closed_why,omitempty"`

	// Count is how often the cause came while the alert was not closed.
	Count uint32 `json:"count"`
	// Runs are the latest runs with the cause, newest first, at most MaxRuns.
	Runs []Occurrence `json:"runs"`
	// Silenced says that a silence keeps the alert from being sent.
	Silenced   bool       `json:"silenced,omitempty"`
	Notes      []Note     `json:"notes,omitempty"` // oldest first
	Deliveries []Delivery `json:"deliveries,omitempty"`

	// Withheld says that there would have been a message, but for a silence.
	Withheld bool `json:"withheld,omitempty"`
	// Announced are the channels that were, or will be, told of the alert.
	Announced []string `json:"announced,omitempty"`
	// Messages counts the messages made, MessagedAt is when the last was.
	Messages   uint32    `json:"messages,omitempty"`
	MessagedAt time.Time `json:"messaged_at,omitzero"`
}

// Occurrence is that a cause came: the end of a failed or missed run, the
// instant by which a late one was due, or at which one was seen to ask people.
type Occurrence struct {
	Run store.RunID `json:"run"`
	At  time.Time   `json:"at"`
}

// Note is what somebody wrote about an alert.
type Note struct {
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
	Text  string    `json:"text"`
}

// About is what a message tells.
type About string

// What messages tell.
const (
	AboutOpened   About = "opened"
	AboutRepeated About = "repeated"
	AboutClosed   About = "closed"
)

// DeliveryState is how far a message is.
type DeliveryState string

// The states of a message.
const (
	Pending        DeliveryState = "pending"
	Sent           DeliveryState = "sent"
	DeliveryFailed DeliveryState = "failed" // given up, or dropped by a silence
)

// Delivery is a message about an alert on its way to a channel.
type Delivery struct {
	// ID is the same for all attempts, so that receivers can drop doubles.
	ID        string        `json:"id"`
	Channel   string        `json:"channel"`
	About     About         `json:"about"`
	State     DeliveryState `json:"state"`
	Attempts  uint32        `json:"attempts"`
	CreatedAt time.Time     `json:"created_at"`
	LastAt    time.Time     `json:"last_at,omitzero"` // of the last attempt
	NextAt    time.Time     `json:"next_at,omitzero"` // of the next one, while pending
	Error     string        `json:"error,omitempty"`  // of the last attempt
}

// clone returns a copy that shares nothing.
func (a *Alert) clone() Alert {
	c := *a
	c.Runs, c.Notes, c.Deliveries, c.Announced = slices.Clone(a.Runs), slices.Clone(a.Notes), slices.Clone(a.Deliveries), slices.Clone(a.Announced)
	return c
}

// newest is the run with the cause that was accepted last.
func (a *Alert) newest() store.RunID {
	id := a.Run
	for _, o := range a.Runs {
		id = max(id, o.Run)
	}
	return id
}

// trim drops what is beyond the bounds.
func (a *Alert) trim() {
	a.Runs = a.Runs[:min(len(a.Runs), MaxRuns)]
	done := 0
	for _, d := range a.Deliveries {
		if d.State != Pending {
			done++
		}
	}
	a.Deliveries = slices.DeleteFunc(a.Deliveries, func(d Delivery) bool {
		if d.State == Pending || done <= MaxDeliveries {
			return false
		}
		done--
		return true
	})
}

// Silence keeps alerts of a namespace from being sent for a time.
type Silence struct {
	ID        string    `json:"id"`
	Namespace string    `json:"namespace"`
	Workflow  string    `json:"workflow,omitempty"` // pattern as [filter.ParseGlob] reads it; empty: all
	Cause     Cause     `json:"cause,omitempty"`    // empty: all
	Until     time.Time `json:"until"`
	Reason    string    `json:"reason"`
	CreatedBy string    `json:"created_by"` // actor
	CreatedAt time.Time `json:"created_at"`
}

// Cursor is how far the changes of runs have been read: up to the run in the
// batch, that included.
type Cursor struct {
	Batch uint64      `json:"batch"`
	Run   store.RunID `json:"run,omitempty"` // empty: all of the batch
}

// Tables are the objects of the service.
type Tables struct {
	Alerts   *registry.Table[Alert]
	Silences *registry.Table[Silence]
	Cursors  *registry.Table[Cursor]
}

// NewTables returns empty tables, to be opened by the registry.
func NewTables() Tables {
	return Tables{
		Alerts:   registry.NewTable[Alert]("alert"),
		Silences: registry.NewTable[Silence]("silence"),
		Cursors:  registry.NewTable[Cursor]("alert-cursor"),
	}
}

// cursorName is the name of the only cursor.
const cursorName = "runs"

// derive makes a name that follows from the parts, 24 letters and digits.
func derive(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return strings.ToLower(base32.HexEncoding.EncodeToString(sum[:15]))
}

// alertID names the alert that an occurrence opens: the same one always does.
func alertID(s subject, o occurrence) string {
	return "al-" + derive(s.namespace, s.workflow, string(s.cause), string(o.run), strconv.FormatInt(o.at, 10))
}
