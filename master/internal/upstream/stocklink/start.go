package stocklink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream"
	"sshmaster/muxproto"
)

// lookout is how often it is looked for ssh's socket, which appears when the
// person has answered ssh's questions.
const lookout = 15 * time.Millisecond

// errNoSSH says that there is no stock ssh to make links by.
var errNoSSH = errors.New("no ssh is installed that could make the link: install OpenSSH's client, or write Transport native")

// Start has stock ssh connect to the host of o, which may ask questions on the
// terminal, and returns the link. Its error is a [*upstream.DialError] in ssh's
// own last words.
//
// ctx bounds the whole of it. It has no hold on the link that was returned.
func Start(ctx context.Context, o Options) (*Link, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	dir, err := privateFolder(o.Env)
	if err != nil {
		return nil, unable(o, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	socket := filepath.Join(dir, "s")
	argv, ok := command(o.Host, socket)
	if !ok {
		return nil, unable(o, errNoSSH)
	}
	p, err := startProcess(argv, o.Env, o.Dir, newWords(o.Host, o.Log))
	if err != nil {
		return nil, unable(o, err)
	}
	l, err := attach(ctx, o, p, socket)
	if err != nil {
		return nil, p.failed(ctx, o, err)
	}
	return l, nil
}

// unable is the error of a start that led nowhere.
func unable(o Options, err error) error {
	return &upstream.DialError{Stage: upstream.Configured, Text: fmt.Sprintf("%s: %v", o.Host.HostName, err), Err: err}
}

// attach waits for the socket and attaches to it twice.
func attach(ctx context.Context, o Options, p *process, socket string) (*Link, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := await(ctx, socket); err != nil {
		return nil, err
	}
	client, err := muxproto.Dial(ctx, socket)
	if err != nil {
		return nil, err
	}
	wire, conn, chans, reqs, err := proxy(ctx, socket)
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	// Now it needs no socket, and will end with these two connections.
	if err := client.StopListening(ctx); err != nil {
		_, _ = client.Close(), conn.Close()
		return nil, err
	}
	p.words.attached()
	p.words.facts.settle()
	l := newLink(o, p, client, conn, wire)
	go l.serve(chans, reqs)
	return l, nil
}

// await returns when there is a socket.
func await(ctx context.Context, socket string) error {
	for {
		if _, err := os.Lstat(socket); err == nil {
			return nil
		}
		select {
		case <-time.After(lookout):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// proxy makes a control connection in proxy mode.
func proxy(ctx context.Context, socket string) (*wire, ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	w := newWire(nc)
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	conn, chans, reqs, err := ssh.NewControlClientConn(w)
	if !stop() && err == nil {
		err = context.Cause(ctx)
		go ssh.DiscardRequests(reqs)
		_ = conn.Close()
	}
	if err != nil {
		_ = nc.Close()
		return nil, nil, nil, nil, err
	}
	return w, conn, chans, reqs, nil
}

// failed ends ssh and words why there is no link: ssh's last words where it
// ended by itself.
func (p *process) failed(ctx context.Context, o Options, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		p.words.mute()
		p.end()
		return &upstream.DialError{Stage: upstream.Reached, Err: cause,
			Text: fmt.Sprintf("ssh: connect to host %s port %d: %s", o.Host.HostName, o.Host.Port, interruption(cause))}
	}
	select {
	case <-p.gone: // as its end is what made us fail
	case <-time.After(lastWish):
	}
	p.end()
	words, state := p.fate()
	if words == "" {
		words = fmt.Sprintf("%s: stock ssh %s before the link was there", o.Host.HostName, state)
	}
	return &upstream.DialError{Stage: stage(words), Text: words, Err: err}
}

func interruption(cause error) string {
	if errors.Is(cause, context.DeadlineExceeded) {
		return "Connection timed out"
	}
	return "Interrupted"
}

// stage guesses from ssh's last words how far it came.
func stage(words string) upstream.Stage {
	for _, known := range []struct {
		words string
		stage upstream.Stage
	}{
		{"Permission denied", upstream.Authenticated},
		{"Too many authentication failures", upstream.Authenticated},
		{"Host key verification failed", upstream.Verified},
		{"Unable to negotiate", upstream.Keyed},
		{"kex_exchange_identification", upstream.Greeted},
		{"banner exchange", upstream.Greeted},
		{"Could not resolve hostname", upstream.Reached},
		{"connect to host", upstream.Reached},
	} {
		if strings.Contains(words, known.words) {
			return known.stage
		}
	}
	return upstream.Configured
}
