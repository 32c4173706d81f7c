package examples_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
)

// settlementDate is the business date of the tests.
const settlementDate = "2026-03-06"

// settlement is a world with a ledger and a bank.
type settlement struct {
	*world
	url string // of the bank
}

const bankToken = "token-of-the-tests"

func newSettlement(t *testing.T) *settlement {
	t.Helper()
	s := &settlement{world: newWorld(t)}
	s.env["REGIE_VAR_LEDGER_FILE"] = "ledger.db"
	s.env["REGIE_SECRET_BANK_TOKEN"] = bankToken
	return s
}

// buildBank compiles the bank once for a test.
func buildBank(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bank")
	command(t, ".", "go", "build", "-o", program, "./nightly-settlement/bank")
	return program
}

// open starts a bank, which is closed at the end of the test.
func (s *settlement) open(t *testing.T, program string, flags ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, program, flags...)
	cmd.Env = append(os.Environ(), "BANK_TOKEN="+bankToken)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("bank: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("bank says no address: %v", err)
	}
	s.url = strings.TrimSpace(line)
	s.env["REGIE_VAR_BANK_URL"] = s.url
}

// settle runs the example; waits pass at once.
func (s *settlement) settle(t *testing.T, input string) (*document, int) {
	t.Helper()
	return s.run(t, example(t, "nightly-settlement"), "--date", settlementDate, "--time", "virtual", "--input", input)
}

// ask asks the bank for something.
func (s *settlement) ask(t *testing.T, path string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+bankToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("bank answered %d %q: %v", response.StatusCode, text, err)
	}
}

// books reads the ledger: by batch and kind, how many bookings of how much.
func (s *settlement) books(t *testing.T) map[string]string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.dir, "ledger.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "select batch, kind, count(*), sum(cents) from bookings where date = ? group by batch, kind", settlementDate)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var batch, kind string
		var count, cents int64
		if err := rows.Scan(&batch, &kind, &count, &cents); err != nil {
			t.Fatal(err)
		}
		out[batch+" "+kind] = fmt.Sprintf("%d of %s", count, big.NewRat(cents, 100).FloatString(2))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// collected adds up the payments that the run collected, by batch and, as "",
// all of them.
func collected(t *testing.T, d *document) (count map[string]int, total map[string]*big.Rat) {
	t.Helper()
	var output struct {
		Payments []struct{ Batch, Amount string }
	}
	if err := json.Unmarshal(d.step(t, "collect").Output, &output); err != nil {
		t.Fatal(err)
	}
	count, total = map[string]int{}, map[string]*big.Rat{}
	for _, p := range output.Payments {
		amount, ok := new(big.Rat).SetString(p.Amount)
		if !ok {
			t.Fatalf("amount %q", p.Amount)
		}
		for _, key := range []string{"", p.Batch} {
			if total[key] == nil {
				total[key] = new(big.Rat)
			}
			count[key]++
			total[key].Add(total[key], amount)
		}
	}
	return count, total
}

// wantBooks are the books after a settlement in which the bank refused west.
func wantBooks(count map[string]int, total map[string]*big.Rat) map[string]string {
	want := map[string]string{}
	for batch := range count {
		if batch != "" {
			want[batch+" payment"] = fmt.Sprintf("%d of %s", count[batch], total[batch].FloatString(2))
		}
	}
	want["west correction"] = fmt.Sprintf("%d of -%s", count["west"], total["west"].FloatString(2))
	return want
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) { // maps print in the order of their keys
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// The whole example with its own bank: what is paid, what is corrected, what is
// booked; and that a second run for the date changes nothing.
func TestSettlement(t *testing.T) {
	t.Parallel()
	s := newSettlement(t)
	s.open(t, buildBank(t))
	for _, run := range []string{"first", "second"} {
		d, code := s.settle(t, `{"approved_by": "treasurer"}`)
		if code != 0 {
			t.Fatalf("%s run: ended with %d, %v", run, code, d.Run.Error)
		}
		count, total := collected(t, d)
		if count[""] != 24 || len(count) != 5 {
			t.Fatalf("%s run: collected %v", run, count)
		}
		settled := new(big.Rat).Sub(total[""], total["west"]).FloatString(2)
		for name, want := range map[string]string{
			"date": settlementDate, "collected": total[""].FloatString(2), "settled": settled, "corrected": total["west"].FloatString(2),
		} {
			if d.Run.Output[name] != want {
				t.Errorf("%s run: %s is %v, want %s", run, name, d.Run.Output[name], want)
			}
		}
		same(t, run+" run: books", s.books(t), wantBooks(count, total))
		var statement struct {
			Batches []any
			Count   int
			Total   string
		}
		s.ask(t, "/statement?date="+settlementDate, &statement)
		if len(statement.Batches) != 3 || statement.Count != 18 || statement.Total != settled {
			t.Errorf("%s run: the bank took %+v, want %s", run, statement, settled)
		}
		attempts := map[string]int{"first": 3, "second": 1}[run]
		for i := range 3 {
			if got := d.step(t, fmt.Sprintf("settle[%d]/pay/submit", i)).Attempts; got != attempts {
				t.Errorf("%s run: batch %d took %d attempts, want %d", run, i, got, attempts)
			}
		}
		if got := d.step(t, "settle[2]/pay/advice"); got.State != "failed" {
			t.Errorf("%s run: the advice of south is %s, want failed", run, got.State)
		}
	}
	var messages []struct{ Text, Severity string }
	s.ask(t, "/messages", &messages)
	if len(messages) != 2 || messages[0].Text != "Settlement of "+settlementDate+": succeeded" || messages[0].Severity != "info" {
		t.Errorf("the channel has %+v", messages)
	}
}

// Without a signature nothing is paid; and a bank that stays away fails the
// run, which the next one makes good.
func TestSettlementFails(t *testing.T) {
	t.Parallel()
	s, program := newSettlement(t), buildBank(t)
	s.open(t, program, "-failures", "1000000")
	d, code := s.settle(t, `{}`)
	if code != 1 || d.Run.Error.Name != "not_approved" {
		t.Fatalf("without signature: ended with %d, %v", code, d.Run.Error)
	}
	d, code = s.settle(t, `{"approved_by": "treasurer"}`)
	if code != 1 || d.Run.Error.Name != "http.503" {
		t.Fatalf("without bank: ended with %d, %v", code, d.Run.Error)
	}
	count, total := collected(t, d)
	want := wantBooks(count, total)
	delete(want, "west correction")
	same(t, "books without bank", s.books(t), want)
	var messages []struct{ Text, Severity string }
	s.ask(t, "/messages", &messages)
	if !slices.ContainsFunc(messages, func(m struct{ Text, Severity string }) bool { return m.Severity == "error" }) {
		t.Errorf("the channel has %+v, want an error", messages)
	}

	s.open(t, program)
	d, code = s.settle(t, `{"approved_by": "treasurer"}`)
	if code != 0 {
		t.Fatalf("the next run: ended with %d, %v", code, d.Run.Error)
	}
	same(t, "books in the end", s.books(t), wantBooks(count, total))
}

// Killed at any moment, the run goes on with --resume and ends as if nothing
// had happened: nothing is booked or paid twice.
func TestSettlementIsKilled(t *testing.T) {
	t.Parallel()
	program := buildBank(t)
	for _, moment := range []string{
		"ledger: succeeded", "book[5]: started", "book[20]: succeeded", "settle[0]/pay/submit: attempt 2",
		"settle[1]/pay/submit: succeeded", "on_error/correct: started", "statement: started",
	} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			s := newSettlement(t)
			s.open(t, program, "-retry-after", "0")
			release := s.holdStatement(t)
			run := s.killed(t, moment)
			release()
			d, code := s.run(t, "--resume", run)
			if code != 0 {
				t.Fatalf("ended with %d, %v", code, d.Run.Error)
			}
			count, total := collected(t, d)
			same(t, "books", s.books(t), wantBooks(count, total))
			var statement struct{ Count int }
			if s.ask(t, "/statement?date="+settlementDate, &statement); statement.Count != count[""]-count["west"] {
				t.Errorf("the bank took %d payments, want %d", statement.Count, count[""]-count["west"])
			}
		})
	}
}

// holdStatement lets the bank answer no call for its statement until release:
// that call is the last step that lasts, and the run must not end before the
// kill comes.
func (s *settlement) holdStatement(t *testing.T) (release func()) {
	t.Helper()
	bank, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	released, forward := make(chan struct{}), httputil.NewSingleHostReverseProxy(bank)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/statement" {
			select {
			case <-released:
			case <-r.Context().Done():
				return
			}
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	s.env["REGIE_VAR_BANK_URL"] = proxy.URL
	return func() { close(released) }
}

// killed starts a run in a process of its own, kills that when a line with the
// text appears, and returns the run's ID.
func (s *settlement) killed(t *testing.T, moment string) (run string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "run", example(t, "nightly-settlement"), "--date", settlementDate, "--input", `{"approved_by": "treasurer"}`)
	cmd.Env, cmd.Dir = append(s.environ(), asRegie+"=1"), s.dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started := regexp.MustCompile(`run ([0-9a-z]+): started`)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := started.FindStringSubmatch(lines.Text()); m != nil {
			run = m[1]
		}
		if strings.Contains(lines.Text(), moment) {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			return run
		}
	}
	t.Fatalf("the run ended before %q: %v", moment, cmd.Wait())
	return ""
}
