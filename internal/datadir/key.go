package datadir

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// KeySize is the length of the key-encryption key in bytes.
const KeySize = 32

// keyPrefix begins the one line of a key file; the key follows in base64.
const keyPrefix = "regie-kek-1:"

// maxKeyFile is how much of a key file is read, in bytes.
const maxKeyFile = 1 << 10

// Key reads the key-encryption key. The first time in a fresh folder it makes
// one. Errors: [ErrUnsafe], [ErrKey], wrapped.
func (d *Dir) Key() (key [KeySize]byte, err error) {
	name := path.Join(keysName, keyName)
	where := filepath.Join(d.path, name)
	text, err := ReadSecret(d.root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return d.makeKey(where)
	}
	if err != nil {
		return key, fmt.Errorf("read key: %w", err)
	}
	return parseKey(text, where)
}

// parseKey reads the text of a key file; where names it in errors.
func parseKey(text, where string) (key [KeySize]byte, err error) {
	line, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), keyPrefix)
	decoded, err := base64.StdEncoding.Strict().DecodeString(line)
	if !ok || err != nil || len(decoded) != KeySize {
		return key, fmt.Errorf("%w: %s is not a key file; put the right one back", ErrKey, where)
	}
	return [KeySize]byte(decoded), nil
}

// makeKey makes a key, if there is nothing yet that needs another one.
func (d *Dir) makeKey(where string) (key [KeySize]byte, err error) {
	if d.lock == nil {
		return key, fmt.Errorf("%w: there is no %s", ErrKey, where)
	}
	if _, err := d.root.Stat(DatabaseName); !errors.Is(err, fs.ErrNotExist) {
		return key, fmt.Errorf("%w: %s is missing, without which %s cannot be read; put it back", ErrKey, where, d.Database())
	}
	_, _ = rand.Read(key[:]) // does not fail
	if err := d.writeKey(key); err != nil {
		return key, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

func (d *Dir) writeKey(key [KeySize]byte) error {
	line := keyPrefix + base64.StdEncoding.EncodeToString(key[:]) + "\n"
	return WriteSecret(d.root, path.Join(keysName, keyName), line)
}

// ReadKey reads a copy of a key file that lies anywhere, such as beside a
// backup. Errors: fs.ErrNotExist, [ErrUnsafe], [ErrKey], wrapped.
func ReadKey(file string) (key [KeySize]byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return key, fmt.Errorf("read key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return key, fmt.Errorf("read key: %w", err)
	}
	if err := checkSecret(info, file); err != nil {
		return key, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return key, fmt.Errorf("read key: %w", err)
	}
	return parseKey(string(text), file)
}

// PutKey gives the folder the key of a backup that is about to be restored in
// it. The same key may be there already. Another key, or a database, stays, and
// the error is [ErrKey], wrapped.
func (d *Dir) PutKey(key [KeySize]byte) error {
	if d.lock == nil {
		return fmt.Errorf("%w: %s is open for reading", ErrKey, d.path)
	}
	if _, err := d.root.Stat(DatabaseName); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is a database in %s already; restore into another folder, or move it away", ErrKey, d.path)
	}
	name := path.Join(keysName, keyName)
	if _, err := d.root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		if err := d.writeKey(key); err != nil {
			return fmt.Errorf("write key: %w", err)
		}
		return nil
	}
	has, err := d.Key()
	if err == nil && has != key {
		err = fmt.Errorf("%w: %s is another key than that of the backup; move it away if nothing needs it", ErrKey, filepath.Join(d.path, name))
	}
	return err
}

// ReadSecret reads a small file of a data folder that nobody else may read, nor
// the folder that it lies in. Errors: fs.ErrNotExist, [ErrUnsafe], wrapped.
func ReadSecret(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for _, part := range []string{path.Dir(name), name} {
		info, err := root.Stat(part)
		if err != nil {
			return "", err
		}
		if err := checkSecret(info, filepath.Join(root.Name(), part)); err != nil {
			return "", err
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	return string(text), err
}

// WriteSecret writes such a file, durably and whole. The caller sees to it that
// there is none that it would replace.
func WriteSecret(root *os.Root, name, text string) error {
	if err := root.Remove(name + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(root.Rename(name+".new", name), SyncDir(root.Open, path.Dir(name)))
}
