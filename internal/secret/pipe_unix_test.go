//go:build unix

package secret_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/regie-dev/regie/internal/secret"
)

// A pipe in the folder of secrets, which nobody writes to, blocks nobody.
func TestDirDoesNotBlockOnAPipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "token"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Dir(dir, nil).Lookup("token"); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("error %v, want that it is not a regular file", err)
	}
}
