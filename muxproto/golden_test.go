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
var update = flag.Bool("update", false, "record testdata/replies again from this machine's ssh and sshd")

// A recording is what was sent on a control connection. Its file has one line
// an event: an arrow where both sides are recorded (> from the slave, < from
// the master), then a frame in hexadecimal, or "fd" and what sort of file the
// descriptor is, or "packet" and an SSH packet in hexadecimal with its header,
// or "end", where the master ends the connection. Comments begin with #.
type recording struct {
	name   string
	origin string // where it comes from
	events []event
}

type event struct {
	from  string // ">", "<", or "" in a recording of one side
	kind  string // "" for a frame, "fd", "packet" or "end"
	frame []byte // with its length
	file  string // of "fd"
	note  string
}

func (r *recording) add(kind string, frame []byte, note string) {
	r.events = append(r.events, event{kind: kind, frame: frame, note: note})
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

// text is the content of the recording's file.
func (r *recording) text() []byte {
	b := new(bytes.Buffer)
	fmt.Fprintf(b, "# %s\n", r.origin)
	for _, e := range r.events {
		for _, field := range []string{e.from, e.kind, e.file, hex.EncodeToString(e.frame), "# " + e.note} {
			if field != "" && field != "# " {
				b.WriteString(field + " ")
			}
		}
		b.Truncate(b.Len() - 1)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func (r *recording) save(t testing.TB, dir string) {
	t.Helper()
	write(t, filepath.Join("testdata", dir, r.name+".hex"), r.text())
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, content, 0o644))
}

func load(t testing.TB, dir, name string) *recording {
	t.Helper()
	r := &recording{name: name}
	text, err := os.ReadFile(filepath.Join("testdata", dir, name+".hex"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		line, note, _ := strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 0 {
			e, err := parseEvent(fields)
			require.NoError(t, err, "%s: %s", name, line)
			e.note = strings.TrimSpace(note)
			r.events = append(r.events, e)
		}
	}
	return r
}

func parseEvent(fields []string) (e event, err error) {
	if fields[0] == ">" || fields[0] == "<" {
		e.from, fields = fields[0], fields[1:]
	}
	switch {
	case fields[0] == "end":
		e.kind = "end"
	case fields[0] == "fd":
		e.kind, e.file = "fd", strings.Join(fields[1:], " ")
	default:
		e.kind = strings.Join(fields[:len(fields)-1], " ")
		e.frame, err = hex.DecodeString(fields[len(fields)-1])
	}
	return e, err
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

// A side is a direction of the connection with its decoders.
type side struct {
	name   string
	from   string // in recordings of both sides
	decode func([]byte) (muxproto.Message, error)
	read   func(*muxproto.Conn) (muxproto.Message, error)
}

var sides = []side{
	{"requests", ">", muxproto.DecodeRequest, (*muxproto.Conn).ReadRequest},
	{"replies", "<", muxproto.DecodeReply, (*muxproto.Conn).ReadReply},
}

// frames are all different frames that were ever recorded from this side.
func (s side) frames(t testing.TB) [][]byte {
	var frames [][]byte
	seen := map[string]bool{}
	add := func(frame []byte) {
		if !seen[string(frame)] {
			seen[string(frame)] = true
			frames = append(frames, frame)
		}
	}
	if s.name == "replies" {
		for _, r := range loadAll(t, "replies") {
			for _, frame := range r.frames() {
				add(frame)
			}
		}
	}
	for _, release := range loadReleases(t) {
		if s.name == "replies" {
			add(release.hello)
		}
		for _, r := range release.recordings {
			for _, e := range r.events {
				if e.kind == "" && e.from == s.from {
					add(e.frame)
				}
			}
		}
	}
	return frames
}

// TestGoldenFrames: what OpenSSH sent decodes, and encodes to the same bytes.
func TestGoldenFrames(t *testing.T) {
	for _, side := range sides {
		for _, frame := range side.frames(t) {
			require.Equal(t, len(frame)-4, int(binary.BigEndian.Uint32(frame)), "%x", frame)
			m, err := side.decode(frame[4:])
			require.NoError(t, err, "%x", frame)
			require.Equal(t, frame, muxproto.Append(nil, m), muxproto.Describe(m))
		}
	}
}

// TestEveryTypeHasAGoldenFrame keeps the table of messages and testdata in step.
func TestEveryTypeHasAGoldenFrame(t *testing.T) {
	seen := map[string]map[muxproto.Type]bool{}
	for _, side := range sides {
		seen[side.name] = map[muxproto.Type]bool{}
		for _, frame := range side.frames(t) {
			seen[side.name][muxproto.Type(binary.BigEndian.Uint32(frame[4:]))] = true
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
		for _, frame := range side.frames(t) {
			body := frame[4:]
			for n := range body {
				m, err := side.decode(body[:n])
				if err != nil {
					require.ErrorIs(t, err, muxproto.ErrMalformed, "%x cut at %d", body, n)
					continue
				}
				require.Contains(t, []muxproto.Type{muxproto.TypeHello, muxproto.TypeNewSession}, m.MsgType(), "%x cut at %d", body, n)
				require.Equal(t, body[:n], muxproto.Append(nil, m)[4:])
			}
		}
	}
}

// TestTruncatedFrames ends a connection at every byte of a golden frame of
// every type.
func TestTruncatedFrames(t *testing.T) {
	noLeak(t, func() {
		for _, side := range sides {
			done := map[muxproto.Type]bool{}
			for _, frame := range side.frames(t) {
				typ := muxproto.Type(binary.BigEndian.Uint32(frame[4:]))
				if done[typ] {
					continue
				}
				done[typ] = true
				for n := range frame {
					truncatedFrame(t, side.read, frame[:n])
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
