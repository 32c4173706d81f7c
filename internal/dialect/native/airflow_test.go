package native

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/value"
)

// upstream are the ways in which a task of Airflow ends that others look at.
var upstream = []string{"success", "failed", "skipped", "upstream_failed"}

// airflowRules say what Airflow does with a task once the two before it have
// ended, by how many ended in each way: it runs, or gets another state instead.
// They follow TriggerRuleDep of Apache Airflow 2.10; all_done_min_one_success
// came with 3.1.
var airflowRules = map[string]func(n map[string]int) string{
	"all_success": func(n map[string]int) string {
		return first(n["success"] == 2, "runs", failures(n) > 0, "upstream_failed", true, "skipped")
	},
	"all_failed": func(n map[string]int) string { return first(failures(n) == 2, "runs", true, "skipped") },
	"all_done":   func(map[string]int) string { return "runs" },
	"all_done_min_one_success": func(n map[string]int) string {
		return first(n["success"] > 0, "runs", n["skipped"] == 2, "skipped", true, "upstream_failed")
	},
	"all_skipped": func(n map[string]int) string { return first(n["skipped"] == 2, "runs", true, "skipped") },
	"one_success": func(n map[string]int) string {
		return first(n["success"] > 0, "runs", n["skipped"] == 2, "skipped", true, "upstream_failed")
	},
	"one_failed":  func(n map[string]int) string { return first(failures(n) > 0, "runs", true, "skipped") },
	"one_done":    func(n map[string]int) string { return first(n["success"]+n["failed"] > 0, "runs", true, "skipped") },
	"none_failed": func(n map[string]int) string { return first(failures(n) == 0, "runs", true, "upstream_failed") },
	"none_failed_min_one_success": func(n map[string]int) string {
		return first(failures(n) > 0, "upstream_failed", n["skipped"] == 2, "skipped", true, "runs")
	},
	"none_skipped": func(n map[string]int) string { return first(n["skipped"] == 0, "runs", true, "skipped") },
	"always":       func(map[string]int) string { return "runs" },
}

func failures(n map[string]int) int { return n["failed"] + n["upstream_failed"] }

// first returns the text behind the first condition that holds.
func first(pairs ...any) string {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i].(bool) {
			return pairs[i+1].(string)
		}
	}
	panic("no condition holds")
}

// upstreamTask writes a step that ends in a way.
func upstreamTask(id, way string) string {
	switch way {
	case "failed":
		return fmt.Sprintf("  %s: {fail: broken}\n", id)
	case "skipped":
		return fmt.Sprintf("  %s: {if: \"false\", run: work}\n", id)
	case "upstream_failed":
		return fmt.Sprintf("  before_%[1]s: {fail: broken}\n  %[1]s: {needs: [before_%[1]s], run: work}\n", id)
	default:
		return fmt.Sprintf("  %s: {run: work}\n", id)
	}
}

// TestAirflowTriggerRules runs each line of the table in
// docs/coming-from-airflow.md for every way in which its needs can end.
func TestAirflowTriggerRules(t *testing.T) {
	t.Parallel()
	rules := documentedRules(t)
	if len(rules) != len(airflowRules) {
		t.Errorf("%d rules are documented, want %d", len(rules), len(airflowRules))
	}
	for rule, judge := range airflowRules {
		join, ok := rules[rule]
		if !ok {
			t.Errorf("%s is not documented", rule)
			continue
		}
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			for i := range 16 {
				ways := []string{upstream[i%4], upstream[i/4]}
				counts := map[string]int{}
				graph := "kind: Workflow\nname: rules\ngraph:\n"
				for n, way := range ways {
					counts[way]++
					graph += upstreamTask(string("ab"[n]), way)
				}
				graph += "  last: {" + join + "run: work}\n  behind: {needs: [last], run: work}\n"
				want, got := judge(counts), endOfLast(t, graph)
				if rule == "all_skipped" || rule == "one_done" || rule == "all_success" && counts["skipped"] > 0 {
					// A step that does not run because of failures is not run, not
					// skipped. Of a failure and a skip, whatever comes first decides;
					// in Airflow too.
					want, got = first(want == "runs", want, true, "does not run"), first(got == "runs", got, true, "does not run")
				}
				if got != want {
					t.Errorf("%v: %s, want %s\n%s", ways, got, want, graph)
				}
			}
		})
	}
}

// documentedRules reads what stands before `run` in a step, by rule.
func documentedRules(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/coming-from-airflow.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "<!-- trigger rules: read by a test -->")
	if !ok {
		t.Fatal("the page has no table")
	}
	rules := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
		cells := strings.SplitN(strings.ReplaceAll(strings.Trim(line, "| "), `\|`, "\x00"), " | ", 2)
		name, isRule := strings.CutPrefix(cells[0], "`")
		if !isRule {
			if len(rules) > 0 {
				break
			}
			continue
		}
		join, isJoin := strings.CutPrefix(strings.ReplaceAll(cells[1], "\x00", "|"), "`")
		if isJoin {
			rules[strings.TrimSuffix(name, "`")] = "needs: [a, b], join: \"" + strings.TrimSuffix(join, "`") + "\", "
		} else {
			rules[strings.TrimSuffix(name, "`")] = ""
		}
	}
	return rules
}

// endOfLast runs a workflow whose tasks all succeed and says what became of its
// step last.
func endOfLast(t *testing.T, source string) string {
	t.Helper()
	set, problems := Load(testConfig(), []Source{{Path: "workflow.yaml", Text: []byte(source)}})
	if diag.HasErrors(problems) {
		t.Fatalf("%s\n%v", source, problems)
	}
	program := set.Workflows[0].Program
	machine, err := engine.Prepare(program, map[string]expr.Language{cel.Name: cel.New()})
	if err != nil {
		t.Fatal(err)
	}
	nodes := program.Bodies[program.Main].Nodes
	run, end := engine.NewRun("r1"), ""
	queue := []engine.Input{engine.Accept{Input: value.Object(), BusinessDate: "2026-03-02", Seed: 1}}
	for ; len(queue) > 0; queue = queue[1:] {
		decision, err := machine.Decide(run, queue[0], engine.Context{Now: time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range decision.Events {
			switch ev.Kind {
			case engine.EvEntered:
				if nodes[ev.Node].ID == "last" {
					end = "runs"
				}
			case engine.EvNotEntered:
				for _, n := range ev.Nodes {
					if nodes[n].ID == "last" {
						end = first(ev.Reason == engine.ReasonUpstreamFailed, "upstream_failed", true, "skipped")
					}
				}
			default:
			}
		}
		for _, c := range decision.Commands {
			if task, ok := c.(engine.Dispatch); ok {
				queue = append(queue, engine.TaskEnded{
					Act: task.Task.Act, Attempt: task.Task.Attempt, Outcome: engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: value.Null},
				})
			}
		}
	}
	return end
}
