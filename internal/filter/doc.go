// Package filter knows the filter line: one line of text that names runs or
// workflows, the same in the command line, the API and the console.
//
//	state:failed,running late folder:/fin/** name~"gl_*" date:today-1..today wait>15m owner:me sort:-wait
//
// [Parse] reads a line; [Filter.Match] decides over the facts of one run, asking
// for those that only the live run knows when nothing else decides;
// [Filter.Query] says what an index can leave out before; [Filter.Rank] orders.
// Values are compared in memory and never become part of a statement or
// pattern of another language.
//
// # Grammar
//
//	line    = [ term { " " term } ] .            all terms must hold
//	term    = [ "-" ] ( flag | key ( ":" | "~" ) values | key compare value ) .
//	values  = value { "," value } .              one of them must hold
//	value   = bare | quoted .
//	bare    = visible characters but space , " \ .
//	quoted  = `"` { character | `\"` | `\\` | `\*` | `\?` } `"` .
//	compare = ">" | ">=" | "<" | "<=" | "=" .
//
// A minus before a term turns it round. * stands for any characters, ? for one:
// in bare values always, in quoted ones after ~ only; after a backslash they
// stand for themselves. Letter case counts.
//
//	flags       late held
//	id          beginning of a run's ID
//	name        of the workflow, or namespace/name; workflow is the same word
//	namespace   of the run
//	folder      path from /; * stays within a folder, ** is any number of them
//	label       key of a label, or key=value
//	owner       of the workflow; me is who asks
//	actor       who started it: user/ada, ada for short, or me
//	trigger     what started it: schedule/nightly, or schedule for all of them
//	state       pending queued running waiting succeeded failed canceled skipped
//	reason      why it is in its state, such as timed_out
//	date        business date: a day, or a range as in today-1..today, 2026-03-01..
//	since       accepted no longer ago than 24h, or from a day or time on
//	until       accepted at least so long ago, or by the end of a day, before a time
//	waiting     what it waits for now, such as limit
//	worker      where it ran
//	wait        how long it has waited now, as in wait>15m
//	duration    how long it has run, or ran in all, as in duration>1h
//	attempt     highest number of an attempt, as in attempt>1
//	sort        time name date state attempt wait duration; a minus: descending
//
// Days are 2006-01-02, today, today-3 or today+3 in the zone of who asks; times
// are a day, T and 15:04. Without sort the newest come first.
//
// The package is pure; of Regie it imports calendar, diag and duration.
//
//	f, err := filter.Parse(`state:failed since:24h -owner:me`, filter.Context{Me: "ada", Now: now, Zone: zone})
//	if f.Match(&row) == filter.Yes { … }
package filter
