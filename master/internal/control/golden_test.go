package control_test

import (
	"context"
	"encoding/binary"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// TestGoldenSlaves plays every recorded slave to this master, which must answer
// with the frames that OpenSSH's master answered with, and run what it was
// asked to run. The slave waits for what the recorded one waited for.
func TestGoldenSlaves(t *testing.T) { playAll(t, (*replay).play) }

// At other paces than stock slaves have it must be the same.
func TestGoldenSlavesSentByteByByte(t *testing.T) { playAll(t, (*replay).playDribbling) }
func TestGoldenSlavesSentAhead(t *testing.T)      { playAll(t, (*replay).playAhead) }

// playAll plays what differs between releases, and of each release the slave
// that asks for nothing but a sign of life.
func playAll(t *testing.T, play func(*replay)) {
	warmUp(t)
	sshtest.NoLeaks(t)
	for _, release := range releases(t) {
		for _, name := range release.names {
			if release.home[name] == release.name || name == "check" {
				t.Run(release.name+"/"+name, func(t *testing.T) { play(newReplay(t, release, name)) })
			}
		}
	}
}

// warmUp makes the runtime open what it keeps open from the first pipe on, so
// that it does not count as a leak.
func warmUp(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, w.Close())
}

// A replay is one recorded slave at a master of this package.
type replay struct {
	t       *testing.T
	name    string
	events  []event
	hello   []byte
	master  *fakeMaster
	conn    *muxproto.Conn
	packets chan []byte // that the master received in PROXY mode
	files   files
	log     func() []string
	session *muxproto.NewSession // that was asked for
	ended   bool
}

// earlier are the recordings whose forwards another one is about.
var earlier = map[string]string{"some-again": "some", "some-other": "some", "some-cancelled": "some"}

func newReplay(t *testing.T, release *release, name string) *replay {
	r := &replay{t: t, name: name, events: release.load(t, name), hello: release.hello, packets: make(chan []byte, 100)}
	host := goldenHost(t, r)
	target := goldenTarget(t)
	forwards := new(goldenForwards)
	r.master = newMaster(t, "", func(c *control.Config) {
		c.Opener = on(&detour{Opener: host.Link(t, nil), target: target})
		c.Forwards = forwards
		c.SendEnv, c.SetEnv = []string{"CT_*"}, nil
		c.Agent = true
		c.Proxy = func(ctx context.Context, _ control.Wish, conn *muxproto.Conn) error { return r.proxy(ctx, conn) }
		c.Info = func(name string) (string, bool) {
			return map[string]string{"channels": r.master.server.Channels(), "connection": "about it"}[name], name != "nonsense"
		}
		if strings.HasPrefix(name, "denied") {
			c.Confirm = func(context.Context, string) bool { return false }
		}
	})
	if before, ok := earlier[name]; ok {
		for _, e := range release.load(t, before) {
			if m, err := muxproto.DecodeRequest(e.frame(t)[4:]); err == nil {
				if open, ok := m.(*muxproto.OpenForward); ok {
					_, err := forwards.Open(t.Context(), control.Wish{}, open.Forward)
					require.NoError(t, err)
				}
			}
		}
	}
	r.conn = r.master.raw(t)
	r.log = func() []string { return host.Log().Channel(1) }
	return r
}

// play follows the recording: the slave waits for what stock's waited for.
func (r *replay) play() {
	greeted := false
	for _, e := range r.events {
		switch {
		case e.from == ">":
			r.send(e)
			if !greeted {
				r.greeting()
				greeted = true
			}
		default:
			r.expect(e)
		}
	}
	r.checks()
}

// playDribbling sends byte by byte, without a look at the answers.
func (r *replay) playDribbling() {
	for _, e := range r.events {
		switch {
		case e.from == "<":
		case e.kind == "fd":
			r.send(e)
		default:
			r.note(e)
			for _, b := range e.frame(r.t) {
				r.write([]byte{b})
			}
		}
	}
	r.finish()
}

// playAhead sends everything at once, but for descriptors, which have a
// message of their own.
func (r *replay) playAhead() {
	var held []byte
	for _, e := range r.events {
		switch {
		case e.from == "<":
		case e.kind == "fd":
			r.write(held)
			held = nil
			r.send(e)
		default:
			r.note(e)
			held = append(held, e.frame(r.t)...)
		}
	}
	r.write(held)
	r.finish()
}

func (r *replay) write(b []byte) {
	if len(b) == 0 {
		return // even that tells an error when the master has left
	}
	_, err := r.conn.UnixConn().Write(b)
	require.NoError(r.t, err)
}

// finish compares the answers to all that was sent.
func (r *replay) finish() {
	r.greeting()
	for _, e := range r.events {
		if e.from == "<" {
			r.expect(e)
		}
	}
	r.checks()
}

// send sends what the slave sent.
func (r *replay) send(e event) {
	if e.kind == "fd" {
		require.NoError(r.t, r.conn.SendFD(r.files.open(r.t, e.detail)))
		return
	}
	r.note(e)
	r.write(e.frame(r.t))
}

// note remembers what sort of session is asked for.
func (r *replay) note(e event) {
	if m, err := muxproto.DecodeRequest(e.frame(r.t)[4:]); err == nil && e.kind == "frame" {
		if s, ok := m.(*muxproto.NewSession); ok {
			r.session = s
		}
	}
}

// greeting compares the master's HELLO. That of releases before 10.3 is without
// the extension, which their slaves ignore.
func (r *replay) greeting() {
	got, err := readFrame(r.conn)
	require.NoError(r.t, err)
	hello, err := muxproto.DecodeReply(r.hello[4:])
	require.NoError(r.t, err)
	hello.(*muxproto.Hello).Extensions = []muxproto.Extension{{Name: "info", Value: "0"}}
	require.Equal(r.t, muxproto.Append(nil, hello), got)
}

// expect compares what the master says with what OpenSSH's said. Packets of
// PROXY mode are not made in this package.
func (r *replay) expect(e event) {
	switch e.kind {
	case "end":
		_, err := readFrame(r.conn)
		require.ErrorIs(r.t, err, io.EOF)
		r.ended = true
	case "frame":
		got, err := readFrame(r.conn)
		require.NoError(r.t, err, "in place of %s", describe(r.t, e.frame(r.t)))
		require.Equal(r.t, masked(r.t, e.frame(r.t)), masked(r.t, got), "%s, not %s", describe(r.t, got), describe(r.t, e.frame(r.t)))
	}
}

// checks looks at what became of the requests.
func (r *replay) checks() {
	var packets [][]byte
	for _, e := range r.events {
		if e.from == ">" && e.kind == "packet" {
			packets = append(packets, e.frame(r.t))
		}
	}
	for _, want := range packets {
		require.Equal(r.t, want[5:], <-r.packets)
	}
	if r.name == "exit" {
		// OpenSSH's answer is lost in its end; this master's is not.
		got, err := r.conn.ReadReply()
		require.NoError(r.t, err)
		require.Equal(r.t, &muxproto.OK{}, got)
		require.Eventually(r.t, func() bool { return len(r.master.calls()) > 0 }, patience, tick)
	}
	require.NoError(r.t, r.conn.Close())
	r.files.check(r.t, r.ended && r.name != "subsystem-refused")
	if r.session != nil && r.ended {
		require.Equal(r.t, hostSaw(r.session, r.name), withoutEnd(r.log()))
	}
	require.Equal(r.t, map[string][]string{"exit": {"terminate"}, "stop": {"stop"}}[r.name], r.master.calls())
}

// proxy keeps the packets of a slave in PROXY mode.
func (r *replay) proxy(_ context.Context, conn *muxproto.Conn) error {
	for {
		packet, err := conn.ReadPacket(nil)
		if err != nil {
			return nil
		}
		r.packets <- packet
	}
}

// readFrame reads the bytes of a reply, with the frame's length.
func readFrame(c *muxproto.Conn) ([]byte, error) {
	frame := make([]byte, 4)
	if _, err := io.ReadFull(c.UnixConn(), frame); err != nil {
		return nil, err
	}
	frame = append(frame, make([]byte, binary.BigEndian.Uint32(frame))...)
	_, err := io.ReadFull(c.UnixConn(), frame[4:])
	return frame, err
}

func describe(t *testing.T, frame []byte) string {
	m, err := muxproto.DecodeReply(frame[4:])
	require.NoError(t, err)
	return muxproto.Describe(m)
}

var digits = regexp.MustCompile(`\d+`)

// masked leaves out of a frame what a master chooses: its pid, ports, numbers
// of sessions, and of the texts for people the numbers.
func masked(t *testing.T, frame []byte) []byte {
	m, err := muxproto.DecodeReply(frame[4:])
	require.NoError(t, err)
	require.Equal(t, frame, muxproto.Append(nil, m), "more than the message")
	switch m := m.(type) {
	case *muxproto.Alive:
		m.PID = 0
	case *muxproto.RemotePort:
		require.NotZero(t, m.Port)
		m.Port = 0
	case *muxproto.SessionOpened:
		m.SessionID = 0
	case *muxproto.ExitMessage:
		m.SessionID = 0
	case *muxproto.TTYAllocFail:
		m.SessionID = 0
	case *muxproto.InfoReply:
		if strings.HasPrefix(m.Text, "Connection information") {
			m.Text = "about it" // package master's tests compare it
		}
		m.Text = strings.ReplaceAll(digits.ReplaceAllString(m.Text, "0"), "-0", "0")
	}
	return muxproto.Append(nil, m)
}
