package folder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/regie-dev/regie/internal/blob"
	"github.com/regie-dev/regie/internal/datadir"
)

// Defaults of [Config].
const (
	DefaultMaxBytes    = 1 << 30  // of a blob
	DefaultMaxRunBytes = 16 << 30 // of all blobs of a run
)

const (
	tempName = ".tmp" // no run begins with a dot
	maxRun   = 128    // bytes of a run's ID
	dirMode  = fs.FileMode(0o700)
	fileMode = fs.FileMode(0o600)
	// maxKnown is of how many runs the size is remembered.
	maxKnown = 10_000
)

// Config configures a store. Root is needed.
type Config struct {
	// Root is the data folder; Name is that of the folder in it.
	Root *os.Root
	Name string
	// MaxBytes bounds a blob, MaxRunBytes all blobs of a run; 0: the defaults.
	MaxBytes, MaxRunBytes int64
}

// Store keeps blobs in a folder.
type Store struct {
	cfg Config

	mu    sync.Mutex
	temps uint64
	// sizes are the bytes that runs have, as far as that is known.
	sizes map[string]int64
}

var (
	_ blob.Store   = (*Store)(nil)
	_ blob.Remover = (*Store)(nil)
	_ blob.Lister  = (*Store)(nil)
)

// Open returns the store of a folder that this process has for itself, and
// deletes what an earlier one did not write to its end.
func Open(cfg Config) (*Store, error) {
	s := View(cfg)
	temp := s.at(tempName)
	if err := cfg.Root.RemoveAll(temp); err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	if err := cfg.Root.MkdirAll(temp, dirMode); err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	if err := datadir.SyncDir(cfg.Root.Open, "."); err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	return s, nil
}

// View returns the store of a folder that another process may have. It is for
// reading only.
func View(cfg Config) *Store {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.MaxRunBytes <= 0 {
		cfg.MaxRunBytes = DefaultMaxRunBytes
	}
	return &Store{cfg: cfg, sizes: map[string]int64{}}
}

// Bound changes what bounds blobs, as in [Config]. It comes before the first Put.
func (s *Store) Bound(maxBytes, maxRunBytes int64) {
	if maxBytes > 0 {
		s.cfg.MaxBytes = maxBytes
	}
	if maxRunBytes > 0 {
		s.cfg.MaxRunBytes = maxRunBytes
	}
}

func (s *Store) at(name ...string) string { return path.Join(append([]string{s.cfg.Name}, name...)...) }

// Put implements [blob.Store].
func (s *Store) Put(ctx context.Context, run string, r io.Reader) (blob.Ref, error) {
	if !validRun(run) {
		return blob.Ref{}, fmt.Errorf("keep blob: %q is no run", run)
	}
	temp, ref, err := s.write(ctx, r)
	if temp != "" {
		defer func() { _ = s.cfg.Root.Remove(temp) }() // gone, if all went well
	}
	if err != nil {
		return blob.Ref{}, fmt.Errorf("keep blob: %w", err)
	}
	if err := s.place(run, temp, ref); err != nil {
		return blob.Ref{}, fmt.Errorf("keep blob: %w", err)
	}
	return ref, nil
}

// write fills a new file, and syncs it.
func (s *Store) write(ctx context.Context, r io.Reader) (temp string, ref blob.Ref, err error) {
	s.mu.Lock()
	s.temps++
	temp = s.at(tempName, strconv.FormatUint(s.temps, 10))
	s.mu.Unlock()
	f, err := s.cfg.Root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return "", ref, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(&interruptible{ctx, r}, s.cfg.MaxBytes+1))
	if err == nil && n > s.cfg.MaxBytes {
		err = &blob.LimitError{Limit: s.cfg.MaxBytes}
	}
	if err == nil {
		err = f.Sync()
	}
	return temp, blob.Ref{SHA256: hex.EncodeToString(sum.Sum(nil)), Size: n}, errors.Join(err, f.Close())
}

// interruptible ends reading with a context.
type interruptible struct {
	ctx context.Context //nolint:containedctx // that of one Put
	r   io.Reader
}

// Read implements io.Reader.
func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// place gives a written file its name, durably.
func (s *Store) place(run, temp string, ref blob.Ref) error {
	root, name := s.cfg.Root, s.at(run, ref.SHA256)
	if err := s.reserve(run, name, ref.Size); err != nil {
		return err
	}
	made := root.Mkdir(s.at(run), dirMode)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return made
	}
	if err := root.Rename(temp, name); err != nil {
		return err
	}
	err := datadir.SyncDir(root.Open, s.at(run))
	if made == nil {
		err = errors.Join(err, datadir.SyncDir(root.Open, s.cfg.Name))
	}
	return err
}

// reserve counts what a run is to have more. Should it not come, the bound is
// reached earlier, until the next start.
func (s *Store) reserve(run, name string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	used, err := s.used(run)
	if err != nil {
		return err
	}
	if info, err := s.cfg.Root.Lstat(name); err == nil {
		size -= info.Size()
	}
	if used+size > s.cfg.MaxRunBytes {
		return &blob.LimitError{Run: true, Limit: s.cfg.MaxRunBytes}
	}
	s.sizes[run] = used + size
	return nil
}

// used is how many bytes a run has.
func (s *Store) used(run string) (int64, error) {
	if n, ok := s.sizes[run]; ok {
		return n, nil
	}
	entries, err := s.list(s.at(run))
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	if len(s.sizes) >= maxKnown {
		clear(s.sizes)
	}
	s.sizes[run] = total
	return total, nil
}

// list lists a folder; one that is not there is empty.
func (s *Store) list(name string) ([]os.DirEntry, error) {
	dir, err := s.cfg.Root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := dir.ReadDir(-1)
	return entries, errors.Join(err, dir.Close())
}

// Open implements [blob.Store].
func (s *Store) Open(run, sum string) (io.ReadCloser, error) {
	if !validRun(run) || !validSum(sum) {
		return nil, fmt.Errorf("open blob %q of run %q: %w", sum, run, blob.ErrNotFound)
	}
	f, err := s.cfg.Root.Open(s.at(run, sum))
	if errors.Is(err, fs.ErrNotExist) {
		err = blob.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open blob %s of run %s: %w", sum, run, err)
	}
	return &checked{f: f, sum: sha256.New(), run: run, want: sum}, nil
}

// checked compares what is read with its name.
type checked struct {
	f         *os.File
	sum       hash.Hash
	run, want string
}

// Read implements io.Reader.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.f.Read(p)
	c.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(c.sum.Sum(nil)) != c.want {
		return n, fmt.Errorf("read blob %s of run %s: %w", c.want, c.run, blob.ErrDamaged)
	}
	return n, err
}

// Close implements io.Closer.
func (c *checked) Close() error { return c.f.Close() }

// ListBlobs implements [blob.Lister].
func (s *Store) ListBlobs(run string) ([]blob.Ref, error) {
	if !validRun(run) {
		return nil, nil
	}
	entries, err := s.list(s.at(run))
	var out []blob.Ref
	for _, e := range entries {
		info, failed := e.Info()
		if failed != nil {
			err = errors.Join(err, failed)
		} else if validSum(e.Name()) {
			out = append(out, blob.Ref{SHA256: e.Name(), Size: info.Size()})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list the blobs of run %s: %w", run, err)
	}
	slices.SortFunc(out, func(a, b blob.Ref) int { return strings.Compare(a.SHA256, b.SHA256) })
	return out, nil
}

// RemoveBlobs implements [blob.Remover].
func (s *Store) RemoveBlobs(run string) (int, error) {
	if !validRun(run) {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sizes, run)
	entries, err := s.list(s.at(run))
	if err == nil && len(entries) == 0 {
		if err := s.cfg.Root.Remove(s.at(run)); err != nil {
			return 0, nil // there is none
		}
	}
	if err == nil {
		err = s.cfg.Root.RemoveAll(s.at(run))
	}
	if err == nil {
		err = datadir.SyncDir(s.cfg.Root.Open, s.cfg.Name)
	}
	if err != nil {
		return 0, fmt.Errorf("delete the blobs of run %s: %w", run, err)
	}
	return len(entries), nil
}

// BlobOwners implements [blob.Remover].
func (s *Store) BlobOwners() ([]string, error) {
	entries, err := s.list(s.cfg.Name)
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	var runs []string
	for _, e := range entries {
		if validRun(e.Name()) {
			runs = append(runs, e.Name())
		}
	}
	slices.Sort(runs)
	return runs, nil
}

// validRun reports whether a text can be the ID of a run, and so the name of its
// folder.
func validRun(run string) bool {
	for i, c := range []byte(run) {
		letter := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return run != "" && len(run) <= maxRun
}

func validSum(sum string) bool {
	for _, c := range []byte(sum) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(sum) == hex.EncodedLen(sha256.Size)
}
