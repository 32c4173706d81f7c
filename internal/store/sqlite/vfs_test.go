package sqlite_test

import (
	"sync"

	"github.com/ncruces/go-sqlite3/vfs"
)

// wrapped is a file of the operating system's file system, whose writes a test
// sees first.
type wrapped struct {
	vfs.File

	fs   *testFS
	name string
}

// testFS is the operating system's file system with hooks. A hook that returns
// an error keeps the operation from happening.
type testFS struct {
	mu sync.Mutex
	// write, sync, truncate and remove are called before the operation.
	write    func(name string, data []byte, offset int64) error
	sync     func(name string) error
	truncate func(name string, size int64) error
	remove   func(name string) error
	// unsynced makes syncs do nothing, for tests that are not about them.
	unsynced bool
}

func system() vfs.VFSFilename {
	fs, ok := vfs.Find("").(vfs.VFSFilename)
	if !ok {
		panic("the driver's file system opens files by name")
	}
	return fs
}

func (f *testFS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return system().Open(name, flags)
}

func (f *testFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := system().OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &wrapped{File: file, fs: f, name: name.String()}, flags, nil
}

func (f *testFS) Delete(name string, syncDir bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.remove != nil {
		if err := f.remove(name); err != nil {
			return err
		}
	}
	return system().Delete(name, syncDir)
}

func (f *testFS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	return system().Access(name, flags)
}

func (f *testFS) FullPathname(name string) (string, error) { return system().FullPathname(name) }

func (w *wrapped) WriteAt(p []byte, off int64) (int, error) {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	if w.fs.write != nil {
		if err := w.fs.write(w.name, p, off); err != nil {
			return 0, err
		}
	}
	return w.File.WriteAt(p, off)
}

func (w *wrapped) Sync(flags vfs.SyncFlag) error {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	if w.fs.sync != nil {
		if err := w.fs.sync(w.name); err != nil {
			return err
		}
	}
	if w.fs.unsynced {
		return nil
	}
	return w.File.Sync(flags)
}

func (w *wrapped) Truncate(size int64) error {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	if w.fs.truncate != nil {
		if err := w.fs.truncate(w.name, size); err != nil {
			return err
		}
	}
	return w.File.Truncate(size)
}

// The abilities of the file that SQLite asks for.
var (
	_ vfs.FileSharedMemory       = (*wrapped)(nil)
	_ vfs.FileLockState          = (*wrapped)(nil)
	_ vfs.FilePersistWAL         = (*wrapped)(nil)
	_ vfs.FilePowersafeOverwrite = (*wrapped)(nil)
)

func inner[T any](w *wrapped) T {
	f, ok := w.File.(T)
	if !ok {
		panic("the driver's files have lost an ability")
	}
	return f
}

func (w *wrapped) SharedMemory() vfs.SharedMemory {
	return inner[vfs.FileSharedMemory](w).SharedMemory()
}
func (w *wrapped) LockState() vfs.LockLevel { return inner[vfs.FileLockState](w).LockState() }
func (w *wrapped) PersistWAL() bool         { return inner[vfs.FilePersistWAL](w).PersistWAL() }
func (w *wrapped) SetPersistWAL(keep bool)  { inner[vfs.FilePersistWAL](w).SetPersistWAL(keep) }
func (w *wrapped) PowersafeOverwrite() bool {
	return inner[vfs.FilePowersafeOverwrite](w).PowersafeOverwrite()
}

func (w *wrapped) SetPowersafeOverwrite(psow bool) {
	inner[vfs.FilePowersafeOverwrite](w).SetPowersafeOverwrite(psow)
}
