package hostkeys

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"strings"
)

// hashMagic opens a hashed name: "|1|" salt "|" HMAC-SHA1 of the name under the
// salt, both in base64.
const hashMagic = "|1|"

var errHash = errors.New("hostkeys: malformed hashed host name")

// hashName hides a name under a fresh salt.
func hashName(name string) string {
	salt := make([]byte, sha1.Size)
	rand.Read(salt) // never fails, by its documentation
	encode := base64.StdEncoding.EncodeToString
	return hashMagic + encode(salt) + "|" + encode(hashWith(salt, name))
}

// matchHashed compares name with a hashed name.
func matchHashed(name, hashed string) (bool, error) {
	rest, ok := strings.CutPrefix(hashed, hashMagic)
	if !ok {
		return false, errHash
	}
	saltText, sumText, ok := strings.Cut(rest, "|")
	if !ok {
		return false, errHash
	}
	salt, err := base64.StdEncoding.DecodeString(saltText)
	if err != nil || len(salt) != sha1.Size {
		return false, errHash
	}
	sum, err := base64.StdEncoding.DecodeString(sumText)
	if err != nil || len(sum) != sha1.Size {
		return false, errHash
	}
	return hmac.Equal(sum, hashWith(salt, name)), nil
}

func hashWith(salt []byte, name string) []byte {
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return mac.Sum(nil)
}
