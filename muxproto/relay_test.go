package muxproto_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// A relay stands between one slave and a master and records both. What one of
// them says is recorded before the other gets it, so that the order of the
// recording is that of cause and effect and the same in every run.
type relay struct {
	listener *net.UnixListener
	master   string // its socket
	done     chan struct{}

	mu       sync.Mutex
	attached bool
	hello    []byte // the master's
	record   recording
	files    []syscall.Stat_t // of the descriptors of the latest request
	opened   bool             // a session was
	left     bool             // the slave did
	proxy    bool             // the slave asked for it
	err      error
}

// newRelay listens at path for a slave of the master at another.
func newRelay(t testing.TB, path, master string) *relay {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	r := &relay{listener: l, master: master, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.fail(r.serve())
	}()
	return r
}

// stop is called when the slave has ended. It tells whether there was one.
func (r *relay) stop(t testing.TB) bool {
	require.NoError(t, r.listener.Close())
	<-r.done
	require.NoError(t, r.err)
	return r.attached
}

func (r *relay) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && !errors.Is(err, net.ErrClosed) {
		r.err = err
	}
}

func (r *relay) serve() error {
	sock, err := r.listener.AcceptUnix()
	if err != nil {
		return err
	}
	slave := muxproto.NewConn(sock)
	defer slave.Close()
	r.attached = true
	upstream, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: r.master, Net: "unix"})
	if err != nil {
		return err
	}
	master := muxproto.NewConn(upstream)
	defer master.Close()
	for _, c := range []*muxproto.Conn{slave, master} {
		_ = c.SetDeadline(time.Now().Add(patience))
	}
	if err := r.hellos(slave, master); err != nil {
		return err
	}
	var down sync.WaitGroup
	down.Go(func() {
		r.fail(r.down(slave, master))
		_ = slave.Close()
	})
	r.fail(r.up(slave, master))
	_ = master.Close()
	down.Wait()
	return nil
}

// hellos lets both greet, the slave first. The master's is kept apart.
func (r *relay) hellos(slave, master *muxproto.Conn) error {
	frame, err := readFrame(slave.UnixConn())
	if err != nil {
		return err
	}
	if err := r.frame(">", frame, muxproto.DecodeRequest); err != nil {
		return err
	}
	if _, err := master.UnixConn().Write(frame); err != nil {
		return err
	}
	if r.hello, err = readFrame(master.UnixConn()); err != nil {
		return err
	}
	_, err = slave.UnixConn().Write(r.hello)
	return err
}

// up carries requests with their descriptors until the slave leaves.
func (r *relay) up(slave, master *muxproto.Conn) error {
	for {
		frame, err := readFrame(slave.UnixConn())
		if err != nil {
			r.mu.Lock()
			r.left = true
			r.mu.Unlock()
			return nil
		}
		if r.proxying() {
			r.add(event{from: ">", kind: "packet", frame: frame, note: fmt.Sprintf("SSH message %d", frame[5])})
		} else if err := r.frame(">", frame, muxproto.DecodeRequest); err != nil {
			return err
		}
		if _, err := master.UnixConn().Write(frame); err != nil {
			return err
		}
		for range r.expected(frame) {
			if err := r.descriptor(slave, master); err != nil {
				return err
			}
		}
	}
}

// expected is how many descriptors follow a frame.
func (r *relay) expected(frame []byte) int {
	r.files = nil
	if m, err := muxproto.DecodeRequest(frame[4:]); err == nil {
		return descriptors([]muxproto.Message{m})
	}
	return 0
}

func (r *relay) descriptor(slave, master *muxproto.Conn) error {
	fd, err := slave.ReceiveFD()
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	file, err := r.describe(fd)
	if err != nil {
		return err
	}
	r.add(event{from: ">", kind: "fd", file: file})
	return master.SendFD(fd)
}

// describe says what sort of file a descriptor is, or which one of the same
// request was the same file.
func (r *relay) describe(fd int) (string, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return "", err
	}
	var null syscall.Stat_t
	if err := syscall.Stat(os.DevNull, &null); err != nil {
		return "", err
	}
	mode := uint32(st.Mode) & syscall.S_IFMT
	kind := map[uint32]string{
		syscall.S_IFIFO: "pipe", syscall.S_IFSOCK: "socket", syscall.S_IFREG: "file", syscall.S_IFCHR: "tty",
	}[mode]
	if mode == syscall.S_IFCHR && st.Rdev == null.Rdev {
		kind = "null"
	}
	for i, earlier := range r.files {
		if kind != "null" && st.Dev == earlier.Dev && st.Ino == earlier.Ino {
			kind = fmt.Sprintf("as %d", i)
			break
		}
	}
	r.files = append(r.files, st)
	return kind, nil
}

// down carries replies until the master ends the connection.
func (r *relay) down(slave, master *muxproto.Conn) error {
	for {
		frame, err := readFrame(master.UnixConn())
		if err != nil {
			r.end()
			return nil
		}
		if r.proxyAnswered() {
			r.add(event{from: "<", kind: "packet", frame: frame, note: fmt.Sprintf("SSH message %d", frame[5])})
		} else if err := r.frame("<", frame, muxproto.DecodeReply); err != nil {
			return err
		}
		if _, err := slave.UnixConn().Write(frame); err != nil {
			return nil // it left
		}
	}
}

// end notes that the master ended the connection. Where it does so because of
// an error or its own end, a slave does the same at the same time.
func (r *relay) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opened && !r.left {
		r.record.events = append(r.record.events, event{from: "<", kind: "end"})
	}
}

func (r *relay) proxying() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proxy
}

// proxyAnswered says whether the master's answer to PROXY was recorded.
func (r *relay) proxyAnswered() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proxy && r.record.count("") > 2
}

// frame records a message, which must decode and encode again.
func (r *relay) frame(from string, frame []byte, decode func([]byte) (muxproto.Message, error)) error {
	m, err := decode(frame[4:])
	if err != nil {
		return err
	}
	if again := muxproto.Append(nil, m); string(again) != string(frame) {
		return fmt.Errorf("%x became %x", frame, again)
	}
	r.mu.Lock()
	switch m.(type) {
	case *muxproto.SessionOpened:
		r.opened = true
	case *muxproto.Proxy:
		r.proxy = true
	}
	r.mu.Unlock()
	mask(m)
	r.add(event{from: from, frame: muxproto.Append(nil, m), note: muxproto.Describe(m)})
	return nil
}

func (r *relay) add(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.record.events = append(r.record.events, e)
}

// What recordings have in place of the numbers that a master chooses: they
// differ from run to run.
const (
	maskedPID     = 4242
	maskedPort    = 4711
	maskedSession = 2
)

var (
	digits = regexp.MustCompile(`\d+`)
	onHost = regexp.MustCompile(` for \S+ pid `)
)

func mask(m muxproto.Message) {
	switch m := m.(type) {
	case *muxproto.Alive:
		m.PID = maskedPID
	case *muxproto.RemotePort:
		m.Port = maskedPort
	case *muxproto.SessionOpened:
		m.SessionID = maskedSession
	case *muxproto.ExitMessage:
		m.SessionID = maskedSession
	case *muxproto.TTYAllocFail:
		m.SessionID = maskedSession
	case *muxproto.InfoReply:
		m.Text = onHost.ReplaceAllString(digits.ReplaceAllString(m.Text, "0"), " for host pid ")
	}
}
