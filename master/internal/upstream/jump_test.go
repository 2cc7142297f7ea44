package upstream_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/prompt"
)

// A site is a number of servers and one configuration that knows them.
type site struct {
	config string // the file's name
	text   string // what is in it
	blocks []string
}

// add puts a server into the configuration, reached at addr, "" for its own.
func (s *site) add(t *testing.T, alias string, srv *sshtest.Server, addr string, lines ...string) {
	t.Helper()
	if addr == "" {
		addr = srv.Addr()
	}
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	files := srv.Files(t)
	known := strings.Replace(srv.KnownHostsLine(), "]:", "]:"+port+",[127.0.0.1]:", 1)
	require.NoError(t, os.WriteFile(files.KnownHosts, []byte(known+"\n"), 0o600))
	s.blocks = append(s.blocks, strings.Join(append([]string{
		"Host " + alias, "HostName " + host, "Port " + port, "User demo", "IdentityFile " + files.ClientKey,
		"IdentitiesOnly yes", "IdentityAgent none", "UserKnownHostsFile " + files.KnownHosts,
		"GlobalKnownHostsFile none", "StrictHostKeyChecking yes", "UpdateHostKeys no",
	}, lines...), "\n"))
}

// options are what it takes to dial alias.
func (s *site) options(t *testing.T, alias string, args ...string) upstream.Options {
	t.Helper()
	text := strings.Join(s.blocks, "\n") + "\n"
	if text != s.text { // others may be reading it
		s.config, s.text = t.TempDir()+"/config", text
		require.NoError(t, os.WriteFile(s.config, []byte(text), 0o600))
	}
	h, err := hostconfig.Resolve(within(t), hostconfig.Query{
		Args: append([]string{"-F", s.config}, args...), Destination: alias, Env: os.Environ(), OwnFile: "none",
	})
	require.NoError(t, err)
	return upstream.Options{Host: h, Env: os.Environ()}
}

// behind is a bastion with two hosts behind it.
func behind(t *testing.T, bastion *sshtest.Server, addr string, lines ...string) (*site, [2]*sshtest.Server) {
	s := &site{}
	s.add(t, "bastion", bastion, addr, lines...)
	inner := [2]*sshtest.Server{sshtest.NewServer(t, sshtest.Handle(echo)), sshtest.NewServer(t, sshtest.Handle(echo))}
	s.add(t, "inner1", inner[0], "", "ProxyJump bastion")
	s.add(t, "inner2", inner[1], "", "ProxyJump bastion")
	return s, inner
}

// somebody answers every question, and remembers them.
type somebody struct {
	mu     sync.Mutex
	answer string
	asked  []string
}

func (p *somebody) Prompt(_ context.Context, q prompt.Question) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, q.Text)
	return p.answer, nil
}

func (p *somebody) questions() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// carries sends a megabyte there and back.
func carries(t *testing.T, l *upstream.Link) {
	t.Helper()
	data := make([]byte, 1<<20)
	_, _ = rand.Read(data)
	require.NoError(t, roundTrip(session(t, l), data))
}

// deserted waits until nobody is connected to a server.
func deserted(t *testing.T, srv *sshtest.Server) {
	t.Helper()
	soon(t, "nobody is connected", func() bool { return srv.Counts().OpenConns == 0 })
}

func TestThreeLayersAndOneCode(t *testing.T) {
	sshtest.NoLeaks(t)
	global := sshtest.NewServer(t, sshtest.SecondFactor("Code: ", func(code string) bool { return code == "123456" }))
	regional := sshtest.NewServer(t)
	s, inner := behind(t, regional, "", "ProxyJump global")
	s.add(t, "global", global, "")
	person := &somebody{answer: "123456"}
	links := upstream.NewLinks()

	var up []*upstream.Link
	for _, alias := range []string{"inner1", "inner2"} {
		o := s.options(t, alias)
		o.Links, o.Prompter = links, person
		l := dial(t, o)
		require.True(t, l.Info().Proxied)
		require.Equal(t, o.Host.HostName+":"+fmt.Sprint(o.Host.Port)+" through bastion", l.Info().Remote.String())
		require.NoError(t, l.SetInteractive(true))
		up = append(up, l)
	}
	carries(t, up[0])
	carries(t, up[1])
	require.Equal(t, []string{"(demo@127.0.0.1) Code: "}, person.questions())
	for _, srv := range []*sshtest.Server{global, regional, inner[0], inner[1]} {
		require.Equal(t, 1, srv.Counts().Logins)
	}

	require.NoError(t, up[0].Close())
	carries(t, up[1])
	require.NoError(t, up[1].Close())
	require.ErrorIs(t, up[1].Err(), upstream.ErrClosed)
	deserted(t, regional)
	deserted(t, global)
}

func TestManyAtOnceShareOneLogin(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t, sshtest.SecondFactor("Code: ", func(string) bool { return true }))
	s, _ := behind(t, bastion, "")
	person := &somebody{}
	links := upstream.NewLinks()
	results := make(chan *upstream.Link, 10)
	for i := range cap(results) {
		o := s.options(t, []string{"inner1", "inner2"}[i%2])
		o.Links, o.Prompter = links, person
		go func() {
			l, err := upstream.Dial(within(t), o)
			if err != nil {
				t.Error(err)
			}
			results <- l
		}()
	}
	for range cap(results) {
		if l := <-results; l != nil {
			t.Cleanup(func() { _ = l.Close() })
		}
	}
	require.Len(t, person.questions(), 1)
	require.Equal(t, 1, bastion.Counts().Logins)
}

func TestOtherLoginsAreNotShared(t *testing.T) {
	bastion := sshtest.NewServer(t)
	s, _ := behind(t, bastion, "")
	links := upstream.NewLinks()
	for _, jump := range []string{"bastion", "somebody@bastion"} {
		o := s.options(t, "inner1", "-J", jump)
		o.Links = links
		dial(t, o)
	}
	dial(t, s.options(t, "inner1")) // without Links
	require.Equal(t, 3, bastion.Counts().Logins)
}

func TestBastionDies(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t)
	s, _ := behind(t, bastion, "")
	links := upstream.NewLinks()
	dialled := func(alias string) *upstream.Link {
		o := s.options(t, alias)
		o.Links = links
		return dial(t, o)
	}
	one, two := dialled("inner1"), dialled("inner2")
	ch := session(t, one)
	require.NoError(t, bastion.Conns()[0].Close())
	for _, l := range []*upstream.Link{one, two} {
		err := ended(t, l)
		require.ErrorIs(t, err, upstream.ErrRemoteClosed)
		require.EqualError(t, err, "Connection to 127.0.0.1 lost: jump host bastion: Connection to 127.0.0.1 closed by remote host")
	}
	_, err := io.ReadAll(ch)
	require.NoError(t, err)

	carries(t, dialled("inner1"))
	require.Equal(t, 2, bastion.Counts().Logins)
}

func TestFarthestJumpHostIsNamed(t *testing.T) {
	sshtest.NoLeaks(t)
	global, regional := sshtest.NewServer(t), sshtest.NewServer(t)
	s, _ := behind(t, regional, "", "ProxyJump global")
	s.add(t, "global", global, "")
	l := dial(t, s.options(t, "inner1"))
	require.NoError(t, global.Conns()[0].Close())
	require.ErrorContains(t, ended(t, l), "lost: jump host global: Connection to 127.0.0.1 closed")
}

func TestSilentBastion(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t)
	relay := sshtest.NewRelay(t, bastion.Addr())
	s, _ := behind(t, bastion, relay.Addr())
	o := s.options(t, "inner1")
	o.Host.ServerAliveInterval, o.Host.ServerAliveCountMax = 50*time.Millisecond, 2
	o.Links = upstream.NewLinks()
	l := dial(t, o)
	patient := s.options(t, "inner2")
	patient.Links = o.Links
	dial(t, patient)
	relay.FreezePresent()
	require.ErrorIs(t, ended(t, l), upstream.ErrTimeout)

	// The link to the bastion is not known to be dead: another one finds out,
	// and who comes after it does better.
	require.ErrorContains(t, dialThrough(t, s, o.Links), ": jump host bastion: Connection timed out")
	require.Equal(t, 2, bastion.Counts().Logins)
	relay.Cut()
}

// dialThrough dials inner2 over links with a ConnectTimeout until it works, and
// returns the last error before that.
func dialThrough(t *testing.T, s *site, links *upstream.Links) (last error) {
	t.Helper()
	o := s.options(t, "inner2")
	o.Links, o.Host.ConnectTimeout = links, time.Second
	for range 3 {
		l, err := upstream.Dial(within(t), o)
		if err == nil {
			require.NoError(t, l.Close())
			return last
		}
		last = err
	}
	require.FailNow(t, "the bastion was never dialled anew", "%v", last)
	return nil
}

func TestConnectTimeoutBeyondAJump(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t)
	s, inner := behind(t, bastion, "")
	release := bastion.Hold("direct-tcpip")
	defer release()
	o := s.options(t, "inner1")
	o.Host.ConnectTimeout = 300 * time.Millisecond
	err := failing(t, t.Context(), o)
	require.Equal(t, upstream.Reached, err.Stage)
	require.Contains(t, err.Error(), ": jump host bastion: Connection timed out (ConnectTimeout 300ms)")
	release()

	s.add(t, "mute", inner[0], listener(t, mute), "ProxyJump bastion")
	o = s.options(t, "mute")
	o.Host.ConnectTimeout = 300 * time.Millisecond
	err = failing(t, t.Context(), o)
	require.Equal(t, upstream.Greeted, err.Stage)
	require.Contains(t, err.Error(), "Connection timed out during banner exchange (ConnectTimeout 300ms)")
	deserted(t, bastion)
}

func TestConnectTimeoutWaitsForTheJumpHost(t *testing.T) {
	t.Parallel()
	bastion := sshtest.NewServer(t, sshtest.SecondFactor("Code: ", func(string) bool {
		time.Sleep(1600 * time.Millisecond) // a person thinks
		return true
	}))
	s, _ := behind(t, bastion, "")
	o := s.options(t, "inner1")
	o.Host.ConnectTimeout, o.Prompter = 1500*time.Millisecond, &somebody{}
	dial(t, o)
}

func TestWhatStandsInTheWay(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t)
	s, inner := behind(t, bastion, "")
	stranger := sshtest.NewServer(t, sshtest.Configure(func(c *ssh.ServerConfig) {
		c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, errors.New("no") }
	}))
	s.add(t, "stranger", stranger, "")
	s.add(t, "beyond", bastion, "", "ProxyJump stranger")
	s.add(t, "kerberos", bastion, "", "PreferredAuthentications gssapi-with-mic")

	bastion.Refuse("direct-tcpip")
	require.Regexp(t, `^ssh: connect to host 127\.0\.0\.1 port \d+: jump host bastion: administratively prohibited.*AllowTcpForwarding`,
		failing(t, within(t), s.options(t, "inner1")).Error())
	bastion.Accept("direct-tcpip")
	require.NoError(t, inner[0].StopListening())
	require.Regexp(t, `^ssh: connect to host 127\.0\.0\.1 port \d+: jump host bastion: connect failed: .*refused`,
		failing(t, within(t), s.options(t, "inner1")).Error())

	for jump, want := range map[string]string{
		"stranger":        "^jump host stranger on the way to inner1: demo@127.0.0.1: Permission denied",
		"beyond":          "^jump host stranger on the way to inner1: demo@127.0.0.1: Permission denied",
		"kerberos":        "^jump host kerberos on the way to inner1: 127.0.0.1: .*PreferredAuthentications gssapi-with-mic: ",
		"nowhere.invalid": "^jump host nowhere.invalid on the way to inner1: ssh: Could not resolve hostname nowhere.invalid: ",
	} {
		err := failing(t, within(t), s.options(t, "inner1", "-J", jump))
		require.Equal(t, upstream.Reached, err.Stage)
		require.Regexp(t, want, err.Error())
	}
	s.blocks = append(s.blocks, "Host looping", "ProxyJump looping2", "Host looping2", "ProxyJump looping")
	err := failing(t, within(t), s.options(t, "inner1", "-J", "looping"))
	require.Equal(t, upstream.Configured, err.Stage)
	require.Contains(t, err.Error(), "jumphost loop via looping: inner1 through looping through looping2, and again looping")
}

func TestBastionHangsUpDuringTheLogin(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t)
	s, inner := behind(t, bastion, "")
	s.add(t, "mute", inner[0], listener(t, func(nc net.Conn) {
		_, _ = nc.Read(make([]byte, 1)) // the greeting
		_ = bastion.Conns()[0].Close()
		mute(nc)
	}), "ProxyJump bastion")
	err := failing(t, within(t), s.options(t, "mute"))
	require.Contains(t, err.Error(), ": jump host bastion: Connection to 127.0.0.1 closed by remote host")
	require.ErrorIs(t, err, upstream.ErrRemoteClosed)
}

func TestWhoeverDialsMayBeCalledOff(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t, sshtest.SecondFactor("Code: ", func(string) bool { return true }))
	s, _ := behind(t, bastion, "")
	links := upstream.NewLinks()
	first, second := s.options(t, "inner1"), s.options(t, "inner2")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	thinking := &hesitant{asked: make(chan struct{})}
	first.Links, first.Prompter = links, thinking
	second.Links, second.Prompter = links, &somebody{}

	failed := make(chan error, 1)
	go func() {
		_, err := upstream.Dial(ctx, first)
		failed <- err
	}()
	<-thinking.asked
	up := make(chan *upstream.Link, 1)
	go func() {
		l, err := upstream.Dial(within(t), second)
		if err != nil {
			t.Error(err)
		}
		up <- l
	}()
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	l := <-up
	require.NotNil(t, l)
	require.Equal(t, 1, bastion.Counts().Logins)
	require.NoError(t, l.Close())
}

func TestWhoeverWaitsMayBeCalledOff(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t, sshtest.SecondFactor("Code: ", func(string) bool { return true }))
	s, _ := behind(t, bastion, "")
	links := upstream.NewLinks()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, second, third := s.options(t, "inner1"), s.options(t, "inner2"), s.options(t, "bastion")
	thinking := &hesitant{asked: make(chan struct{})}
	first.Links, first.Prompter, second.Links = links, thinking, links
	failed := make(chan error, 1)
	go func() {
		_, err := upstream.Dial(ctx, first)
		failed <- err
	}()
	<-thinking.asked
	soonOver, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	require.ErrorIs(t, failing(t, soonOver, second), context.DeadlineExceeded)
	_, err := links.Dial(soonOver, third)
	var called *upstream.DialError
	require.ErrorAs(t, err, &called)
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	require.Zero(t, bastion.Counts().Logins)
}

func TestWhoeverDialsMayHaveNobodyToAsk(t *testing.T) {
	sshtest.NoLeaks(t)
	deciding, decide := make(chan struct{}), make(chan struct{})
	var once sync.Once
	bastion := sshtest.NewServer(t, sshtest.Configure(func(c *ssh.ServerConfig) {
		accept := c.PublicKeyCallback
		c.PublicKeyCallback = func(m ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
			once.Do(func() { close(deciding); <-decide })
			return accept(m, k)
		}
	}), sshtest.SecondFactor("Code: ", func(string) bool { return true }))
	s, _ := behind(t, bastion, "")
	links, person := upstream.NewLinks(), &somebody{}
	first, second := s.options(t, "inner1"), s.options(t, "inner2")
	first.Links, second.Links, second.Prompter = links, links, person
	failed, up := make(chan error, 1), make(chan *upstream.Link, 1)
	go func() {
		_, err := upstream.Dial(within(t), first)
		failed <- err
	}()
	<-deciding
	go func() {
		l, err := upstream.Dial(within(t), second)
		if err != nil {
			t.Error(err)
		}
		up <- l
	}()
	close(decide)
	require.ErrorContains(t, <-failed, "jump host bastion on the way to inner1: ")
	l := <-up
	require.NotNil(t, l)
	require.NoError(t, l.Close())
	require.Len(t, person.questions(), 1)
}

// hesitant never answers.
type hesitant struct{ asked chan struct{} }

func (p *hesitant) Prompt(ctx context.Context, _ prompt.Question) (string, error) {
	close(p.asked)
	<-ctx.Done()
	return "", context.Cause(ctx)
}

// counter counts how often a link began and ceased to be used.
type counter struct {
	mu         sync.Mutex
	begun, now int
}

func (c *counter) busy() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun++
	c.now++
	return func() { c.mu.Lock(); c.now--; c.mu.Unlock() }
}

func (c *counter) is(begun, now int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begun == begun && c.now == now
}

func TestJumpsUseAnOwnersLink(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t)
	s, _ := behind(t, bastion, "")
	links, use := upstream.NewLinks(), &counter{}
	o := s.options(t, "bastion", "-M", "-N", "-o", "ControlPath=/nowhere")
	o.Busy = use.busy
	own, err := links.Dial(within(t), o)
	require.NoError(t, err)
	defer func() { _ = own.Close() }()
	require.True(t, use.is(0, 0))

	o1, o2 := s.options(t, "inner1"), s.options(t, "inner2")
	o1.Links, o2.Links = links, links
	one, two := dial(t, o1), dial(t, o2)
	require.Equal(t, 1, bastion.Counts().Logins)
	require.True(t, use.is(1, 1))
	require.NoError(t, one.Close())
	require.NoError(t, two.Close())
	soon(t, "nobody jumps", func() bool { return use.is(1, 0) })
	require.NoError(t, own.Err(), "it is its owner's to close")

	three := dial(t, o1)
	require.True(t, use.is(2, 1))
	require.NoError(t, own.Close())
	err = ended(t, three)
	require.ErrorIs(t, err, upstream.ErrRemoteClosed)
	require.NotErrorIs(t, err, upstream.ErrClosed)
	require.ErrorContains(t, err, "lost: jump host bastion: Connection to 127.0.0.1 closed")
}

func TestOwnerTakesAJumpLinkOver(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t)
	s, _ := behind(t, bastion, "")
	links, use := upstream.NewLinks(), &counter{}
	o := s.options(t, "inner1")
	o.Links = links
	l := dial(t, o)
	opened := make(chan struct{})
	ob := s.options(t, "bastion")
	ob.Busy, ob.Channels = use.busy, map[string]func(ssh.NewChannel){"probe": func(nc ssh.NewChannel) {
		_ = nc.Reject(ssh.Prohibited, "no")
		close(opened)
	}}
	own, err := links.Dial(within(t), ob)
	require.NoError(t, err)
	require.Equal(t, 1, bastion.Counts().Logins)
	require.True(t, use.is(1, 1))
	_, err = bastion.Conns()[0].OpenChannel("probe", nil)
	require.Error(t, err)
	<-opened
	require.NoError(t, l.Close())
	soon(t, "nobody jumps", func() bool { return use.is(1, 0) })

	another, err := links.Dial(within(t), ob)
	require.NoError(t, err)
	require.NotSame(t, own, another, "a link has one owner")
	require.NoError(t, own.Close())
	require.NoError(t, another.Close())
}

func TestTunnelAsAConnection(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t)
	s, _ := behind(t, bastion, "")
	l := dial(t, s.options(t, "inner1"))
	nc := l.Wire()
	require.Equal(t, "ssh", nc.RemoteAddr().Network())
	require.NoError(t, nc.SetReadDeadline(time.Now().Add(time.Hour)))
	require.NoError(t, nc.SetWriteDeadline(time.Now().Add(time.Hour)))
	require.NoError(t, nc.SetDeadline(time.Time{}))
	carries(t, l)
	require.NoError(t, nc.SetReadDeadline(time.Now()))
	require.ErrorIs(t, ended(t, l), upstream.ErrTimeout)
	_, err := nc.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = nc.Write([]byte("x"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	deserted(t, bastion)
}

func TestJumpHostsOptionsAreJudged(t *testing.T) {
	bastion := sshtest.NewServer(t)
	s, _ := behind(t, bastion, "", "ControlMaster yes", "ControlPath "+t.TempDir()+"/none", "ForwardAgent yes")
	said := &screen{}
	o := s.options(t, "inner1")
	o.Log = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	o.Links = upstream.NewLinks()
	for range 2 {
		require.NoError(t, dial(t, o).Close())
		deserted(t, bastion)
	}
	require.Equal(t, 1, strings.Count(said.String(), "jump host bastion: ControlMaster yes: with it ssh never attaches"))
	require.NotContains(t, said.String(), "ForwardAgent")
}
