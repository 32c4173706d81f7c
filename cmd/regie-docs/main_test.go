package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGeneratedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	for _, p := range pages() {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(p.path)))
		if err != nil {
			t.Error(err)
		} else if string(text) != p.text {
			t.Errorf("%s is stale; run: make generate", p.path)
		}
	}
}
