package auditlog

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/datadir"
)

// Names in the data folder.
const (
	folderName     = "audit"
	keyName        = folderName + "/key"
	publicName     = folderName + "/key.pub"
	checkpointName = folderName + "/checkpoints"
)

// originPrefix begins the name of every log that Regie names itself; idBytes
// random bytes follow in base32.
const (
	originPrefix = "regie/"
	idBytes      = 10
)

// ErrKey: the signing key is missing although it signed before, or is not one.
var ErrKey = errors.New("signing key of the audit log cannot be had")

// keys are both keys of a log.
type keys struct {
	signer note.Signer
	public evidence.Key
}

// openKeys reads the key of a data folder, or makes one.
func openKeys(root *os.Root) (keys, error) {
	if err := root.Mkdir(folderName, 0o700); err == nil {
		if err := datadir.SyncDir(root.Open, "."); err != nil {
			return keys{}, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return keys{}, err
	}
	where := filepath.Join(root.Name(), keyName)
	text, err := readKey(root, where)
	if err != nil {
		return keys{}, err
	}
	k, err := parseKeys(text)
	if err != nil {
		return keys{}, fmt.Errorf("%w: %s is not one; put the right one back", ErrKey, where)
	}
	return k, writePublic(root, k.public)
}

// readKey reads the key file, and makes one if nothing was ever signed.
func readKey(root *os.Root, where string) (string, error) {
	text, err := datadir.ReadSecret(root, keyName)
	if !errors.Is(err, fs.ErrNotExist) {
		return strings.TrimSuffix(text, "\n"), err
	}
	if _, err := root.Stat(checkpointName); !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: %s is missing, but it has signed checkpoints; put it back, or move %s away to begin a new log",
			ErrKey, where, filepath.Dir(where))
	}
	id := make([]byte, idBytes)
	_, _ = rand.Read(id) // does not fail
	text, _, err = note.GenerateKey(rand.Reader, originPrefix+strings.ToLower(base32.StdEncoding.EncodeToString(id)))
	if err != nil {
		return "", err
	}
	return text, datadir.WriteSecret(root, keyName, text+"\n")
}

// parseKeys reads a note signer and finds its public key.
func parseKeys(text string) (keys, error) {
	signer, err := note.NewSigner(text)
	if err != nil {
		return keys{}, err
	}
	// It is PRIVATE+KEY+NAME+HASH+, then the algorithm's byte and the seed.
	encoded := strings.SplitN(text, "+", 5)[4]
	seed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return keys{}, errors.New("not an Ed25519 key")
	}
	private := ed25519.NewKeyFromSeed(seed[1:])
	public, err := note.NewEd25519VerifierKey(signer.Name(), private.Public().(ed25519.PublicKey))
	if err != nil {
		return keys{}, err
	}
	key, err := evidence.ParseKey(public)
	return keys{signer, key}, err
}

// writePublic keeps the public key where people find it.
func writePublic(root *os.Root, key evidence.Key) error {
	text := key.String() + "\n"
	if have, err := root.ReadFile(publicName); err == nil && string(have) == text {
		return nil
	}
	if err := root.Remove(publicName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return datadir.WriteSecret(root, publicName, text)
}
