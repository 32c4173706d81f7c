package expr_test

import (
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
)

func TestHash(t *testing.T) {
	t.Parallel()
	// The digests of "abc" in FIPS 180-4 and RFC 1321.
	for algorithm, want := range map[string]string{
		"MD5":     "900150983cd24fb0d6963f7d28e17f72",
		"SHA-1":   "a9993e364706816aba3e25717850c26c9cd0d89d",
		"SHA-256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"SHA-384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
		"SHA-512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	} {
		if got, ok := expr.Hash(algorithm, "abc"); !ok || got != want {
			t.Errorf("%s: %s", algorithm, got)
		}
		if !strings.Contains(expr.HashAlgorithms, algorithm) {
			t.Errorf("%s is not listed", algorithm)
		}
	}
	if got, ok := expr.Hash("sha-1", "abc"); ok {
		t.Errorf("sha-1: %s", got)
	}
}

// TestRandom: the numbers of a seed stay the same for ever; these are those of
// the published SplitMix64 for the seed 1234567.
func TestRandom(t *testing.T) {
	t.Parallel()
	r := expr.NewRandom(1234567)
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821} {
		if got := r.Next(); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
	}
	if f := expr.NewRandom(0).Float(); f < 0 || f >= 1 {
		t.Errorf("float %v", f)
	}
	id := expr.NewRandom(1).UUID()
	if len(id) != 36 || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) || id == expr.NewRandom(2).UUID() {
		t.Errorf("UUID %s", id)
	}
}

func TestRegexp(t *testing.T) {
	t.Parallel()
	small, err := expr.CompileRegexp("a")
	if err != nil {
		t.Fatal(err)
	}
	large, err := expr.CompileRegexp("a{500}")
	if err != nil {
		t.Fatal(err)
	}
	if large.Cost(1000) < 100*small.Cost(1000) || small.Cost(1<<20) < 1<<12 {
		t.Errorf("costs %d and %d", small.Cost(1000), large.Cost(1000))
	}
	for _, source := range []string{"(", strings.Repeat("a{1000}", 11)} {
		if _, err := expr.CompileRegexp(source); err == nil {
			t.Errorf("%.20s compiles", source)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	if p := expr.TooLong(strings.Repeat("x", expr.MaxLength)); p != nil {
		t.Errorf("%v", p)
	}
	if p := expr.TooLong(strings.Repeat("x", expr.MaxLength+1)); p == nil || p.Code != expr.CodeLimit {
		t.Errorf("%v", p)
	}
	var none *expr.Env
	if len(none.Forbidden()) != 0 {
		t.Error("an environment that is not known forbids something")
	}
	env := &expr.Env{Roots: []expr.Root{{Name: "a"}, {Name: "b", Why: "no"}}}
	if why := env.Forbidden(); len(why) != 1 || why["b"] != "no" {
		t.Errorf("forbidden %v", why)
	}
}
