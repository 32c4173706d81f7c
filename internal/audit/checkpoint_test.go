package audit_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/regie-dev/regie/internal/audit"
	"golang.org/x/mod/sumdb/note"
)

// keys makes a signer and its verifier; the seed stands for randomness.
func keys(t *testing.T, name, seed string) (note.Signer, note.Verifier) {
	t.Helper()
	random := sha256.Sum256([]byte(seed))
	secret, public, err := note.GenerateKey(bytes.NewReader(random[:]), name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier
}

const origin = "regie.example/prod"

func TestCheckpointText(t *testing.T) {
	t.Parallel()
	c := audit.Checkpoint{Origin: origin, Size: 20852163, Root: audit.Hash{1, 2, 3}, Extensions: []string{"one", "two"}}
	text, err := c.Text()
	want := "regie.example/prod\n20852163\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\none\ntwo\n"
	if err != nil || text != want {
		t.Fatalf("got %q, %v, want %q", text, err, want)
	}
	back, err := audit.ParseCheckpoint(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, back); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []audit.Checkpoint{
		{Size: 1}, {Origin: "a\nb"}, {Origin: "a", Size: -1}, {Origin: "a", Extensions: []string{""}},
		{Origin: "a", Extensions: []string{"x\n\n— signature"}},
	} {
		if _, err := bad.Text(); err == nil {
			t.Errorf("%+v: accepted", bad)
		}
	}
}

func TestParseCheckpointRefuses(t *testing.T) {
	t.Parallel()
	root := audit.Hash{}.String()
	for _, text := range []string{
		"", "\n", "a\n1\n", "a\n1\n" + root, "\n1\n" + root + "\n", "a\n01\n" + root + "\n", "a\n+1\n" + root + "\n",
		"a\n-1\n" + root + "\n", "a\n9223372036854775808\n" + root + "\n", "a\n4611686018427387905\n" + root + "\n",
		"a\n1\n" + root[1:] + "\n", "a\n1\n" + root + "x\n", "a\n1\n" + root + "\n\n", "a\n1\n" + root + "\n\nb\n",
		"a\n1\n" + strings.Replace(root, "AA=", "AB=", 1) + "\n",
	} {
		if c, err := audit.ParseCheckpoint(text); err == nil {
			t.Errorf("%q: accepted as %+v", text, c)
		}
	}
}

func TestSignedCheckpoint(t *testing.T) {
	t.Parallel()
	logSigner, log := keys(t, origin, "log")
	otherSigner, _ := keys(t, origin, "other")
	witnessSigner, witness := keys(t, "witness.example", "witness")
	_, edge := logOf(9)
	want := audit.Checkpoint{Origin: origin, Size: edge.Size(), Root: edge.Root()}

	signed, err := want.Sign(logSigner, witnessSigner)
	if err != nil {
		t.Fatal(err)
	}
	got, cosigned, err := audit.OpenCheckpoint(signed, log, witness)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(cosigned, []string{"witness.example"}) {
		t.Errorf("cosigned by %v, %s", cosigned, diff)
	}
	if _, cosigned, err = audit.OpenCheckpoint(signed, log); err != nil || cosigned != nil {
		t.Errorf("unknown witness: %v, %v", cosigned, err)
	}

	foreign := want
	foreign.Origin = "elsewhere.example"
	must := func(signed []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	for name, bad := range map[string][]byte{
		"signed by another key of the name": must(want.Sign(otherSigner)),
		"signed by the witness only":        must(want.Sign(witnessSigner)),
		"another origin":                    must(foreign.Sign(logSigner)),
		"not signed":                        []byte("text\n"),
		"too long":                          make([]byte, audit.MaxCheckpoint+1),
		"not a checkpoint":                  must(note.Sign(&note.Note{Text: "hello\n"}, logSigner)),
	} {
		if c, _, err := audit.OpenCheckpoint(bad, log, witness); err == nil {
			t.Errorf("%s: accepted as %+v", name, c)
		}
	}
	for i := range signed {
		changed := slices.Clone(signed)
		changed[i] ^= 1
		// A signature of an unknown key is passed over, and so are the two
		// unused bits at the end of a signature's base64 text.
		if c, cosigned, err := audit.OpenCheckpoint(changed, log, witness); err == nil && !cmp.Equal(c, want) {
			t.Errorf("flipped byte %d: accepted as %+v, cosigned by %v: %s", i, c, cosigned, changed)
		}
	}
	if _, err := (audit.Checkpoint{Origin: "a\nb"}).Sign(logSigner); err == nil {
		t.Error("signed a malformed checkpoint")
	}
}

// FuzzParseCheckpoint: what is read is written back as the same text.
func FuzzParseCheckpoint(f *testing.F) {
	f.Add("a\n1\n" + audit.Hash{}.String() + "\n")
	f.Add("a\n0\n" + audit.Hash{5}.String() + "\nextension\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := audit.ParseCheckpoint(text)
		if err != nil {
			return
		}
		if back, err := c.Text(); err != nil || back != text {
			t.Errorf("%q came back as %q, %v", text, back, err)
		}
	})
}
