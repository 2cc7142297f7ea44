package stocklink

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"sshmaster/master/internal/hostconfig"
)

const (
	// maxKeyFile bounds what is read of a key file; ssh reads no more either.
	maxKeyFile = 1 << 20

	// agentPatience is how long the agent may take to list its keys.
	agentPatience = 3 * time.Second
)

// onlyOnToken names an identity file that stands for a key on a security key and
// that the agent does not have: ssh can use it, and nothing here can. Of ssh's
// default files it counts only where no other key is to be had.
func onlyOnToken(ctx context.Context, h *hostconfig.Host) string {
	if h.PubkeyAuthentication == "no" {
		return ""
	}
	var token string
	var held [][]byte
	asked := false
	for _, name := range h.IdentityFile {
		public := publicHalf(name)
		switch {
		case public == nil:
			continue
		case !strings.HasPrefix(public.Type(), "sk-"):
			if h.IdentityFileDefault {
				return ""
			}
			continue
		}
		if !asked {
			held, asked = agentKeys(ctx, h.IdentityAgent), true
		}
		if h.IdentityFileDefault && len(held) > 0 || holds(held, public) {
			continue
		}
		if token == "" {
			token = name
		}
	}
	if token == "" {
		return ""
	}
	return "IdentityFile " + clean(shorten(token, h.Home)) + " is on a security key, which may want to be touched"
}

// shorten writes a file of the home folder as people do.
func shorten(name, home string) string {
	if rest, err := filepath.Rel(home, name); err == nil && home != "" && filepath.IsLocal(rest) {
		return "~/" + rest
	}
	return name
}

// publicHalf is the public key of an identity file: from name.pub, or from the
// private file itself, which has it in the open (PROTOCOL.key). nil is none.
func publicHalf(name string) ssh.PublicKey {
	if text := readSome(name + ".pub"); text != nil {
		if key, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
			return key
		}
	}
	file := readSome(name)
	defer clear(file)
	block, _ := pem.Decode(file)
	if block == nil || block.Type != "OPENSSH PRIVATE KEY" {
		if block != nil {
			clear(block.Bytes)
			return anyKey{}
		}
		return nil
	}
	defer clear(block.Bytes)
	body, ok := bytes.CutPrefix(block.Bytes, []byte("openssh-key-v1\x00"))
	var header struct {
		Cipher, KDF, Options string
		Keys                 uint32
		Public               []byte
		Private              []byte `ssh:"rest"`
	}
	if !ok || ssh.Unmarshal(body, &header) != nil {
		return nil
	}
	defer clear(header.Private)
	key, err := ssh.ParsePublicKey(bytes.Clone(header.Public))
	if err != nil {
		return nil
	}
	return key
}

// anyKey stands for the key of a file in an old format, of which none is on a
// security key.
type anyKey struct{ ssh.PublicKey }

func (anyKey) Type() string { return "" }

// readSome reads a file of reasonable size; nil is no such file.
func readSome(name string) []byte {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil // to open a FIFO would be to wait
	}
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil
	}
	return text
}

// agentKeys are the keys of the agent at a socket; nil where there is none.
func agentKeys(ctx context.Context, socket string) [][]byte {
	if socket == "" || socket == "none" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil
	}
	defer func() { _ = nc.Close() }()
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	listed, err := agent.NewClient(nc).List()
	if err != nil {
		return nil
	}
	var all [][]byte
	for _, key := range listed {
		all = append(all, key.Blob)
	}
	return all
}

func holds(held [][]byte, key ssh.PublicKey) bool {
	return slices.ContainsFunc(held, func(blob []byte) bool { return bytes.Equal(blob, key.Marshal()) })
}
