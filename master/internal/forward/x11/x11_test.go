package x11_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/forward/x11"
)

const realCookie = "00112233445566778899aabbccddeeff"

// xauth is a program in the place of xauth(1): it keeps its arguments in the file
// args beside it and prints what out holds.
func xauth(t *testing.T, out string) (program string, args func() []string) {
	t.Helper()
	dir := t.TempDir()
	program = filepath.Join(dir, "xauth")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "out"), []byte(out), 0o600))
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho \"$@\" >>"+dir+"/args\ncat "+dir+"/out\n"), 0o700))
	return program, func() []string {
		text, err := os.ReadFile(filepath.Join(dir, "args"))
		require.NoError(t, err)
		return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
}

func listed(cookie string) string {
	return "box/unix:7  MIT-MAGIC-COOKIE-1  " + cookie + "\nbox/unix:8  MIT-MAGIC-COOKIE-1  ffff\n"
}

// setup is a client's first packet.
func setup(order binary.AppendByteOrder, protocol string, cookie []byte) []byte {
	first := byte('l')
	if order == binary.AppendByteOrder(binary.BigEndian) {
		first = 'B'
	}
	p := []byte{first, 0}
	p = order.AppendUint16(p, 11)
	p = order.AppendUint16(p, 0)
	p = order.AppendUint16(p, uint16(len(protocol)))
	p = order.AppendUint16(p, uint16(len(cookie)))
	p = append(p, 0, 0)
	p = append(p, protocol...)
	p = append(p, make([]byte, -len(protocol)&3)...)
	p = append(p, cookie...)
	return append(p, make([]byte, -len(cookie)&3)...)
}

func TestTrusted(t *testing.T) {
	program, args := xauth(t, listed(realCookie))
	f := x11.New(x11.Config{Display: "localhost:7.1", Trusted: true, XAuth: program})
	req, err := f.Prepare(t.Context())
	require.NoError(t, err)
	require.Equal(t, "MIT-MAGIC-COOKIE-1", req.Protocol)
	require.EqualValues(t, 1, req.Screen)
	require.Len(t, req.Cookie, len(realCookie))
	require.NotEqual(t, realCookie, req.Cookie)
	again, err := f.Prepare(t.Context())
	require.NoError(t, err)
	require.Equal(t, req, again, "the same cookie has the same fake")
	require.Equal(t, []string{"list unix:7.1", "list unix:7.1"}, args())

	fake, _ := hex.DecodeString(req.Cookie)
	real, _ := hex.DecodeString(realCookie)
	for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
		sent := setup(order, req.Protocol, fake)
		got, at, err := f.Admit(iotest.OneByteReader(bytes.NewReader(append(sent, "more"...))))
		require.NoError(t, err)
		require.Equal(t, setup(order, req.Protocol, real), got)
		require.Equal(t, "localhost:7.1", at)
	}
}

func TestRejected(t *testing.T) {
	program, _ := xauth(t, listed(realCookie))
	f := x11.New(x11.Config{Display: ":7", Trusted: true, XAuth: program})
	req, err := f.Prepare(t.Context())
	require.NoError(t, err)
	fake, _ := hex.DecodeString(req.Cookie)
	real, _ := hex.DecodeString(realCookie)
	for name, sent := range map[string][]byte{
		"the real cookie": setup(binary.LittleEndian, req.Protocol, real),
		"no cookie":       setup(binary.LittleEndian, "", nil),
		"other protocol":  setup(binary.LittleEndian, "MIT-MAGIC-COOKIE-2", fake),
		"too short":       setup(binary.LittleEndian, req.Protocol, fake[:15]),
		"too long":        setup(binary.LittleEndian, req.Protocol, append(fake[:16:16], 0)),
		"byte order":      append([]byte("X"), setup(binary.LittleEndian, req.Protocol, fake)[1:]...),
	} {
		_, _, err := f.Admit(bytes.NewReader(sent))
		require.ErrorIs(t, err, x11.ErrRejected, name)
	}
	whole := setup(binary.LittleEndian, req.Protocol, fake)
	for n := range whole {
		_, _, err := f.Admit(bytes.NewReader(whole[:n]))
		require.Error(t, err)
		require.NotErrorIs(t, err, x11.ErrRejected)
	}
	// What cannot be right is not waited for.
	_, _, err = f.Admit(io.MultiReader(bytes.NewReader([]byte{'B', 0, 0, 11, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0}), neverRead{t}))
	require.ErrorIs(t, err, x11.ErrRejected)
}

type neverRead struct{ t *testing.T }

func (n neverRead) Read([]byte) (int, error) {
	n.t.Error("read on")
	return 0, io.EOF
}

func TestNoXauthData(t *testing.T) {
	bad, _ := xauth(t, "box/unix:7  MIT-MAGIC-COOKIE-1  not-hex\n")
	empty, _ := xauth(t, "")
	for _, program := range []string{"", "/no/such/xauth", bad, empty} {
		f := x11.New(x11.Config{Display: ":7", Trusted: true, XAuth: program})
		req, err := f.Prepare(t.Context())
		require.NoError(t, err, program)
		require.Len(t, req.Cookie, 32)
		again, err := f.Prepare(t.Context())
		require.NoError(t, err)
		require.Equal(t, req, again)

		f = x11.New(x11.Config{Display: ":7", XAuth: program})
		_, err = f.Prepare(t.Context())
		require.ErrorContains(t, err, "xauth key data not generated")
		_, _, err = f.Connect(t.Context())
		require.ErrorIs(t, err, x11.ErrExpired)
	}
}

func TestUntrusted(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	program, args := xauth(t, listed(realCookie))
	sockets := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(sockets, "X7"))
	require.NoError(t, err)
	defer l.Close()
	f := x11.New(x11.Config{
		Display: "unix:7", XAuth: program, Timeout: 20 * time.Minute, Sockets: sockets,
		Now: func() time.Time { return now },
	})
	req, err := f.Prepare(t.Context())
	require.NoError(t, err)
	ran := args()
	require.Len(t, ran, 2)
	file := strings.Fields(ran[0])[1]
	require.Equal(t, fmt.Sprintf("-f %s generate unix:7 MIT-MAGIC-COOKIE-1 untrusted timeout 1260", file), ran[0])
	require.Equal(t, fmt.Sprintf("-f %s list unix:7", file), ran[1])
	require.NoDirExists(t, filepath.Dir(file))

	fake, _ := hex.DecodeString(req.Cookie)
	first := setup(binary.BigEndian, req.Protocol, fake)
	for _, at := range []time.Duration{0, 20 * time.Minute} {
		now = time.Unix(1_000_000, 0).Add(at)
		c, _, err := f.Connect(t.Context())
		require.NoError(t, err)
		c.Close()
		_, _, err = f.Admit(bytes.NewReader(first))
		require.NoError(t, err)
	}
	now = now.Add(2 * time.Second)
	_, _, err = f.Connect(t.Context())
	require.ErrorIs(t, err, x11.ErrExpired)
	_, _, err = f.Admit(bytes.NewReader(first))
	require.ErrorIs(t, err, x11.ErrRejected)

	// A later session has a time of its own.
	later, err := f.Prepare(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, req, later)
	c, _, err := f.Connect(t.Context())
	require.NoError(t, err)
	c.Close()
}

// Without a timeout one cookie serves all sessions.
func TestUntrustedForEver(t *testing.T) {
	program, args := xauth(t, listed(realCookie))
	f := x11.New(x11.Config{Display: ":7", XAuth: program})
	req, err := f.Prepare(t.Context())
	require.NoError(t, err)
	again, err := f.Prepare(t.Context())
	require.NoError(t, err)
	require.Equal(t, req, again)
	require.Len(t, args(), 2)
	require.NotContains(t, args()[0], "timeout")
}

func TestDisplays(t *testing.T) {
	for _, bad := range []string{"", "7", ":", ":x", "host:", ":7;reboot", "$(x):0", "-f:0", ":70000", "host:59536"} {
		f := x11.New(x11.Config{Display: bad, Trusted: true})
		_, err := f.Prepare(t.Context())
		require.Error(t, err, bad)
	}
	for display, screen := range map[string]uint32{":0": 0, ":0.3": 3, "unix:1.2": 2, "host:1.9": 9, ":0.401": 0, "::1.2": 2} {
		f := x11.New(x11.Config{Display: display, Trusted: true})
		req, err := f.Prepare(t.Context())
		require.NoError(t, err, display)
		require.Equal(t, screen, req.Screen, display)
	}
}

// A display on the network, and one that is the path of a socket.
func TestConnect(t *testing.T) {
	for number := 100; number < 200; number++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 6000+number))
		if err != nil {
			continue
		}
		defer l.Close()
		reachable(t, fmt.Sprintf("127.0.0.1:%d.0", number))
		break
	}
	path := filepath.Join(t.TempDir(), "display:0")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	reachable(t, path)
	reachable(t, path+".1")
}

func reachable(t *testing.T, display string) {
	t.Helper()
	f := x11.New(x11.Config{Display: display, Trusted: true})
	_, err := f.Prepare(t.Context())
	require.NoError(t, err)
	c, _, err := f.Connect(context.Background())
	require.NoError(t, err)
	c.Close()
}

// Another session of the user's has another display. Clients of the sessions before
// go on to the one that they were given the cookie of, as long as it is there.
func TestAnotherDisplay(t *testing.T) {
	sockets := t.TempDir()
	listen := func(number int) net.Listener {
		l, err := net.Listen("unix", filepath.Join(sockets, fmt.Sprint("X", number)))
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		return l
	}
	listen(7)
	eight := listen(8)
	for _, trusted := range []bool{true, false} {
		program, args := xauth(t, listed(realCookie))
		f := x11.New(x11.Config{Display: ":7", Trusted: trusted, XAuth: program, Sockets: sockets})
		shown := make(map[string]string) // by display
		for _, display := range []string{":7", ":8", ":7"} {
			f.Use(display, []string{"PATH=" + os.Getenv("PATH")})
			req, err := f.Prepare(t.Context())
			require.NoError(t, err)
			if known := shown[display]; known != "" {
				require.Equal(t, known, req.Cookie)
			}
			shown[display] = req.Cookie
			c, at, err := f.Connect(t.Context())
			require.NoError(t, err)
			c.Close()
			require.Equal(t, display, at)
		}
		require.NotEqual(t, shown[":7"], shown[":8"])
		require.Contains(t, strings.Join(args(), "\n"), "list :8")
		for display, cookie := range shown {
			fake, _ := hex.DecodeString(cookie)
			_, at, err := f.Admit(bytes.NewReader(setup(binary.LittleEndian, "MIT-MAGIC-COOKIE-1", fake)))
			require.NoError(t, err)
			require.Equal(t, display, at)
		}
		f.Use(":8", nil)
		if !trusted {
			eight.Close()
			c, at, err := f.Connect(t.Context())
			require.NoError(t, err)
			c.Close()
			require.Equal(t, ":7", at, "the other one is gone")
		}
	}
}
