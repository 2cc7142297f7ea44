package master

import (
	"context"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/proxy"
	"sshmaster/muxproto"
)

// proxy serves a slave that speaks SSH itself, until it leaves. To a host whose
// key has changed it forwards nothing.
func (m *Master) proxy(ctx context.Context, w control.Wish, conn *muxproto.Conn) error {
	cfg := proxy.Config{Opener: route{m, w}, Busy: m.idle.begin, In: &w.Traffic.In, Out: &w.Traffic.Out, Log: m.log}
	if !m.pool.Unsafe() {
		cfg.Remotes = m.forwards.Remotes().Places()
	}
	return proxy.Serve(ctx, conn, cfg)
}
