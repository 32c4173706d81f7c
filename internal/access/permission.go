package access

import (
	"fmt"
	"slices"
)

// Permission is what a method asks for. Numbers and names are those of the enum
// Permission of the API.
type Permission uint8

// The permissions.
const (
	// Unspecified is the zero value, which nobody has.
	Unspecified Permission = iota
	// Public is what everybody has, also without a credential.
	Public
	// Known is what everybody has who is known.
	Known
	RunsRead // states, times and steps of runs; why they wait
	RunsStart
	RunsOperate  // cancel, hold, release, retry
	PayloadsRead // inputs, outputs and results; every read is recorded
	LogsRead     // what tasks print; every read is recorded
	WorkflowsRead
	WorkflowsWrite
	SchedulesOperate // pause and resume
	AlertsRead
	AlertsOperate
	ApprovalsDecide
	NamespacesManage
	IdentitiesRead
	IdentitiesManage
	AuditRead // every read is recorded
	SystemRead
	SystemManage // back up, verify, drain
	MetricsRead
	TasksWork         // take work of steps that is done outside, and end it
	RunsErase         // destroy inputs, outputs, results and logs of runs that have ended
	LimitsOperate     // change limits and circuit breakers
	RunsSignal        // send signals to runs
	ConditionsOperate // say that conditions hold, or hold no more
	permissions       // how many there are
)

var permissionNames = [permissions]string{
	Unspecified: "unspecified", Public: "public", Known: "known",
	RunsRead: "runs.read", RunsStart: "runs.start", RunsOperate: "runs.operate",
	PayloadsRead: "payloads.read", LogsRead: "logs.read",
	WorkflowsRead: "workflows.read", WorkflowsWrite: "workflows.write",
	SchedulesOperate: "schedules.operate",
	AlertsRead:       "alerts.read", AlertsOperate: "alerts.operate",
	ApprovalsDecide:  "approvals.decide",
	NamespacesManage: "namespaces.manage",
	IdentitiesRead:   "identities.read", IdentitiesManage: "identities.manage",
	AuditRead: "audit.read", SystemRead: "system.read", SystemManage: "system.manage",
	MetricsRead: "metrics.read", TasksWork: "tasks.work", RunsErase: "runs.erase",
	LimitsOperate:     "limits.operate",
	RunsSignal:        "runs.signal",
	ConditionsOperate: "conditions.operate",
}

// String is the name, such as runs.start.
func (p Permission) String() string {
	if p >= permissions {
		return fmt.Sprintf("permission %d", uint8(p))
	}
	return permissionNames[p]
}

// Permissions are all that a role can have, in order.
func Permissions() []Permission {
	var out []Permission
	for p := Known + 1; p < permissions; p++ {
		out = append(out, p)
	}
	return out
}

// set is a set of permissions.
type set uint32

func (s set) has(p Permission) bool { return p < permissions && s&(1<<p) != 0 }

func (s set) list() []Permission {
	return slices.DeleteFunc(Permissions(), func(p Permission) bool { return !s.has(p) })
}

// The permissions that change nothing, and those that only grants on all
// namespaces give. Metrics name what runs in every namespace.
const (
	reads = set(1<<RunsRead | 1<<PayloadsRead | 1<<LogsRead | 1<<WorkflowsRead | 1<<AlertsRead |
		1<<IdentitiesRead | 1<<AuditRead | 1<<SystemRead | 1<<MetricsRead)
	ofInstallation = set(1<<NamespacesManage | 1<<IdentitiesRead | 1<<IdentitiesManage |
		1<<AuditRead | 1<<SystemRead | 1<<SystemManage | 1<<MetricsRead)
	everything = set(1<<permissions - 1<<(Known+1))
)
