package expr

import (
	"crypto/md5"  //nolint:gosec // the caller chooses the algorithm
	"crypto/sha1" //nolint:gosec // the caller chooses the algorithm
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
)

// HashAlgorithms are the names that [Hash] knows, those of Step Functions, as a
// message lists them.
const HashAlgorithms = "MD5, SHA-1, SHA-256, SHA-384 and SHA-512"

// Hash is the digest of a text in small hexadecimal digits; ok is false if the
// algorithm is none of [HashAlgorithms].
func Hash(algorithm, text string) (digest string, ok bool) {
	data := []byte(text)
	var sum []byte
	switch algorithm {
	case "MD5":
		d := md5.Sum(data) //nolint:gosec // the caller chooses the algorithm
		sum = d[:]
	case "SHA-1":
		d := sha1.Sum(data) //nolint:gosec // the caller chooses the algorithm
		sum = d[:]
	case "SHA-256":
		d := sha256.Sum256(data)
		sum = d[:]
	case "SHA-384":
		d := sha512.Sum384(data)
		sum = d[:]
	case "SHA-512":
		d := sha512.Sum512(data)
		sum = d[:]
	default:
		return "", false
	}
	return hex.EncodeToString(sum), true
}
