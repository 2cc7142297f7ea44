package master

import (
	"context"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/stocklink"
)

// A link carries the master's channels to the host: one of our own, or one that
// stock ssh makes.
type link interface {
	OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error)
	SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error)
	Done() <-chan struct{}
	Err() error
	Close() error
	Info() upstream.Info
	Unsafe() bool
}

// transport says why stock ssh is to make the link; "" is one of our own. Where
// the user has not said so, it is told.
func (m *Master) transport(ctx context.Context) (why string, err error) {
	why, err = stocklink.Choose(ctx, m.host, upstream.Implements)
	if why != "" {
		m.tellTransport(why)
	}
	return why, err
}

func (m *Master) tellTransport(why string) {
	tell := m.log.Warn
	if m.host.Own.Transport == "openssh" {
		tell = m.log.Info
	}
	tell("using stock ssh for this link: " + why)
}

// judge refuses options that cannot be honoured and names those that are
// passed over.
func (m *Master) judge(byStock bool) error {
	check := m.host.Check
	if byStock {
		check = m.host.CheckByStock
	}
	warnings, err := check()
	for _, w := range append(m.host.Warnings, warnings...) {
		m.log.Warn(w)
	}
	return err
}

// connect makes the link. A host with which stock ssh has an algorithm in common,
// and a link of our own none, is left to that, too: nobody was asked for anything
// yet.
func (m *Master) connect(ctx context.Context, byStock bool) (link, error) {
	if byStock {
		return m.connectByStock(ctx)
	}
	l, err := m.opts.Links.Dial(ctx, upstream.Options{
		Host: m.host, Env: m.opts.Env, Dir: m.opts.Dir,
		Log: m.log, Prompter: m.opts.Prompter, Stderr: m.opts.Stderr,
		Version: m.opts.Version, Channels: m.incoming(), Busy: m.idle.begin,
	})
	if err == nil {
		return l, nil
	}
	if why := stocklink.Instead(m.host, err); why != "" {
		m.tellTransport(why)
		return m.connectByStock(ctx)
	}
	return nil, err
}

func (m *Master) connectByStock(ctx context.Context) (link, error) {
	l, err := stocklink.Start(ctx, stocklink.Options{
		Host: m.host, Env: m.opts.Env, Dir: m.opts.Dir,
		Log: m.log, Channels: m.incoming(),
	})
	if err != nil {
		return nil, err // not a nil *stocklink.Link
	}
	return l, nil
}

// carriesX11 says whether the host's X11 channels come to us: stock ssh keeps
// them to itself.
func (m *Master) carriesX11() bool {
	_, stock := m.link.(*stocklink.Link)
	return !stock
}
