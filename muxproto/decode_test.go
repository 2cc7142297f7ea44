package muxproto_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// body is the frame of m without its length.
func body(m muxproto.Message) []byte { return muxproto.Append(nil, m)[4:] }

func TestTypesPrintThemselves(t *testing.T) {
	for _, typ := range muxproto.Types() {
		require.Regexp(t, `^MUX_(MSG|C|S)_[A-Z_]+$`, typ.String())
		require.Equal(t, typ, typ.New().MsgType())
		require.NotZero(t, typ.Direction())
	}
	unknown := muxproto.Type(0x10000099)
	require.Equal(t, "MUX_0x10000099", unknown.String())
	require.Nil(t, unknown.New())
	require.Zero(t, unknown.Direction())
}

func TestEmptyMessagesRoundTrip(t *testing.T) {
	for _, typ := range muxproto.Types() {
		for _, side := range sides {
			m, err := side.decode(body(typ.New()))
			if typ.Direction()&map[string]muxproto.Direction{"requests": muxproto.ToMaster, "replies": muxproto.ToSlave}[side.name] == 0 {
				var wrongWay *muxproto.UnknownTypeError
				require.ErrorAs(t, err, &wrongWay)
				require.Equal(t, typ, wrongWay.Type)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, typ.New(), m)
		}
	}
}

func TestUnknownType(t *testing.T) {
	_, err := muxproto.DecodeRequest([]byte{0x10, 0, 0, 0x99, 0, 0, 0, 5, 1, 2, 3})
	require.Equal(t, &muxproto.UnknownTypeError{Type: 0x10000099, RequestID: 5}, err)
	require.EqualError(t, err, "muxproto: unexpected message MUX_0x10000099, request 5")
	_, err = muxproto.DecodeRequest([]byte{0x10, 0, 0, 0x99, 0, 0, 0})
	require.ErrorIs(t, err, muxproto.ErrMalformed)
}

func TestTooLargeBody(t *testing.T) {
	large := append(body(&muxproto.AliveCheck{}), make([]byte, muxproto.MaxFrame-8)...)
	_, err := muxproto.DecodeRequest(large)
	require.NoError(t, err)
	_, err = muxproto.DecodeRequest(append(large, 0))
	require.ErrorIs(t, err, muxproto.ErrTooLarge)
}

// TestTrailingBytes: messages of fixed layout may be followed by what their
// reader does not know.
func TestTrailingBytes(t *testing.T) {
	for _, typ := range muxproto.Types() {
		if typ == muxproto.TypeHello || typ == muxproto.TypeNewSession {
			continue
		}
		for _, side := range sides {
			if m, err := side.decode(body(typ.New())); err == nil {
				again, err := side.decode(append(body(typ.New()), 0, 0, 0, 9, 'x'))
				require.NoError(t, err)
				require.Equal(t, m, again)
			}
		}
	}
}

func TestStringsAreThoseOfC(t *testing.T) {
	for _, c := range []struct {
		sent, want string
		malformed  bool
	}{
		{sent: "", want: ""},
		{sent: "\x00", want: ""},
		{sent: "uptime", want: "uptime"},
		{sent: "uptime\x00", want: "uptime"},
		{sent: "\xff\xfe\n", want: "\xff\xfe\n"},
		{sent: "up\x00time", malformed: true},
		{sent: "uptime\x00\x00", malformed: true},
	} {
		m, err := muxproto.DecodeRequest(body(&muxproto.NewSession{Command: c.sent}))
		if c.malformed {
			require.ErrorIs(t, err, muxproto.ErrMalformed, "%q", c.sent)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, m.(*muxproto.NewSession).Command)
	}
}

func TestAnyNumberIsTrue(t *testing.T) {
	b := body(&muxproto.NewSession{WantTTY: true})
	b[12] = 0x80 // the high byte of the tty flag: type, id, empty string before it
	m, err := muxproto.DecodeRequest(b)
	require.NoError(t, err)
	require.True(t, m.(*muxproto.NewSession).WantTTY)
	require.False(t, m.(*muxproto.NewSession).WantX11)
}

func TestHelloExtensions(t *testing.T) {
	hello := &muxproto.Hello{Version: 4, Extensions: []muxproto.Extension{
		{Name: "info", Value: "0"}, {Name: "unheard@of", Value: "a\x00b"}, {Name: "", Value: ""},
	}}
	for _, side := range sides {
		m, err := side.decode(body(hello))
		require.NoError(t, err)
		require.Equal(t, hello, m)
		_, err = side.decode(append(body(hello), 0, 0, 0, 1, 'x'))
		require.ErrorIs(t, err, muxproto.ErrMalformed, "a name without a value")
		_, err = side.decode([]byte{0, 0, 0, 1})
		require.ErrorIs(t, err, muxproto.ErrMalformed, "no version")
	}
}

// TestEnvironmentFillsAFrame: all of it is kept, for what to send on is the
// master's to decide, and the frame bounds it.
func TestEnvironmentFillsAFrame(t *testing.T) {
	m := &muxproto.NewSession{}
	fixed := len(body(m))
	m.Env = make([]string, (muxproto.MaxFrame-fixed)/4)
	got, err := muxproto.DecodeRequest(body(m))
	require.NoError(t, err)
	require.Equal(t, m, got)
	m.Env = append(m.Env, "A=b")
	_, err = muxproto.DecodeRequest(body(m))
	require.ErrorIs(t, err, muxproto.ErrTooLarge)
	m.Env = []string{"novalue", "=x", "", "A=b", "A=b", strings.Repeat("N", 2000) + "=x"}
	got, err = muxproto.DecodeRequest(body(m))
	require.NoError(t, err)
	require.Equal(t, m, got)
}

// TestLengthBeyondTheBody must not allocate what a string claims to have.
func TestLengthBeyondTheBody(t *testing.T) {
	b := append(body(&muxproto.Alive{})[:0], 0x80, 0, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 'x')
	require.LessOrEqual(t, testing.AllocsPerRun(10, func() { _, _ = muxproto.DecodeReply(b) }), 20.0)
	_, err := muxproto.DecodeReply(b)
	require.ErrorIs(t, err, muxproto.ErrMalformed)
	require.ErrorContains(t, err, "MUX_S_FAILURE")
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		m    muxproto.Message
		want string
	}{
		{&muxproto.Hello{Version: 4}, `MUX_MSG_HELLO version 4`},
		{&muxproto.OK{RequestID: 3}, `MUX_S_OK id 3`},
		{&muxproto.Failure{RequestID: 1, Reason: "no\x1b[2J"}, `MUX_S_FAILURE id 1 "no\x1b[2J"`},
		{&muxproto.ExitMessage{SessionID: 2, Status: 7}, `MUX_S_EXIT_MESSAGE session 2 status 7`},
		{&muxproto.OpenForward{RequestID: 1, Forward: local("/a", path, "h", 80)}, `MUX_C_OPEN_FWD id 1 local "/a" -> "h":80`},
		{&muxproto.InfoReply{RequestID: 1, OK: true, Text: "secret"}, `MUX_S_EXT_INFO id 1 ok true, 6 bytes`},
	} {
		require.Equal(t, c.want, muxproto.Describe(c.m))
	}
	env := &muxproto.NewSession{Env: []string{"TOKEN=hunter2"}, Command: strings.Repeat("x", 5000)}
	require.NotContains(t, muxproto.Describe(env), "hunter2")
	require.Less(t, len(muxproto.Describe(env)), 400)
	for _, typ := range muxproto.Types() {
		require.True(t, strings.HasPrefix(muxproto.Describe(typ.New()), typ.String()))
	}
}
