package control_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recordings is where package muxproto keeps what slaves of several releases of
// OpenSSH said to those releases' masters, and what these answered.
const recordings = "../../../muxproto/testdata/slaves"

// A release is the index of one release's recordings.
type release struct {
	name  string
	hello []byte            // its master's, with the frame's length
	names []string          // of recordings
	home  map[string]string // their folders
}

func releases(t *testing.T) []*release {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(recordings, "*", "index"))
	require.NoError(t, err)
	require.Len(t, paths, 4)
	var all []*release
	for _, path := range paths {
		r := &release{name: filepath.Base(filepath.Dir(path)), home: map[string]string{}}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch key {
			case "version":
			case "hello":
				r.hello, err = hex.DecodeString(value)
				require.NoError(t, err)
			default:
				r.names, r.home[key] = append(r.names, key), value
			}
		}
		all = append(all, r)
	}
	return all
}

// An event is a line of a recording: who, what, and its bytes or sort of file.
type event struct{ from, kind, detail string }

// frame is what travels, with its length.
func (e event) frame(t *testing.T) []byte {
	b, err := hex.DecodeString(e.detail)
	require.NoError(t, err)
	return b
}

func (r *release) load(t *testing.T, name string) []event {
	text, err := os.ReadFile(filepath.Join(recordings, r.home[name], name+".hex"))
	require.NoError(t, err)
	var events []event
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[1] == "fd", f[1] == "packet", f[1] == "end":
			events = append(events, event{f[0], f[1], strings.Join(f[2:], " ")})
		default:
			events = append(events, event{f[0], "frame", f[1]})
		}
	}
	require.NotEmpty(t, events)
	return events
}
