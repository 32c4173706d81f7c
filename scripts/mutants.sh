#!/usr/bin/env bash
# Breaks the product on purpose, one line at a time, and wants the simulator to
# find each out within SEEDS seeds (default 4,000) that no test run uses, or by a
# recorded one, in all of which the product as it is holds. What is changed is the product's code, never
# the simulator; the working tree stays as it is. With names as arguments: only
# those. Budget: six minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

seeds=${SEEDS:-4000}
first=1000501 # `make sim` and the tests begin at 1
limit=300     # seconds for one of them

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
only=("$@") count=0 missed=()

wanted() { # name
	local name
	for name in "${only[@]}"; do [[ $name == "$1" ]] && return; done
	[[ ${#only[@]} == 0 ]]
}

# miss NAME WHAT notes that one was not found out.
miss() {
	echo "MISSED $1: $2"
	missed+=("$1")
}

# simulate OVERLAY builds the simulator and runs the seeds; what it says goes to
# $work/out.
simulate() {
	CGO_ENABLED=0 go build -overlay "$1" -o "$work/sim" ./cmd/regie-sim >"$work/out" 2>&1 || return 125
	timeout "$limit" "$work/sim" -first "$first" -seeds "$seeds" >"$work/out" 2>&1
}

# mutant NAME FILE OLD NEW replaces OLD, which must be there exactly once.
mutant() {
	wanted "$1" || return 0
	local name=$1 file=$2 old=$3 new=$4 text rest found code=0 began=$SECONDS
	count=$((count + 1))
	text=$(<"$file")
	rest=${text#*"$old"}
	if [[ $rest == "$text" || $rest == *"$old"* ]]; then
		miss "$name" "$file does not have its line exactly once; write it anew"
		return
	fi
	printf '%s%s%s\n' "${text%%"$old"*}" "$new" "$rest" >"$work/mutant.go"
	printf '{"Replace": {"%s": "%s"}}\n' "$PWD/$file" "$work/mutant.go" >"$work/overlay.json"
	simulate "$work/overlay.json" || code=$?
	case $code in
	1)
		if found=$(grep -m 1 -o 'violated: .\{1,90\}' "$work/out"); then
			printf '%-28s %3ds  %s\n' "$name" $((SECONDS - began)) "$found"
		else
			miss "$name" "the simulator failed without a violation: $(tail -n 1 "$work/out")"
		fi
		;;
	0) miss "$name" "not found out within $seeds seeds" ;;
	125) miss "$name" "it does not compile: $(tail -n 1 "$work/out")" ;;
	124) miss "$name" "not found out within $limit seconds" ;;
	*) miss "$name" "the simulator ended with code $code: $(tail -n 1 "$work/out")" ;;
	esac
}

# holds wants the product to hold as it is: else nothing is shown by what a mutant
# breaks.
holds() {
	echo '{}' >"$work/overlay.json"
	simulate "$work/overlay.json" && return
	grep -m 2 '^seed\|^violated' "$work/out" || tail -n 1 "$work/out"
	echo "mutants: the product itself fails" >&2
	exit 1
}

holds

runtime=internal/runtime dispatch=internal/dispatch engine=internal/engine

mutant key-is-not-taken $runtime/decide.go \
	'if taken := r.keys[name]; taken != nil {' 'if taken := r.keys[name]; false {'
mutant key-of-another-body $runtime/decide.go \
	'	if hash != m.BodyHash {' '	if hash != m.BodyHash && hash == [32]byte{} {'
mutant cancel-is-not-said $runtime/decide.go \
	'b.after(l.id, CancelTask{Run: l.id, Act: c.Act, Attempt: c.Attempt})' ''
mutant dispatch-before-commit $runtime/decide.go \
	'b.after(l.id, Dispatch{Task: c.Task})' 'r.do(Dispatch{Task: c.Task})'
mutant stale-fence $runtime/decide.go \
	'Sequence: r.building.sequence},' 'Sequence: r.building.sequence - 1},'
mutant refusal-before-commit $runtime/decide.go \
	'	// A refusal waits too: it may rest on what is not durable yet.
	r.building.after(m.Run, settled)' '	r.do(settled)'
mutant result-of-any-fence $runtime/decide.go \
	'a.Attempt == attempt && a.Fence == fence' 'a.Attempt == attempt'
mutant unknown-is-committed $runtime/commit.go \
	'	case errors.Is(m.Err, store.ErrUnknown):
		r.readSequence()' '	case errors.Is(m.Err, store.ErrUnknown):
		r.committed()'
mutant unread-is-committed $runtime/commit.go \
	'case m.Last == r.inflight.sequence:' 'case m.Last >= r.inflight.sequence-1:'
mutant events-are-not-published $runtime/commit.go \
	'First: p.first, Events: p.events' 'First: p.first, Events: p.events[:1]'
mutant result-of-any-attempt $dispatch/reactor.go \
	'case a.ref != m.Ref:' 'case a.ref.Act != m.Ref.Act:'
mutant adopted-is-not-killed $dispatch/reactor.go \
	'	if a.canceled {
		r.do(Kill{Worker: w.name, Ref: a.ref})' '	if false {
		r.do(Kill{Worker: w.name, Ref: a.ref})'
mutant slots-are-not-released $dispatch/reactor.go \
	'		r.slots.Release(w.name, class)' '		_ = class'
mutant lost-once-too-often $engine/task.go \
	'if a.Lost <= limit {' 'if a.Lost <= limit+1 {'
mutant lost-is-not-unknown $engine/task.go \
	'	if t.AtMostOnce {' '	if false {'
mutant stop-is-not-said $engine/frame.go \
	'		d.command(CancelTask{Act: a.ID, Attempt: a.Attempt, Path: a.Path})' ''
mutant frame-ends-early $engine/frame.go \
	'f.Settled < len(f.Nodes)' 'f.Settled+1 < len(f.Nodes)'
mutant verdict-stops-nothing $engine/frame.go \
	'	if stopLive {' '	if stopLive && f.Depth > 1 {'
mutant recovery-asks-nothing $engine/decide.go \
	'			d.command(Reattach{Task: d.taskOf(a)})' ''
# One seed in some thousands shows it: a recorded one, not the search.
searched=$first,$seeds first=305 seeds=1
if wanted recovery-stops-nothing; then holds; fi
mutant recovery-stops-nothing $engine/decide.go \
	'			if a.CancelAsked {
				d.command(CancelTask{Act: id, Attempt: a.Attempt, Path: a.Path})
			}' ''
first=${searched%,*} seeds=${searched#*,}
mutant recovery-joins-nothing $engine/decide.go \
	'd.add(task{kind: taskJoin, frame: id, node: workflow.NodeID(n)})' ''
mutant undone-in-start-order $engine/undo.go \
	'for at := min(u.At, len(u.List)) - 1; at >= 0; at-- {' 'for at := 0; at < len(u.List); at++ {'
mutant undone-twice $engine/undo.go \
	'run.Undo.Frame != 0 || run.Undo.Waits' 'run.Undo.Waits'
mutant unknown-is-not-undone $engine/undo.go \
	'if !done && (!a.Doubt || a.Told || n.Task == nil)' 'if !done'
mutant success-is-undone $engine/undo.go \
	'(!failed || d.m.prog' '(false && !failed || d.m.prog'
mutant canceled-stays-held $engine/decide.go \
	'	return d.resume()
}

// recover' '	return nil
}

// recover'
mutant hold-covers-siblings $engine/action.go \
	'return ok && (rest == "" ||' 'return ok && (rest != "" ||'
mutant retry-repeats-at-most-once $engine/retry.go \
	'n.Task.AtMostOnce && a.Attempt > 0' 'n.Task.AtMostOnce && a.Attempt > 1'
mutant retry-of-the-handled $engine/retry.go \
	'a.State == Failed && !a.Handled || exits' 'a.State == Failed || exits'
mutant not-run-stays-so $engine/retry.go \
	'if all && f.Nodes[i].Act == 0' 'if false && f.Nodes[i].Act == 0'
mutant breaker-keeps-for-good internal/dispatch/breakers.go \
	'for len(l.waiting) > 0 {' 'for false {'
mutant breaker-lets-new-ones-go internal/dispatch/breakers.go \
	'if l == nil || l.breaker.State() == breaker.Closed {' 'if l == nil || l.breaker.State() != breaker.HalfOpen {'
mutant outputs-never-expire $runtime/cache.go \
	'return found, found.Until.IsZero() || now.Before(found.Until)' 'return found, true'
mutant clears-are-forgotten $runtime/cache.go \
	'r.keepPlace(m.Namespace, place, Cached{})' '_ = place'
mutant added-waits-are-ignored $engine/waits.go \
	'		if !slices.Contains(needs, f) {' '		if false {'
mutant rate-begins-anew $runtime/gate_run.go \
	'		if spent.ID.Kind == gate.Named {' '		if false {'
mutant capacity-is-not-lowered internal/gate/state.go \
	'		l.Limit, l.defined = def, true' '		def.Capacity = max(def.Capacity, l.Capacity)
		l.Limit, l.defined = def, true'
mutant breaker-opens-late internal/breaker/breaker.go \
	'if len(b.failures) < b.policy.Failures {' 'if len(b.failures) <= b.policy.Failures {'
mutant ends-tell-nobody internal/runtime/commit.go \
	'r.tellWaiting(p)' ''
mutant looks-leave-early internal/runtime/outside.go \
	'r.building.after(l.id, seek)' 'r.do(seek)'
mutant children-are-left-alone $engine/child.go \
	'	d.command(d.cancelChild(a))
	return nil' '	return nil'

echo "mutants: $((count - ${#missed[@]})) of $count found out, ${SECONDS}s"
[[ $count -gt 0 && ${#missed[@]} == 0 ]]
