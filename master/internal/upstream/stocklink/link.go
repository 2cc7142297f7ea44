package stocklink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/upstream"
	"sshmaster/muxproto"
)

// A Link is one SSH connection that stock ssh holds. Its methods may be called
// from any goroutine and none of them outlives the link.
type Link struct {
	host    *hostconfig.Host
	log     *slog.Logger
	process *process
	client  *muxproto.Client // for requests
	conn    ssh.Conn         // for channels
	wire    *wire
	turns   turns // of requests
	remotes remotes

	done chan struct{} // closed when err is set
	gone chan struct{} // closed when ssh has ended and nothing is left of the link
	once sync.Once
	err  error // readable once done is closed
}

func newLink(o Options, p *process, client *muxproto.Client, conn ssh.Conn, w *wire) *Link {
	l := &Link{
		host: o.Host, log: o.Log, process: p, client: client, conn: conn, wire: w,
		done: make(chan struct{}), gone: make(chan struct{}),
	}
	l.remotes.handlers, l.remotes.env = o.Channels, o.Env
	return l
}

// Done is closed when the link has ended, whoever ended it.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err says why the link ended: a sentence for a person that wraps
// [upstream.ErrClosed], [upstream.ErrTimeout] or [upstream.ErrRemoteClosed]. It is
// nil while the link lives.
func (l *Link) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

// GiveUp ends the link at once because the host gives no sign of life.
func (l *Link) GiveUp() {
	if l.announce(&ended{fmt.Sprintf("Timeout, server %s not responding.", l.host.HostName), upstream.ErrTimeout}) {
		l.process.words.mute()
		l.process.end()
	}
}

// Silence is how long ago something came through ssh.
func (l *Link) Silence() time.Duration {
	return time.Since(l.wire.began) - time.Duration(l.wire.heard.Load())
}

// RoundTrip is not known of a link that ssh holds: 0.
func (l *Link) RoundTrip() time.Duration { return 0 }

// Sends is for links that gather what several channels send; ssh does so itself.
func (l *Link) Sends(int64, int) {}

// Carries is for the same links.
func (l *Link) Carries(int) {}

// Unsafe says that ssh went on although the host's key had changed, because
// StrictHostKeyChecking is off. Then nothing may be forwarded.
func (l *Link) Unsafe() bool { return l.process.words.facts.isUnsafe() }

// PID is the process id of ssh.
func (l *Link) PID() int { return l.process.cmd.Process.Pid }

// SetInteractive does nothing: IPQoS is set by ssh, which knows what it carries.
func (l *Link) SetInteractive(bool) error { return nil }

// Close ends the link and its ssh: it is asked to exit, then made to. It may be
// called more than once, takes three seconds at the very most, and always returns
// nil.
func (l *Link) Close() error {
	l.process.words.mute()
	if l.announce(&ended{fmt.Sprintf("Connection to %s closed", l.host.HostName), upstream.ErrClosed}) {
		l.dismiss()
	}
	<-l.gone
	return nil
}

// dismiss asks ssh to exit, and sees to it.
func (l *Link) dismiss() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWish)
	defer cancel()
	_ = l.client.Terminate(ctx)
	select {
	case <-l.process.gone:
	case <-ctx.Done():
	}
	l.process.end()
}

// announce ends the link for everybody who waits on it and says whether it did:
// the first reason stays.
func (l *Link) announce(cause error) (first bool) {
	l.once.Do(func() {
		first = true
		l.err = cause
		close(l.done)
		l.log.Debug("link ended", "host", l.host.HostName, "cause", cause)
	})
	return first
}

// serve is the link's life: it ends with ssh or with the proxy connection, and
// each takes the other with it.
func (l *Link) serve(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	lost := make(chan struct{})
	go l.refuse(chans, reqs, lost)
	select {
	case <-l.process.gone:
	case <-lost:
		select { // mostly because ssh is just ending, and will say why
		case <-l.process.gone:
		case <-time.After(lastWish):
		}
	}
	l.process.end()
	l.announce(l.loss())
	_ = l.conn.Close()
	_ = l.client.Close()
	<-lost
	l.remotes.close()
	close(l.gone)
}

// refuse takes what comes up the proxy connection unasked, which in OpenSSH's
// is nothing, until the connection has ended.
func (l *Link) refuse(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request, lost chan<- struct{}) {
	defer close(lost)
	served := make(chan struct{})
	go func() {
		ssh.DiscardRequests(reqs)
		close(served)
	}()
	for nc := range chans {
		l.log.Debug("refused a channel", "type", clean(nc.ChannelType()))
		_ = nc.Reject(ssh.Prohibited, "open failed")
	}
	<-served
	_ = l.conn.Wait()
}

// loss words the end of an ssh that nobody asked to end.
func (l *Link) loss() error {
	words, state := l.process.fate()
	switch {
	case strings.HasPrefix(words, "Timeout"):
		return &ended{words, upstream.ErrTimeout}
	case strings.HasPrefix(words, "Connection "):
		return &ended{words, upstream.ErrRemoteClosed}
	case words != "":
		state = "ended: " + words
	}
	return &ended{fmt.Sprintf("Connection to %s lost: its ssh %s", l.host.HostName, state), upstream.ErrRemoteClosed}
}

// ended is a sentence with the reason behind it.
type ended struct {
	text  string
	cause error
}

func (e *ended) Error() string { return e.text }
func (e *ended) Unwrap() error { return e.cause }

// ready says whether there is any use in asking.
func (l *Link) ready(ctx context.Context) error {
	if err := l.Err(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// end is why something of the link failed: the link's end, which may be about to
// be announced, or else err itself.
func (l *Link) end(err error) error {
	var refused *ssh.OpenChannelError
	if err == nil || errors.As(err, &refused) {
		return err
	}
	select {
	case <-l.done:
		return l.err
	case <-time.After(lastWish):
		return err
	}
}
