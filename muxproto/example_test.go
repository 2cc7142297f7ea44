package muxproto_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"

	"sshmaster/muxproto"
)

// A slave asks a master who it is. The master here is a few lines of this
// package too; OpenSSH's answers in the same way.
func Example() {
	dir, err := os.MkdirTemp("", "mux")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ctl")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go master(listener)

	ctx := context.Background()
	c, err := muxproto.Dial(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	pid, err := c.Alive(ctx)
	fmt.Println("pid", pid, err)

	_, err = c.OpenForward(ctx, muxproto.Forward{
		Type: muxproto.ForwardLocal, ListenPort: 8080, ConnectHost: "intranet", ConnectPort: 80,
	})
	var refused *muxproto.ReplyError
	if errors.As(err, &refused) {
		fmt.Println("refused:", refused.Reason)
	}
	// Output:
	// pid 4711 <nil>
	// refused: unsupported request
}

// master serves one slave, which may only ask who it is.
func master(listener *net.UnixListener) {
	sock, err := listener.AcceptUnix()
	if err != nil {
		return
	}
	conn := muxproto.NewConn(sock)
	defer conn.Close()
	reply := muxproto.Message(&muxproto.Hello{Version: muxproto.Version})
	for conn.Write(reply) == nil {
		request, err := conn.ReadRequest()
		if _, greeting := request.(*muxproto.Hello); greeting {
			request, err = conn.ReadRequest()
		}
		if err != nil {
			return
		}
		switch m := request.(type) {
		case *muxproto.AliveCheck:
			reply = &muxproto.Alive{RequestID: m.RequestID, PID: 4711}
		case *muxproto.OpenForward:
			reply = &muxproto.Failure{RequestID: m.RequestID, Reason: "unsupported request"}
		default:
			return
		}
	}
}

// A session runs on descriptors of ours. The master writes to them itself.
func ExampleClient_NewSession() {
	ctx := context.Background()
	c, err := muxproto.Dial(ctx, os.ExpandEnv("$HOME/.ssh/ctl"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.NewSession(ctx, muxproto.NewSession{Command: "uptime", EscapeChar: muxproto.NoEscape}, 0, 1, 2)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	exit, err := s.Wait(ctx)
	if err == nil && exit.Known {
		fmt.Println("exit status", exit.Status)
	}
}
