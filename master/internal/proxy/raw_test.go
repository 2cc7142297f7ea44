package proxy_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/proxy"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

var errGivenUp = errors.New("given up")

// A raw slave says what a test tells it to.
type raw struct {
	*muxproto.Conn
	served chan error
	giveUp context.CancelCauseFunc
}

// newRaw is served without a control socket.
func newRaw(t *testing.T, m *testMaster) *raw {
	t.Helper()
	return serveRaw(t, m.config())
}

// newRawOn is served by a master whose host is this.
func newRawOn(t *testing.T, host proxy.Opener) *raw {
	t.Helper()
	return serveRaw(t, proxy.Config{Opener: host})
}

// noHost refuses everything.
type noHost struct{}

func (noHost) OpenChannel(context.Context, string, []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	return nil, nil, &ssh.OpenChannelError{Reason: ssh.Prohibited, Message: "no"}
}

func serveRaw(t *testing.T, cfg proxy.Config) *raw {
	t.Helper()
	ours, theirs := sshtest.Pipe(t)
	ctx, giveUp := context.WithCancelCause(context.Background())
	r := &raw{Conn: muxproto.NewConn(ours.(*net.UnixConn)), served: make(chan error, 1), giveUp: giveUp}
	go func() {
		conn := muxproto.NewConn(theirs.(*net.UnixConn))
		r.served <- proxy.Serve(ctx, conn, cfg)
	}()
	t.Cleanup(func() {
		r.Close()
		giveUp(nil)
	})
	r.SetDeadline(time.Now().Add(patience))
	return r
}

// send sends packets, each a struct as package ssh marshals them.
func (r *raw) send(t *testing.T, packets ...any) {
	t.Helper()
	for _, p := range packets {
		require.NoError(t, r.WritePacket(ssh.Marshal(p)))
	}
}

// next reads a packet into p, whose type it must have.
func (r *raw) next(t *testing.T, p any) {
	t.Helper()
	got, err := r.ReadPacket(nil)
	require.NoError(t, err)
	require.NoError(t, ssh.Unmarshal(got, p), "%d", got[0])
}

// open opens a channel with the slave's number 42 and returns the master's.
func (r *raw) open(t *testing.T, kind string) uint32 {
	t.Helper()
	r.send(t, openMsg{kind, 42, 1 << 21, 1 << 15, nil})
	var confirmed confirmMsg
	r.next(t, &confirmed)
	require.Equal(t, uint32(42), confirmed.Recipient)
	return confirmed.Sender
}

type (
	globalMsg struct {
		Name string `sshtype:"80"`
		Want bool
		Data []byte `ssh:"rest"`
	}
	globalOKMsg struct {
		Data []byte `ssh:"rest" sshtype:"81"`
	}
	globalFailedMsg struct {
		Data []byte `ssh:"rest" sshtype:"82"`
	}
	openMsg struct {
		Kind                string `sshtype:"90"`
		Sender, Window, Max uint32
		Data                []byte `ssh:"rest"`
	}
	confirmMsg struct {
		Recipient           uint32 `sshtype:"91"`
		Sender, Window, Max uint32
		Data                []byte `ssh:"rest"`
	}
	openFailedMsg struct {
		Recipient      uint32 `sshtype:"92"`
		Reason         uint32
		Text, Language string
	}
	adjustMsg struct {
		Recipient uint32 `sshtype:"93"`
		More      uint32
	}
	dataMsg struct {
		Recipient uint32 `sshtype:"94"`
		Data      []byte
	}
	extendedMsg struct {
		Recipient uint32 `sshtype:"95"`
		Code      uint32
		Data      []byte
	}
	eofMsg struct {
		Recipient uint32 `sshtype:"96"`
	}
	closeMsg struct {
		Recipient uint32 `sshtype:"97"`
	}
	requestMsg struct {
		Recipient uint32 `sshtype:"98"`
		Name      string
		Want      bool
		Data      []byte `ssh:"rest"`
	}
	successMsg struct {
		Recipient uint32 `sshtype:"99"`
	}
	failureMsg struct {
		Recipient uint32 `sshtype:"100"`
	}
	pingMsg struct {
		Data string `sshtype:"192"`
	}
	pongMsg struct {
		Data string `sshtype:"193"`
	}
)
