package control_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// files are the slave's ends of its descriptors, and the tests' other ends.
type files struct {
	passed []*os.File
	kinds  []string
	others []*os.File // to read from, nil where there is nothing to read
}

// open makes a descriptor of a sort that a slave passed, to be lent.
func (f *files) open(t *testing.T, kind string) int {
	t.Helper()
	var ours, theirs *os.File
	var err error
	switch kind {
	case "pipe":
		if len(f.passed) == 0 {
			theirs, ours, err = os.Pipe()
		} else {
			ours, theirs, err = os.Pipe()
		}
	case "socket":
		ours, theirs = socketPair(t)
	case "tty":
		ours, theirs, err = pty.Open()
		require.NoError(t, pty.Setsize(ours, &pty.Winsize{Cols: 80, Rows: 24}))
	case "null":
		theirs, err = os.Open(os.DevNull)
	case "file":
		path := shortDir(t) + "/in"
		require.NoError(t, os.WriteFile(path, []byte(golden), 0o600))
		theirs, err = os.Open(path)
	case "as 0":
		theirs = f.passed[0]
	default:
		t.Fatalf("no descriptor like %q", kind)
	}
	require.NoError(t, err)
	for _, file := range []*os.File{ours, theirs} {
		if file != nil {
			t.Cleanup(func() { file.Close() })
		}
	}
	if len(f.passed) == 0 && ours != nil {
		io.WriteString(ours, golden)
	}
	f.passed, f.kinds, f.others = append(f.passed, theirs), append(f.kinds, kind), append(f.others, ours)
	return int(theirs.Fd())
}

func socketPair(t *testing.T) (a, b *os.File) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
}

// check reads what the session wrote, to the end: the master holds none of its
// descriptors any more.
func (f *files) check(t *testing.T, ran bool) {
	for _, file := range f.passed {
		file.Close()
	}
	if len(f.passed) == 0 {
		return
	}
	out, errs := f.read(1), ""
	if len(f.passed) == 3 {
		errs = f.read(2)
	}
	switch {
	case !ran:
	case f.kinds[0] == "tty":
		require.Contains(t, out, strings.TrimSpace(goldenOut))
		require.Contains(t, out, strings.TrimSpace(goldenError))
	default:
		require.Equal(t, goldenOut, out)
		if len(f.passed) == 3 {
			require.Contains(t, errs, goldenError)
			require.NotContains(t, errs, "input is")
		}
	}
}

// read reads everything that came to a descriptor.
func (f *files) read(i int) string {
	from := f.others[i]
	if f.kinds[i] == "as 0" {
		from = f.others[0]
	}
	if from == nil {
		return ""
	}
	all, _ := io.ReadAll(from) // a terminal whose other end is closed gives an error
	return string(all)
}
