package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
)

// The form of tokens. It lets scanners of secrets find them:
//
//	regie_pat_[0-9a-z]{8}[0-9A-Za-z]{33}_[0-9A-Za-z]{6}
//	regie_admin_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}
//
// The first eight characters of an ordinary token are its ID; 24 random bytes
// follow in base 62. An admin token has 32 random bytes. Both end in the CRC-32
// (IEEE) of all that stands before the last underscore, in base 62.
const (
	tokenPrefix = "regie_pat_" //nolint:gosec // how they begin
	adminPrefix = "regie_admin_"
	idBytes     = 5
	idDigits    = 8
	secretBytes = 24
	adminBytes  = 32
	sumDigits   = 6
	cookieBytes = 32
)

// idAlphabet writes the random bytes of IDs; letters that look like digits are
// left out.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// sealed adds the checksum.
func sealed(text string) string {
	sum := big.NewInt(int64(crc32.ChecksumIEEE([]byte(text))))
	return text + "_" + padded(sum, sumDigits)
}

// intact reports whether a text of tokens has the checksum that it should have.
func intact(text string) bool {
	at := strings.LastIndexByte(text, '_')
	return at > 0 && sealed(text[:at]) == text
}

// digits is how many digits in base 62 n bytes have at most.
func digits(n int) int {
	most := new(big.Int).Lsh(big.NewInt(1), uint(8*n))
	return len(most.Sub(most, big.NewInt(1)).Text(62))
}

func padded(n *big.Int, width int) string { return fmt.Sprintf("%0*s", width, n.Text(62)) }

func base62(b []byte) string { return padded(new(big.Int).SetBytes(b), digits(len(b))) }

// newToken makes the ID and the text of a token.
func (s *Service) newToken() (id, secret string, err error) {
	b, err := s.bytes(idBytes + secretBytes)
	if err != nil {
		return "", "", err
	}
	id = base32.NewEncoding(idAlphabet).WithPadding(base32.NoPadding).EncodeToString(b[:idBytes])
	return id, sealed(tokenPrefix + id + base62(b[idBytes:])), nil
}

// newAdminToken makes the text of an admin token.
func (s *Service) newAdminToken() (string, error) {
	b, err := s.bytes(adminBytes)
	if err != nil {
		return "", err
	}
	return sealed(adminPrefix + base62(b)), nil
}

// newCookie makes the value of a cookie.
func (s *Service) newCookie() (string, error) {
	b, err := s.bytes(cookieBytes)
	if err != nil {
		return "", err
	}
	return base62(b), nil
}

// digest is what is kept of a random secret: SHA-256, hexadecimal.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// same compares digests in a time that tells nothing about them.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
