package pool_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/pool"
	"sshmaster/master/internal/upstream/prompt"
)

func TestOneDialForAllWhoWait(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	p := newPool(t, srv, srv.Addr(), nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, end := run(t, p, pool.Want{}, "true")
			end()
		})
	}
	all.Wait()
	require.Equal(t, 1, srv.Counts().Logins)
}

func TestRefusalsAreNotShown(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.MaxSessions(2))
	p := connected(t, srv, srv.Addr(), func(c *pool.Config) { c.Warm = 1 })
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			_, end := run(t, p, pool.Want{}, "true")
			end()
		})
	}
	all.Wait()
	require.LessOrEqual(t, srv.Counts().Logins, 4)
}

func TestOnlyRefusalIsTheAnswer(t *testing.T) {
	srv := sshtest.NewServer(t)
	srv.Refuse("session")
	p := connected(t, srv, srv.Addr(), nil)
	_, err := p.Session(within(t), pool.Want{})
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
}

func TestQueuesWhereALoginNeedsAPerson(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.MaxSessions(2), sshtest.SecondFactor("Code: ", func(code string) bool { return code == "42" }))
	p := newPool(t, srv, srv.Addr(), func(c *pool.Config) { c.Warm = 1 })
	typist := newGuest("42")
	_, end := run(t, p, pool.Want{Guest: typist.waits()}, "true")
	end()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, end := run(t, p, pool.Want{Guest: newGuest("").waits()}, "true")
			end()
		})
	}
	all.Wait()
	require.Equal(t, 1, srv.Counts().Logins)
	require.Len(t, typist.asked, 1)
}

// slow is somebody whose terminal takes a moment to be set back.
type slow struct {
	asked chan struct{}
	back  atomic.Bool
}

func (s *slow) Prompt(ctx context.Context, _ prompt.Question) (string, error) {
	close(s.asked)
	<-ctx.Done()
	time.Sleep(50 * time.Millisecond)
	s.back.Store(true)
	return "", context.Cause(ctx)
}

func TestCalledOffWhileAsking(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.SecondFactor("Code: ", func(string) bool { return true }))
	typist, everybody := &slow{asked: make(chan struct{})}, &crowd{}
	everybody.Join(typist)
	p := newPool(t, srv, srv.Addr(), func(c *pool.Config) { c.Asks = everybody })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-typist.asked
		cancel()
	}()
	require.ErrorIs(t, p.Connect(ctx), context.Canceled)
	require.True(t, typist.back.Load(), "the question was still open")
}

func TestNobodyToAsk(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.SecondFactor("Code: ", func(string) bool { return true }))
	p := newPool(t, srv, srv.Addr(), nil)
	_, err := p.Session(within(t), pool.Want{Guest: newGuest("").waits()})
	require.Error(t, err)
	require.NoError(t, within(t).Err(), "it failed at once")
}

func TestFrozenLinkIsPassedBy(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	relay := sshtest.NewRelay(t, srv.Addr())
	p := connected(t, srv, relay.Addr(), func(c *pool.Config) { c.LastChance = time.Second; c.Warm = 1 })
	first, _ := run(t, p, pool.Want{}, "cat")
	relay.FreezePresent()
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			_, end := run(t, p, pool.Want{}, "true")
			end()
		})
	}
	all.Wait()
	require.Equal(t, 2, srv.Counts().Logins)
	<-first.Link().Done()
	require.ErrorContains(t, first.Link().Err(), "not responding")
	_ = first.Close()
	first.Closed()
}

func TestTrustedInVain(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	relay := sshtest.NewRelay(t, srv.Addr())
	relay.Delay(20 * time.Millisecond)
	p := connected(t, srv, relay.Addr(), func(c *pool.Config) { c.LastChance = time.Second; c.Warm = 1 })
	_, end := run(t, p, pool.Want{}, "true")
	end()
	eventually(t, func() bool { return p.States()[0].Spares == 1 }, "a spare")
	relay.FreezePresent()
	c, err := p.Session(within(t), pool.Want{}) // the host has just spoken
	require.NoError(t, err)
	<-c.Link().Done() // nobody else had to come for that
	require.ErrorContains(t, c.Link().Err(), "not responding")
	require.Equal(t, 2, srv.Counts().Logins)
	_ = c.Close()
	c.Closed()
}

func TestEverythingFrozenAndThawed(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	relay := sshtest.NewRelay(t, srv.Addr())
	p := connected(t, srv, relay.Addr(), nil)
	relay.Freeze()
	g := newGuest("")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, end := run(t, p, pool.Want{Guest: g.waits()}, "true")
		end()
	}()
	require.Contains(t, <-g.told, "does not answer")
	relay.Thaw()
	<-done
}

func TestLinkLostIsDialledAnew(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	relay := sshtest.NewRelay(t, srv.Addr())
	homes := make(chan struct{}, 10)
	p := connected(t, srv, relay.Addr(), func(c *pool.Config) { c.Home = func(pool.Link) { homes <- struct{}{} } })
	c, end := run(t, p, pool.Want{}, "cat")
	relay.Cut()
	<-c.Link().Done()
	end()
	_, end = run(t, p, pool.Want{}, "true")
	end()
	<-homes
	<-homes
	require.Equal(t, 2, srv.Counts().Logins)
}

func TestWaitHasAnEnd(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.MaxSessions(1))
	p := connected(t, srv, srv.Addr(), func(c *pool.Config) { c.Max = 1; c.Hold = time.Second })
	_, end := run(t, p, pool.Want{}, "cat")
	_, err := p.Session(within(t), pool.Want{})
	require.ErrorContains(t, err, "h allows 1 on a connection")
	end()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Session(ctx, pool.Want{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestRotate(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	p := connected(t, srv, srv.Addr(), nil)
	old, endOld := run(t, p, pool.Want{}, "cat")
	text, err := p.Rotate(within(t))
	require.NoError(t, err)
	require.Contains(t, text, "new connection")
	fresh, end := run(t, p, pool.Want{}, "cat")
	require.NotSame(t, old.Link(), fresh.Link())
	require.NoError(t, old.Link().Err())
	endOld()
	<-old.Link().Done()
	end()
}

func TestSessionsOnTerminalsStayOffBulk(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	p := connected(t, srv, srv.Addr(), func(c *pool.Config) { c.Idle = time.Millisecond })
	tty, endTTY := run(t, p, pool.Want{TTY: true}, "cat")
	bulk, endBulk := run(t, p, pool.Want{Bulk: true}, "cat")
	require.NotSame(t, tty.Link(), bulk.Link())
	endBulk()
	<-bulk.Link().Done() // a further link, and idle
	endTTY()

	load, endLoad := run(t, p, pool.Want{}, "cat")
	_, err := load.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	tty, endTTY = run(t, p, pool.Want{TTY: true}, "cat")
	require.NotSame(t, tty.Link(), load.Link())
	endLoad()
	endTTY()
}

func TestBulkThatHasEndedIsNoLoad(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	p := connected(t, srv, srv.Addr(), func(c *pool.Config) { c.Warm = 1 })
	load, endLoad := run(t, p, pool.Want{}, "cat")
	_, err := load.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	endLoad()
	tty, end := run(t, p, pool.Want{TTY: true}, "cat")
	require.Same(t, load.Link(), tty.Link())
	end()
	require.Equal(t, 1, srv.Counts().Logins)
}

func TestSpares(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	relay := sshtest.NewRelay(t, srv.Addr())
	relay.Delay(20 * time.Millisecond)
	p := connected(t, srv, relay.Addr(), func(c *pool.Config) { c.Warm = 2 })
	spares := func(n int) func() bool { return func() bool { return p.States()[0].Spares == n } }
	require.Zero(t, p.States()[0].Spares, "none before the link is used")
	_, end := run(t, p, pool.Want{}, "true")
	end()
	eventually(t, spares(2), "they are opened after the first use")
	before := srv.Counts().Channels
	_, end = run(t, p, pool.Want{TTY: true}, "true")
	eventually(t, func() bool { return srv.Counts().Channels == before+1 }, "one is opened for the one that was taken")
	eventually(t, spares(2), "and kept")
	require.Equal(t, 1, p.States()[0].Sessions)
	end()
	eventually(t, func() bool { return p.States()[0].Sessions == 0 }, "a seat is free again")
}

// A near host gets a spare while sessions come one after the other, and has it back soon after.
func TestNearSpare(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	p := connected(t, srv, srv.Addr(), func(c *pool.Config) { c.Warm = 2 })
	spares := func(n int) func() bool { return func() bool { return p.States()[0].Spares == n } }
	for range 2 {
		eventually(t, func() bool {
			_, end := run(t, p, pool.Want{}, "true")
			end()
			return spares(1)()
		}, "one is opened for the next one")
		eventually(t, spares(0), "it is closed")
		require.Zero(t, p.States()[0].Sessions)
	}
	for range 3 {
		_, end := run(t, p, pool.Want{}, "true")
		end()
		time.Sleep(150 * time.Millisecond) // a person's pace, not a program's
		require.True(t, spares(0)())
	}
	before := srv.Counts().Channels
	for range 10 {
		c, err := p.Session(within(t), pool.Want{})
		require.NoError(t, err)
		leave(c)
	}
	require.Equal(t, before+10, srv.Counts().Channels, "none before a program runs")
	eventually(t, func() bool {
		ch, reqs, err := p.OpenChannel(within(t), "session", nil)
		require.NoError(t, err)
		upstream.Discard(ch, reqs)
		return spares(1)()
	}, "one where nobody sees the program")
}

// A burst larger than the number of spares finds enough of them the next time, as far as a connection has room.
func TestSparesForABurst(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	relay := sshtest.NewRelay(t, srv.Addr())
	relay.Delay(50 * time.Millisecond)
	for warm, sizes := range map[int][][2]int{1: {{5, 5}, {5, 5}, {9, 8}}, 0: {{5, 0}}} {
		p := connected(t, srv, relay.Addr(), func(c *pool.Config) { c.Warm = warm })
		for _, size := range sizes {
			var all sync.WaitGroup
			for range size[0] {
				all.Go(func() {
					_, end := run(t, p, pool.Want{}, "true")
					end()
				})
			}
			all.Wait()
			eventually(t, func() bool { return p.States()[0].Sessions == 0 }, "they end")
			_, end := run(t, p, pool.Want{}, "true") // the sessions of the burst were in the way of spares
			end()
			eventually(t, func() bool { return p.States()[0].Spares == size[1] }, fmt.Sprintf("%d spares after %d at once", size[1], size[0]))
		}
	}
}

// A host that breaks a login off is tried again, but not for ever, and not where somebody was asked.
func TestLoginBrokenOff(t *testing.T) {
	broken := &upstream.DialError{Stage: upstream.Authenticated, Text: "Connection closed during authentication", Err: fmt.Errorf("ssh: %w", io.EOF)}
	for _, c := range []struct{ times, dials int }{{2, 3}, {100, 4}} {
		srv := sshtest.NewServer(t)
		dials := 0
		p := connected(t, srv, srv.Addr(), func(cfg *pool.Config) {
			dial := cfg.Dial
			cfg.Dial = func(ctx context.Context, call pool.Call) (pool.Link, error) {
				if call.Again {
					if dials++; dials <= c.times {
						return nil, broken
					}
				}
				return dial(ctx, call)
			}
		})
		eventually(t, func() bool { return len(srv.Conns()) == 1 }, "the server has a connection")
		srv.Conns()[0].Close()
		eventually(t, func() bool { return len(p.States()) == 0 }, "the link has ended")
		_, err := p.Session(within(t), pool.Want{})
		require.Equal(t, c.dials, dials)
		if c.times < 100 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, broken)
		}
	}
}

// That a stream is refused is its target's answer, however many sessions there have been.
func TestRefusedStream(t *testing.T) {
	srv := sshtest.NewServer(t)
	srv.Refuse("direct-tcpip")
	p := connected(t, srv, srv.Addr(), nil)
	_, end := run(t, p, pool.Want{}, "true")
	end()
	before := srv.Counts().Channels
	_, _, err := p.Stream(within(t), pool.Want{}, "direct-tcpip", nil)
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	require.LessOrEqual(t, srv.Counts().Channels, before+1, "it is asked once")
}
