package muxproto_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// update makes the recording tests write what they recorded to testdata.
var update = flag.Bool("update", false, "record testdata again from this machine's ssh and sshd")

// A recording is what one side of a control connection sent. Its file has one
// line of hexadecimal a frame, "fd" for a descriptor, "packet" and hexadecimal
// for an SSH packet with its header, and comments after #.
type recording struct {
	name   string
	origin string // where it comes from
	events []event
}

type event struct {
	kind  string // "", "fd" or "packet"
	frame []byte // with its length
	note  string
}

func (r *recording) add(kind string, frame []byte, note string) {
	r.events = append(r.events, event{kind, frame, note})
}

// frames are the frames of messages, with their lengths.
func (r *recording) frames() [][]byte {
	var frames [][]byte
	for _, e := range r.events {
		if e.kind == "" {
			frames = append(frames, e.frame)
		}
	}
	return frames
}

// count tells how many events of a kind there are.
func (r *recording) count(kind string) int {
	n := 0
	for _, e := range r.events {
		if e.kind == kind {
			n++
		}
	}
	return n
}

func (r *recording) path(dir string) string {
	return filepath.Join("testdata", dir, r.name+".hex")
}

func (r *recording) save(t testing.TB, dir string) {
	t.Helper()
	b := new(bytes.Buffer)
	fmt.Fprintf(b, "# %s\n", r.origin)
	for _, e := range r.events {
		line := strings.TrimSpace(e.kind + " " + hex.EncodeToString(e.frame))
		fmt.Fprintf(b, "%s # %s\n", line, e.note)
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(r.path(dir)), 0o755))
	require.NoError(t, os.WriteFile(r.path(dir), b.Bytes(), 0o644))
}

func load(t testing.TB, dir, name string) *recording {
	t.Helper()
	r := &recording{name: name}
	text, err := os.ReadFile(r.path(dir))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		line, note, _ := strings.Cut(line, "#")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
			continue
		case fields[0] == "fd":
			r.add("fd", nil, note)
		default:
			frame, err := hex.DecodeString(fields[len(fields)-1])
			require.NoError(t, err, "%s: %s", name, line)
			r.add(strings.Join(fields[:len(fields)-1], " "), frame, note)
		}
	}
	return r
}

// loadAll loads a folder of testdata.
func loadAll(t testing.TB, dir string) []*recording {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.hex"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	var all []*recording
	for _, p := range paths {
		all = append(all, load(t, dir, strings.TrimSuffix(filepath.Base(p), ".hex")))
	}
	return all
}

// sides are the folders of testdata with their decoders.
var sides = []struct {
	dir    string
	decode func([]byte) (muxproto.Message, error)
	read   func(*muxproto.Conn) (muxproto.Message, error)
}{
	{"requests", muxproto.DecodeRequest, (*muxproto.Conn).ReadRequest},
	{"replies", muxproto.DecodeReply, (*muxproto.Conn).ReadReply},
}

// TestGoldenFrames: what OpenSSH sent decodes, and encodes to the same bytes.
func TestGoldenFrames(t *testing.T) {
	for _, side := range sides {
		for _, r := range loadAll(t, side.dir) {
			for _, frame := range r.frames() {
				require.Equal(t, len(frame)-4, int(binary.BigEndian.Uint32(frame)), r.name)
				m, err := side.decode(frame[4:])
				require.NoError(t, err, r.name)
				require.Equal(t, frame, muxproto.Append(nil, m), "%s: %s", r.name, muxproto.Describe(m))
			}
		}
	}
}

// TestEveryTypeHasAGoldenFrame keeps the table of messages and testdata in step.
func TestEveryTypeHasAGoldenFrame(t *testing.T) {
	seen := map[string]map[muxproto.Type]bool{}
	for _, side := range sides {
		seen[side.dir] = map[muxproto.Type]bool{}
		for _, r := range loadAll(t, side.dir) {
			for _, frame := range r.frames() {
				seen[side.dir][muxproto.Type(binary.BigEndian.Uint32(frame[4:]))] = true
			}
		}
	}
	for _, typ := range muxproto.Types() {
		if typ.Direction()&muxproto.ToMaster != 0 {
			require.True(t, seen["requests"][typ], "no request %v in testdata", typ)
		}
		if typ.Direction()&muxproto.ToSlave != 0 {
			require.True(t, seen["replies"][typ], "no reply %v in testdata", typ)
		}
	}
}

// TestTruncatedBodies cuts every golden body at every byte. Only a list may end
// early, between two entries, and then it is what was left of it.
func TestTruncatedBodies(t *testing.T) {
	for _, side := range sides {
		for _, r := range loadAll(t, side.dir) {
			for _, frame := range r.frames() {
				body := frame[4:]
				for n := range body {
					m, err := side.decode(body[:n])
					if err != nil {
						require.ErrorIs(t, err, muxproto.ErrMalformed, "%s cut at %d", r.name, n)
						continue
					}
					require.Contains(t, []muxproto.Type{muxproto.TypeHello, muxproto.TypeNewSession}, m.MsgType(),
						"%s cut at %d", r.name, n)
					require.Equal(t, body[:n], muxproto.Append(nil, m)[4:])
				}
			}
		}
	}
}

// TestTruncatedFrames ends a connection at every byte of every golden frame.
func TestTruncatedFrames(t *testing.T) {
	noLeak(t, func() {
		for _, side := range sides {
			for _, r := range loadAll(t, side.dir) {
				for _, frame := range r.frames() {
					for n := range frame {
						truncatedFrame(t, side.read, frame[:n])
					}
				}
			}
		}
	})
}

func truncatedFrame(t *testing.T, read func(*muxproto.Conn) (muxproto.Message, error), cut []byte) {
	a, b := conns(t)
	defer b.Close()
	_, err := a.UnixConn().Write(cut)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	_, err = read(b)
	if len(cut) == 0 {
		require.Equal(t, "EOF", err.Error())
		return
	}
	require.Equal(t, "unexpected EOF", err.Error())
}
