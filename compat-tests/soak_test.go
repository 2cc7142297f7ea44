package compat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// soakTime is how long the soak takes: COMPAT_SOAK says so, else two minutes where COMPAT_LONG is set, else less.
func soakTime(t testing.TB) time.Duration {
	t.Helper()
	if given := os.Getenv("COMPAT_SOAK"); given != "" {
		d, err := time.ParseDuration(given)
		require.NoError(t, err, "COMPAT_SOAK")
		return d
	}
	if long() {
		return 2 * time.Minute
	}
	return 15 * time.Second
}

const (
	soakers = 6

	// soakPatience is longer than HoldTimeout, and what a dead link takes to be found, together.
	soakPatience = 90 * time.Second

	// Of the master in the end: what it holds beyond the one connection that it began with, and at most.
	soakLinks    = 3
	soakThreads  = 40
	soakResident = 120 << 20
)

// A soak is sessions and forwarded connections of all sorts, one after another and beside each other, while the network
// freezes, thaws, slows down and breaks at random. Each carries bytes of its own and verifies what comes back.
type soak struct {
	*faulty
	forward string // a local forward to an echo server
	until   time.Time

	mu       sync.Mutex
	rand     *rand.Rand     // guarded by mu
	counts   map[string]int // guarded by mu; how often what happened
	refusals []string       // guarded by mu; what clients said that the master has not served
	faults   atomic.Int64   // of the network
}

// No byte is wrong, no session neither ends nor lives, and the master holds in the end what it held.
func TestSoak(t *testing.T) {
	echo, local := echoServer(t), freePort(t)
	c := circumstances{
		Server:  []string{"MaxSessions 4"},
		Options: []string{"-o", "ServerAliveInterval=1", "-o", "HoldTimeout=1m", "-L", fmt.Sprintf("127.0.0.1:%d:%s", local, echo)},
	}
	ourFaulty(t, "it ends with its connection", c, func(t *testing.T, f *faulty) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		s := &soak{faulty: f, forward: loopback(local), until: time.Now().Add(soakTime(t)), rand: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{}}
		require.Equal(t, answered3, exchange("tcp", s.forward))
		before := warmUp(t, f.Master)
		failed := make(chan error, soakers+1)
		var all sync.WaitGroup
		all.Go(func() { failed <- s.weather() })
		for i := range soakers {
			all.Go(func() { failed <- s.work(i) })
		}
		all.Wait()
		for range soakers + 1 {
			require.NoError(t, <-failed)
		}
		t.Logf("%d faults: %v; %d logins", s.faults.Load(), s.counts, f.logins(t))
		for _, what := range []string{"echo", "status", "forward"} {
			require.NotZero(t, s.counts[what], what)
		}
		require.Empty(t, s.refusals)
		f.nobodyFellBack(t)
		for range 5 {
			require.Equal(t, Result{Stdout: "calm\n", Code: 4}, f.Session(t, "echo calm; exit 4"))
		}
		require.Equal(t, answered3, exchange("tcp", s.forward))
		before.Descriptors += soakLinks
		f.settles(t, before)
		after := resources(t, f.PID())
		t.Logf("before %+v, after %+v", before, after)
		require.LessOrEqual(t, after.Threads, soakThreads)
		require.LessOrEqual(t, after.Resident, soakResident)
	})
}

// chance is a number below n.
func (s *soak) chance(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rand.IntN(n)
}

func (s *soak) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// weather is the network's part. It leaves it as it should be.
func (s *soak) weather() error {
	for time.Now().Before(s.until) {
		var commands []string
		switch s.chance(6) {
		case 0:
			commands = []string{"cut"}
		case 1, 2:
			commands = []string{"freeze-present"}
		case 3:
			commands = []string{"freeze"}
		case 4:
			commands = []string{fmt.Sprintf("delay %dms", s.chance(100))}
		case 5:
			commands = []string{fmt.Sprintf("narrow %d", (1+s.chance(20))<<18)}
		}
		s.faults.Add(1)
		if err := s.tell(commands...); err != nil {
			return err
		}
		s.count(commands[0][:3])
		time.Sleep(time.Duration(100+s.chance(3000)) * time.Millisecond)
		if s.chance(3) > 0 {
			if err := s.tell("thaw", "delay 0s", "narrow 0"); err != nil {
				return err
			}
			time.Sleep(time.Duration(s.chance(2000)) * time.Millisecond)
		}
	}
	return s.tell("thaw", "delay 0s", "narrow 0")
}

func (s *soak) tell(commands ...string) error {
	for _, command := range commands {
		if answer, err := s.Relay.do("%s", command); err != nil || answer != "ok" {
			return fmt.Errorf("the relay does not %s: %s %w", command, answer, err)
		}
	}
	return nil
}

// work is one worker's part.
func (s *soak) work(number int) error {
	for round := 0; time.Now().Before(s.until); round++ {
		var err error
		switch s.chance(5) {
		case 0:
			err = s.status()
		case 1:
			err = s.connect()
		case 2:
			err = s.echo(number, round, true)
		default:
			err = s.echo(number, round, false)
		}
		if err != nil {
			return fmt.Errorf("worker %d, round %d: %w", number, round, err)
		}
	}
	return nil
}

// lost counts a session that ended as those do whose link is lost.
func (s *soak) lost(code int) error {
	if code != 255 {
		return fmt.Errorf("ended with %d", code)
	}
	s.count("lost")
	return nil
}

// hear keeps what a client said that was not served at all.
func (s *soak) hear(said string) {
	if !strings.Contains(said, "mux_client") && !strings.Contains(said, "request failed") {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals = append(s.refusals, time.Now().Format(time.TimeOnly)+" "+said)
}

// status is a command with a status of its own.
func (s *soak) status() error {
	want := Result{Stdout: "out\n", Stderr: "err\n", Code: s.chance(255)}
	r, err := Command{Args: s.SSH(Target, fmt.Sprintf("echo out; echo err >&2; exit %d", want.Code)), Timeout: soakPatience}.run()
	switch {
	case err != nil:
		return fmt.Errorf("a command: %w; %s", err, r.Stderr)
	case r == want:
		s.count("status")
		return nil
	}
	s.hear(r.Stderr)
	return s.lost(r.Code)
}

// connect is a connection through the local forward.
func (s *soak) connect() error {
	conn, err := net.Dial("tcp", s.forward)
	if err != nil {
		return fmt.Errorf("the local forward does not listen: %w", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(soakPatience))
	_, _ = io.WriteString(conn, "there and back\n")
	_ = conn.(*net.TCPConn).CloseWrite()
	said, err := io.ReadAll(conn)
	const whole = "welcome\nthere and back\nbye\n"
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("a forwarded connection hangs after %q", said)
	case !bytes.HasPrefix([]byte(whole), said):
		return fmt.Errorf("a forwarded connection carries %q", said)
	case string(said) == whole:
		s.count("forward")
	default:
		s.count("forward lost")
	}
	return nil
}

// echo is a session of cat, which moves some blocks and is then ended, or killed in the middle.
func (s *soak) echo(number, round int, kill bool) error {
	ends, err := s.startEcho(number, round)
	if err != nil {
		return err
	}
	defer ends.close()
	blocks := 1 + s.chance(40)
	moved := make(chan error, 1)
	go func() { moved <- ends.move(blocks) }()
	if kill {
		time.Sleep(time.Duration(s.chance(500)) * time.Millisecond)
		signals := []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL}
		_ = ends.cmd.Process.Signal(signals[s.chance(len(signals))])
	}
	select {
	case err = <-moved:
	case <-time.After(soakPatience):
		_ = ends.cmd.Process.Kill()
		return fmt.Errorf("an echo neither lives nor ends after %d bytes", ends.moved.Load())
	}
	var wrong wrongBytes
	if errors.As(err, &wrong) {
		return err
	}
	code, ended := ends.wait()
	if ended {
		s.hear(ends.said.String())
	}
	switch {
	case !ended:
		return fmt.Errorf("a client neither lives nor ends after %d bytes: %w", ends.moved.Load(), err)
	case kill && code != 3:
		s.count("killed")
		return nil
	case code == 3 && err != nil:
		return fmt.Errorf("ended as if all was well after %d bytes: %w", ends.moved.Load(), err)
	case code == 3:
		s.count("echo")
		return nil
	}
	return s.lost(code)
}

// echoEnds are a client that runs cat, and the ends of its input and output.
type echoEnds struct {
	cmd     *exec.Cmd
	in, out *os.File
	said    bytes.Buffer // read it when the client has ended
	noise   *rand.ChaCha8
	moved   atomic.Int64
	ended   chan struct{}
}

func (s *soak) startEcho(number, round int) (*echoEnds, error) {
	inRead, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer inRead.Close()
	out, outWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer outWrite.Close()
	args := s.SSH(Target, "cat; exit 3")
	e := &echoEnds{
		cmd: exec.Command(args[0], args[1:]...), in: in, out: out, ended: make(chan struct{}),
		noise: rand.NewChaCha8([32]byte{byte(number), byte(round), byte(round >> 8)}),
	}
	e.cmd.Env, e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = environment(), inRead, outWrite, &e.said
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = e.cmd.Wait()
		close(e.ended)
	}()
	return e, nil
}

// wrongBytes is what must never come.
type wrongBytes int64

func (n wrongBytes) Error() string { return fmt.Sprintf("wrong bytes after %d", int64(n)) }

// move sends blocks and compares what comes back, and then the end of it.
func (e *echoEnds) move(blocks int) error {
	sent, got := make([]byte, 16<<10), make([]byte, 16<<10)
	for range blocks {
		_, _ = e.noise.Read(sent)
		if _, err := e.in.Write(sent); err != nil {
			return err
		}
		n, err := io.ReadFull(e.out, got)
		if !bytes.Equal(sent[:n], got[:n]) {
			return wrongBytes(e.moved.Load())
		}
		e.moved.Add(int64(n))
		if err != nil {
			return err
		}
	}
	if err := e.in.Close(); err != nil {
		return err
	}
	if rest, err := io.ReadAll(e.out); err != nil || len(rest) > 0 {
		return fmt.Errorf("%d bytes after the last: %w", len(rest), errors.Join(err, wrongBytes(e.moved.Load())))
	}
	return nil
}

// wait returns the client's exit status.
func (e *echoEnds) wait() (code int, ended bool) {
	select {
	case <-e.ended:
		return exitCode(e.cmd.ProcessState), true
	case <-time.After(soakPatience):
		_ = e.cmd.Process.Kill()
		return 0, false
	}
}

func (e *echoEnds) close() {
	_, _ = e.in.Close(), e.out.Close()
	<-e.ended
}
