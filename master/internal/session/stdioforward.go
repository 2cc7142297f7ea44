package session

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/stdio"
)

// A Target is where a forwarded stream goes: a host and port, or with Path a
// unix socket on the host.
type Target struct {
	Host string
	Port uint32
	Path string
}

// String is the target as a person wrote it.
func (t Target) String() string {
	if t.Path != "" {
		return t.Path
	}
	return fmt.Sprintf("[%s]:%d", t.Host, t.Port)
}

// The originator of a forwarded stream, for which there is no socket to name.
// OpenSSH says the same.
const (
	originHost = "127.0.0.1"
	originPort = 65535
)

// open is the channel type and its data: RFC 4254 section 7.2, or OpenSSH's
// PROTOCOL section 2.4.
func (t Target) open() (name string, extra []byte) {
	if t.Path != "" {
		return "direct-streamlocal@openssh.com", ssh.Marshal(struct {
			Path, OriginHost string
			OriginPort       uint32
		}{t.Path, originHost, originPort})
	}
	return "direct-tcpip", ssh.Marshal(struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}{t.Host, t.Port, originHost, originPort})
}

// A StdioForward is one stream through the host, for ssh -W.
type StdioForward struct {
	target Target
	files  *stdio.Set // without an Err
	ch     ssh.Channel

	moved     Traffic
	over      func() // to be called at the end; nil before Start
	closeOnce sync.Once
}

// OpenStdioForward opens a channel to target for a slave and takes ownership of
// its files, which are closed when the host refuses. Errors are as [Open]'s.
func OpenStdioForward(ctx context.Context, to Opener, target Target, files *stdio.Set) (*StdioForward, error) {
	name, extra := target.open()
	ch, reqs, err := to.OpenChannel(ctx, name, extra)
	if err != nil {
		files.Close()
		return nil, err
	}
	go discard(reqs)
	return &StdioForward{target: target, files: files, ch: ch}, nil
}

// Start copies until the stream is over. Over is called then, once, when the
// slave's descriptors are closed. Start is called once and does not wait. The two
// ends differ, as in OpenSSH: at the end of the slave's input the host sees an end
// of file and may go on, while the end of the host's output ends everything.
func (f *StdioForward) Start(over func()) {
	f.over = over
	go f.copyInput()
	// Extended data means nothing here, but unread it would use up the window.
	go copyOutput(nil, f.ch.Stderr(), new(atomic.Uint64), func() {})
	go f.copyOutput()
}

// Close ends the stream at once. It may be called more than once, in place of Start
// too, and does not wait for the host.
func (f *StdioForward) Close() {
	f.closeOnce.Do(func() {
		f.files.Close()
		f.ch.Close()
		if f.over != nil {
			f.over()
		}
	})
}

// Describe names the stream as OpenSSH's channel list does.
func (f *StdioForward) Describe() string { return "stdio-forward to " + f.target.String() }

// Moved is how many bytes came from the host and went there.
func (f *StdioForward) Moved() (in, out uint64) { return f.moved.Load() }

func (f *StdioForward) copyInput() {
	for {
		buf, err := f.files.In.ReadOrPark(inputs, f.copyInput)
		if err == stdio.ErrParked {
			return
		}
		if err != nil {
			f.ch.CloseWrite()
			break
		}
		f.moved.Out.Add(uint64(len(buf.Bytes())))
		err = writeAll(f.ch, buf.Bytes())
		buf.Release()
		if err != nil {
			break
		}
	}
	f.files.In.Close()
}

func (f *StdioForward) copyOutput() {
	copyOutput(f.files.Out, f.ch, &f.moved.In, f.Close)
	f.Close()
}
