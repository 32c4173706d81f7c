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
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return d.makeKey(where)
	}
	if err != nil {
		return key, fmt.Errorf("read key: %w", err)
	}
	defer f.Close()
	for _, check := range []struct{ name, where string }{{keysName, filepath.Dir(where)}, {name, where}} {
		info, err := d.root.Stat(check.name)
		if err != nil {
			return key, fmt.Errorf("read key: %w", err)
		}
		if err := checkSecret(info, check.where); err != nil {
			return key, err
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return key, fmt.Errorf("read key: %w", err)
	}
	line, ok := strings.CutPrefix(strings.TrimSuffix(string(text), "\n"), keyPrefix)
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
	line := keyPrefix + base64.StdEncoding.EncodeToString(key[:]) + "\n"
	if err := d.writeKey(line); err != nil {
		return key, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

// writeKey writes the key file durably and whole.
func (d *Dir) writeKey(line string) error {
	name := path.Join(keysName, keyName)
	if err := d.root.Remove(name + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.root.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(d.root.Rename(name+".new", name), syncDir(d.root, keysName))
}
