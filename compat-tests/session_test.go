package compat

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each behaviour of TestSession runs beside the others on one master.
func TestSession(t *testing.T) {
	behaviours := map[string]func(t *testing.T, m *Master){
		"command":                   commandOutput,
		"exit status":               exitStatus,
		"exit status, outputs gone": exitStatusWithOutputsClosed,
		"no status after a signal":  endedBySignal,
		"outputs apart":             outputsApart,
		"shell by stdin":            shellByStdin,
		"no stdin":                  noStdin,
		"stdin from a file":         stdinFromFile,
		"half-close":                halfClose,
		"six at once":               sixAtOnce,
		"arguments verbatim":        argumentsVerbatim,
		"environment":               environmentSent,
		"slow reader":               slowReader,
		"reader gone":               readerGone,
		"remote ends first":         remoteEndsFirst,
		"through -S":                throughDashS,
		"-N holds a shell":          dashNHoldsAShell,
	}
	setup := Setup{Client: []string{"SendEnv CT_*"}, Server: []string{"MaxSessions 40"}}
	forEachMaster(t, setup, func(t *testing.T, m *Master) {
		for name, behaviour := range behaviours {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				behaviour(t, m)
			})
		}
	})
}

func commandOutput(t *testing.T, m *Master) {
	r := m.Session(t, "echo hello")
	require.Equal(t, Result{Stdout: "hello\n"}, r)
}

func exitStatus(t *testing.T, m *Master) {
	for _, code := range []int{0, 1, 4, 5, 44, 255} {
		r := m.Session(t, "exit "+strconv.Itoa(code))
		require.Equal(t, Result{Code: code}, r)
	}
}

// The exit statuses of OpenSSH's regress/multiplex.sh, whose commands close their outputs early.
func exitStatusWithOutputsClosed(t *testing.T, m *Master) {
	for _, code := range []int{0, 1, 4, 5, 44} {
		r := m.Session(t, fmt.Sprintf("exec >/dev/null 2>&-; sleep 0.1; exit %d", code))
		require.Equal(t, Result{Code: code}, r)
		r = m.Session(t, fmt.Sprintf("exec >&- 2>&-; sleep 0.1; exit %d", code))
		require.Equal(t, Result{Code: code}, r)
	}
}

func endedBySignal(t *testing.T, m *Master) {
	require.Equal(t, 255, m.Session(t, "kill -KILL $$").Code)
}

func outputsApart(t *testing.T, m *Master) {
	r := m.Session(t, "for i in 1 2 3; do echo out$i; echo err$i >&2; done; exit 3")
	require.Equal(t, Result{Stdout: "out1\nout2\nout3\n", Stderr: "err1\nerr2\nerr3\n", Code: 3}, r)
}

func shellByStdin(t *testing.T, m *Master) {
	r := run(t, Command{Args: m.SSH("-T", Target), Stdin: strings.NewReader("echo from-$((40+2))\nexit 9\n")})
	require.Contains(t, r.Stdout, "from-42\n")
	require.Equal(t, 9, r.Code)
}

func noStdin(t *testing.T, m *Master) {
	r := run(t, Command{Args: m.SSH("-n", Target, "cat; echo ended"), Stdin: strings.NewReader("not sent")})
	require.Equal(t, Result{Stdout: "ended\n"}, r)
}

func stdinFromFile(t *testing.T, m *Master) {
	path := write(t, filepath.Join(t.TempDir(), "in"), 0o600, strings.Repeat("line of a file\n", 10_000))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	r := run(t, Command{Args: m.SSH(Target, "wc -c"), Stdin: file})
	require.Equal(t, "150000", strings.TrimSpace(r.Stdout))
	offset, err := file.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	require.EqualValues(t, 150_000, offset, "the caller's file offset has moved with what was sent")
}

// halfClose: the end of stdin reaches the far side while output still flows.
func halfClose(t *testing.T, m *Master) {
	r := run(t, Command{Args: m.SSH(Target, "cat >/dev/null; sleep 0.1; echo after; exit 6"), Stdin: strings.NewReader("x")})
	require.Equal(t, Result{Stdout: "after\n", Code: 6}, r)
}

func sixAtOnce(t *testing.T, m *Master) {
	type ended struct {
		r   Result
		err error
	}
	results := make([]chan ended, 6)
	for i := range results {
		results[i] = make(chan ended, 1)
		c := Command{
			Args:  m.SSH(Target, fmt.Sprintf("cat; exit %d", i)),
			Stdin: strings.NewReader(strings.Repeat(strconv.Itoa(i), 300_000)),
		}
		go func() {
			r, err := c.run()
			results[i] <- ended{r, err}
		}()
	}
	for i := range results {
		e := <-results[i]
		require.NoError(t, e.err)
		require.Equal(t, i, e.r.Code)
		require.True(t, e.r.Stdout == strings.Repeat(strconv.Itoa(i), 300_000), "session %d got other bytes", i)
	}
}

func argumentsVerbatim(t *testing.T, m *Master) {
	require.Equal(t, "\xff\xfe ü  two\n", m.Session(t, "printf '%s\\n' '\xff\xfe ü  two'").Stdout)
	long := strings.Repeat("a", 100_000)
	require.Equal(t, "100000\n", m.Session(t, "printf %s "+long+" | wc -c").Stdout)
}

func environmentSent(t *testing.T, m *Master) {
	r := run(t, Command{
		Args: m.SSH(Target, `echo "$CT_ONE|$CT_EMPTY|${OTHER-unset}"; env | grep -c CT_`),
		Env:  []string{"CT_ONE=1 = one", "CT_EMPTY=", "OTHER=x"},
	})
	require.Equal(t, "1 = one||unset\n2\n", r.Stdout)
}

// slowReader: a caller that reads late still gets every byte, and the exit status after them.
func slowReader(t *testing.T, m *Master) {
	const size = 8 << 20
	cmd := exec.Command("ssh", m.SSH(Target, fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x; exit 7", size))[1:]...)
	cmd.Env = environment()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	time.Sleep(200 * time.Millisecond) // not for readiness: the pipe and the window fill up meanwhile
	content, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Error(t, cmd.Wait())
	require.Equal(t, 7, exitCode(cmd.ProcessState))
	require.Len(t, content, size)
	require.Equal(t, size, bytes.Count(content, []byte("x")))
}

// readerGone: when the reader of stdout has gone, stdin still flows and the status still arrives.
func readerGone(t *testing.T, m *Master) {
	mark := filepath.Join(t.TempDir(), "stdin")
	read, written, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command("ssh", m.SSH(Target, fmt.Sprintf("head -c 100; cat >%s; echo lost; exit 8", mark))[1:]...)
	cmd.Env, cmd.Stdout = environment(), written
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	p := start(t, cmd)
	require.NoError(t, written.Close())
	_, err = io.WriteString(stdin, strings.Repeat("a", 100))
	require.NoError(t, err)
	_, err = io.ReadFull(read, make([]byte, 100))
	require.NoError(t, err)
	require.NoError(t, read.Close())
	_, err = io.WriteString(stdin, "still here")
	require.NoError(t, err)
	require.NoError(t, stdin.Close())
	require.Equal(t, 8, p.Wait(t))
	content, err := os.ReadFile(mark)
	require.NoError(t, err)
	require.Equal(t, "still here", string(content))
}

// remoteEndsFirst: the session ends with the remote command although the caller's stdin stays open.
func remoteEndsFirst(t *testing.T, m *Master) {
	read, written, err := os.Pipe()
	require.NoError(t, err)
	defer written.Close()
	defer read.Close()
	require.Equal(t, Result{Stdout: "x\n", Code: 2}, run(t, Command{Args: m.SSH(Target, "echo x; exit 2"), Stdin: read}))
}

func throughDashS(t *testing.T, m *Master) {
	bare := write(t, filepath.Join(t.TempDir(), "config"), 0o600, "Host *\nHostName 127.0.0.1\nPort 1\n")
	r := run(t, Command{Args: []string{"ssh", "-F", bare, "-S", m.Control, "any-name", "echo by-path"}})
	require.Equal(t, Result{Stdout: "by-path\n"}, r)
}

// dashNHoldsAShell: `ssh -N` on a master opens a shell and holds it until it is ended.
func dashNHoldsAShell(t *testing.T, m *Master) {
	cmd := exec.Command("ssh", m.SSH("-N", Target)[1:]...)
	cmd.Env = environment()
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	p := start(t, cmd)
	mark := filepath.Join(t.TempDir(), "ran")
	_, err = fmt.Fprintf(stdin, ": >%s; exit 5\n", mark)
	require.NoError(t, err)
	require.Equal(t, 5, p.Wait(t))
	require.True(t, exists(mark))
}

// TestGigabyteOfStdin pushes 1 GB through a session and has the far side say its hash.
func TestGigabyteOfStdin(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 1 GB through each master")
	}
	forEachMaster(t, Setup{Plain: true}, func(t *testing.T, m *Master) {
		sum := sha256.New()
		stdin := io.TeeReader(newNoise(1<<30), sum)
		r := run(t, Command{Args: m.SSH(Target, "sha256sum; exit 3"), Stdin: stdin, Timeout: 3 * time.Minute})
		require.Equal(t, fmt.Sprintf("%x  -\n", sum.Sum(nil)), r.Stdout)
		require.Equal(t, 3, r.Code)
	})
}

// noise is cheap: one random block whose first bytes count, so that a block lost, doubled or moved changes the hash.
type noise struct {
	block []byte
	next  []byte // what is left of the current block
	left  int    // blocks after it
}

func newNoise(size int) io.Reader {
	n := &noise{block: make([]byte, 1<<20), left: size >> 20}
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(n.block)
	return n
}

func (n *noise) Read(p []byte) (int, error) {
	if len(n.next) == 0 {
		if n.left == 0 {
			return 0, io.EOF
		}
		copy(n.block, fmt.Sprintf("%08d", n.left))
		n.left--
		n.next = n.block
	}
	c := copy(p, n.next)
	n.next = n.next[c:]
	return c, nil
}
