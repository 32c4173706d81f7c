package yamldoc

import "testing"

func TestParseKeepsOrderAndPositions(t *testing.T) {
	t.Parallel()
	docs, problems := Parse("eod.yaml", []byte("b: 1\na:\n  - x\n  - no\n"))
	if len(problems) != 0 || len(docs) != 1 {
		t.Fatalf("documents %d, problems %v", len(docs), problems)
	}
	if got, want := docs[0].ToValue().String(), `{"b":1,"a":["x","no"]}`; got != want {
		t.Errorf("value %s, want %s", got, want)
	}
	if pos := docs[0].Get("a").Items[1].Pos; pos.File != "eod.yaml" || pos.Line != 4 || pos.Column != 5 {
		t.Errorf("position %+v", pos)
	}
}
