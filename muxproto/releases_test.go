package muxproto_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// slavesDir has a folder for each release of OpenSSH that was recorded.
const slavesDir = "slaves"

// A release is what one release of OpenSSH said: its slaves to its own master,
// and that master to them.
//
// Its folder has a file "index" with the release's version, the HELLO of its
// master, and a line for each recording: its name and the folder where it is.
// A recording that is the same as an older release's is not kept again: the
// index names the older folder. That is possible because what differs between
// any two runs is masked (see mask), and because the master's HELLO, which
// differs between releases, is kept in the index alone.
type release struct {
	name       string // such as 10.6
	version    string // what `ssh -V` prints
	hello      []byte // frame
	recordings map[string]*recording
	home       map[string]string // folder of each recording
}

// loadReleases loads all releases, the oldest first.
func loadReleases(t testing.TB) []*release {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", slavesDir, "*", "index"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	var releases []*release
	for _, p := range paths {
		releases = append(releases, loadRelease(t, p))
	}
	sortReleases(releases)
	return releases
}

func loadRelease(t testing.TB, index string) *release {
	t.Helper()
	r := &release{name: filepath.Base(filepath.Dir(index)), recordings: map[string]*recording{}, home: map[string]string{}}
	text, err := os.ReadFile(index)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "version":
			r.version = value
		case "hello":
			r.hello, err = hex.DecodeString(value)
			require.NoError(t, err)
		default:
			r.recordings[key] = load(t, filepath.Join(slavesDir, value), key)
			r.home[key] = value
		}
	}
	return r
}

// distinct are the recordings of all releases, each once.
func distinct(t testing.TB) []*recording {
	var all []*recording
	for _, release := range loadReleases(t) {
		for name, r := range release.recordings {
			if release.home[name] == release.name {
				all = append(all, r)
			}
		}
	}
	return all
}

// saveReleases writes testdata anew.
func saveReleases(t testing.TB, releases []*release) {
	sortReleases(releases)
	require.NoError(t, os.RemoveAll(filepath.Join("testdata", slavesDir)))
	kept := map[string]string{} // folder of a recording's file by its name and content
	for _, r := range releases {
		index := new(bytes.Buffer)
		fmt.Fprintf(index, "version %s\nhello %x\n", r.version, r.hello)
		for _, name := range sortedNames(r.recordings) {
			key := name + "\n" + string(r.recordings[name].text())
			if kept[key] == "" {
				kept[key] = r.name
				r.recordings[name].save(t, filepath.Join(slavesDir, r.name))
			}
			fmt.Fprintf(index, "%s %s\n", name, kept[key])
		}
		write(t, filepath.Join("testdata", slavesDir, r.name, "index"), index.Bytes())
	}
}

func sortedNames(m map[string]*recording) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// sortReleases puts 9.2 before 10.0.
func sortReleases(releases []*release) {
	number := func(r *release) float64 {
		n, _ := strconv.ParseFloat(r.name, 64)
		return n
	}
	slices.SortFunc(releases, func(a, b *release) int { return int(100 * (number(a) - number(b))) })
}
