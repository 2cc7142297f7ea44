package proxy_test

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
)

// bulk is how much is moved each way, in bytes.
const bulk = 64 << 20

// noise is n bytes that are easy to make and hard to guess; sum hashes what was
// read.
func noise(n int64) (r io.Reader, sum hash.Hash) {
	sum = sha256.New()
	return io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), n), sum), sum
}

// hashOf reads to the end.
func hashOf(r io.Reader) (string, error) {
	sum := sha256.New()
	_, err := io.Copy(sum, r)
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}

// moveBoth sends n bytes through a remote cat and back and compares.
func moveBoth(c *ssh.Client, n int64) error {
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	in, _ := s.StdinPipe()
	out, _ := s.StdoutPipe()
	if err := s.Start("cat"); err != nil {
		return err
	}
	source, sum := noise(n)
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(in, source)
		in.Close()
		sent <- err
	}()
	got, err := hashOf(out)
	if err != nil {
		return err
	}
	if err := <-sent; err != nil {
		return err
	}
	if want := fmt.Sprintf("%x", sum.Sum(nil)); got != want {
		return fmt.Errorf("what came back is not what was sent")
	}
	return s.Wait()
}

// echoes has a session echo lines until stop is closed.
func echoes(c *ssh.Client, stop <-chan struct{}) error {
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	in, _ := s.StdinPipe()
	out, _ := s.StdoutPipe()
	if err := s.Start("cat"); err != nil {
		return err
	}
	for i := 0; ; i++ {
		select {
		case <-stop:
			in.Close()
			return s.Wait()
		default:
		}
		line := fmt.Sprintf("%08d\n", i)
		io.WriteString(in, line)
		back := make([]byte, len(line))
		if _, err := io.ReadFull(out, back); err != nil || string(back) != line {
			return fmt.Errorf("%q for %q: %w", back, line, err)
		}
	}
}

func TestBulkBesideEchoes(t *testing.T) {
	m := newMaster(t, sshtest.NoLog())
	c, other := m.client(t), m.client(t)
	stop := make(chan struct{})
	results := make(chan error, 8)
	for i := range 8 {
		go func() { results <- echoes([]*ssh.Client{c, other}[i%2], stop) }()
	}
	require.NoError(t, moveBoth(c, bulk))
	close(stop)
	for range 8 {
		require.NoError(t, <-results)
	}
	m.idle(t)
}

// All output comes before the end, and both streams whole.
func TestBothOutputs(t *testing.T) {
	m := newMaster(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		var writing sync.WaitGroup
		for _, w := range []io.Writer{s, s.Stderr()} {
			writing.Go(func() {
				source, _ := noise(5 << 20)
				io.Copy(w, source)
			})
		}
		writing.Wait()
		s.Exit(3)
	}))
	s := session(t, m.client(t))
	out, _ := s.StdoutPipe()
	stderr, _ := s.StderrPipe()
	require.NoError(t, s.Start("both"))
	source, sum := noise(5 << 20)
	io.Copy(io.Discard, source)
	want := fmt.Sprintf("%x", sum.Sum(nil))
	var got [2]string
	var reading sync.WaitGroup
	for i, r := range []io.Reader{out, stderr} {
		reading.Go(func() { got[i], _ = hashOf(r) })
	}
	reading.Wait()
	require.Equal(t, [2]string{want, want}, got)
	var exit *ssh.ExitError
	require.ErrorAs(t, s.Wait(), &exit)
	require.Equal(t, 3, exit.ExitStatus())
}

// heap is the memory in use, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A slave that reads nothing of what it asked for, on 8 channels.
func TestStalledReader(t *testing.T) {
	m := newMaster(t, sshtest.NoLog())
	before := heap()
	r := newRaw(t, m)
	ids := make([]uint32, 8)
	for i := range ids {
		ids[i] = r.open(t, "session")
	}
	for _, id := range ids {
		r.send(t, requestMsg{id, "exec", false, ssh.Marshal(struct{ C string }{"yes"})})
	}
	other := m.client(t)
	require.NoError(t, moveBoth(other, bulk/8))
	// The link itself keeps 2 MiB for each of them, and there are three other
	// parties in this process.
	require.Less(t, heap()-before, int64(48<<20))

	s := session(t, other)
	out, err := s.Output("echo past it")
	require.NoError(t, err)
	require.Equal(t, "past it\n", string(out))
	require.NoError(t, r.Close())
	require.NoError(t, <-r.served)
	m.idle(t)
}

// A slave that reads its socket and opens no window on one channel.
func TestStalledChannel(t *testing.T) {
	m := newMaster(t, sshtest.NoLog())
	c := m.client(t)
	stuck := session(t, c)
	_, err := stuck.StdoutPipe() // which nobody reads
	require.NoError(t, err)
	require.NoError(t, stuck.Start("yes"))
	require.NoError(t, moveBoth(c, bulk/8))
	// And one whose host reads nothing.
	deaf := session(t, c)
	in, err := deaf.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, deaf.Start("sleep"))
	go io.Copy(in, zeroes{})
	require.NoError(t, moveBoth(c, bulk/8))
	require.NoError(t, stuck.Close())
	require.NoError(t, deaf.Close())
	m.idle(t)
}

// Windows and packets of any size, down to one byte.
func TestSmallWindows(t *testing.T) {
	m := newMaster(t)
	r := newRaw(t, m)
	for _, size := range []uint32{1, 7, 1000} {
		r.send(t, openMsg{"session", 42, 0, size, nil})
		var confirmed confirmMsg
		r.next(t, &confirmed)
		id := confirmed.Sender
		r.send(t, requestMsg{id, "exec", false, ssh.Marshal(struct{ C string }{"yes 5000"})})
		got := 0
		for done := false; !done; {
			r.send(t, adjustMsg{id, size + 1})
			for left := int(min(size+1, uint32(5000-got))); left > 0; {
				p, err := r.ReadPacket(nil)
				require.NoError(t, err)
				var data dataMsg
				if ssh.Unmarshal(p, &data) != nil {
					require.Contains(t, []byte{98}, p[0])
					continue
				}
				require.LessOrEqual(t, len(data.Data), int(size))
				left -= len(data.Data)
				got += len(data.Data)
				require.GreaterOrEqual(t, left, 0)
			}
			done = got == 5000
		}
		for kind := byte(0); kind != 97; {
			p, err := r.ReadPacket(nil)
			require.NoError(t, err)
			kind = p[0]
		}
		r.send(t, closeMsg{id})
	}
	r.Close()
	require.NoError(t, <-r.served)
}

// A slave gets window back as the host takes the data, and in large pieces.
func TestCreditIsCoalesced(t *testing.T) {
	m := newMaster(t, sshtest.NoLog())
	r := newRaw(t, m)
	r.send(t, openMsg{"session", 42, 1 << 20, 1 << 15, nil})
	var confirmed confirmMsg
	r.next(t, &confirmed)
	r.send(t, requestMsg{confirmed.Sender, "exec", false, ssh.Marshal(struct{ C string }{"count"})})
	window, adjusts, total := int(confirmed.Window), 0, 8<<20
	block := make([]byte, 1000)
	for sent := 0; sent < total; {
		for window < len(block) {
			var adjust adjustMsg
			r.next(t, &adjust)
			window += int(adjust.More)
			adjusts++
		}
		r.send(t, dataMsg{confirmed.Sender, block})
		window -= len(block)
		sent += len(block)
	}
	require.Less(t, adjusts, 100)
	r.Close()
	require.NoError(t, <-r.served)
	m.idle(t)
}
