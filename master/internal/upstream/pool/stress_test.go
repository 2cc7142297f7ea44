package pool_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/pool"
)

// Links that are cut and freeze at any moment, slaves that leave at any moment,
// and a host that allows few sessions: nobody waits for ever, and nothing is left.
func TestTrouble(t *testing.T) {
	t.Run("near", func(t *testing.T) { trouble(t, 0, 300) })
	t.Run("far enough for spares", func(t *testing.T) { trouble(t, 6*time.Millisecond, 15) })
}

// trouble is that at a host so far away, for slaves that come so often.
func trouble(t *testing.T, delay time.Duration, times int) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.MaxSessions(3), sshtest.NoLog())
	relay := sshtest.NewRelay(t, srv.Addr())
	relay.Delay(delay)
	p := connected(t, srv, relay.Addr(), func(c *pool.Config) {
		c.Warm, c.Idle, c.LastChance = 1, 20*time.Millisecond, 300*time.Millisecond
	})
	over := make(chan struct{})
	var trouble, slaves sync.WaitGroup
	trouble.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-over:
				relay.Thaw()
				return
			case <-time.After(time.Duration(rand.IntN(80)) * time.Millisecond):
			}
			switch i % 4 {
			case 0:
				relay.Cut()
			case 1:
				relay.FreezePresent()
			case 2:
				relay.Thaw()
			case 3:
				p.Check()
			}
		}
	})
	for range 8 {
		slaves.Go(func() {
			for range times {
				leaves(t, p)
			}
		})
	}
	slaves.Wait()
	close(over)
	trouble.Wait()
	// The last cut may not be noticed before somebody wants something.
	eventually(t, func() bool { return serves(t, p) }, "a session")
	eventually(t, func() bool {
		return !slices.ContainsFunc(p.States(), func(s pool.State) bool { return s.Sessions != 0 })
	}, "every seat is free again")
}

// serves says whether a command starts.
func serves(t *testing.T, p *pool.Pool) bool {
	c, err := p.Session(within(t), pool.Want{})
	require.NoError(t, err)
	ok, err := c.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{"true"}))
	leave(c)
	return ok && err == nil
}

// leave ends a session and gives it back.
func leave(c *pool.Channel) {
	_ = c.Close()
	for req := range c.Requests {
		if req.WantReply {
			_ = req.Reply(false, nil)
		}
	}
	c.Closed()
}

// leaves has a session, or leaves while it waits for one.
func leaves(t *testing.T, p *pool.Pool) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	left := rand.IntN(3) == 0
	if left {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(20))*time.Millisecond)
		defer cancel()
	}
	c, err := p.Session(ctx, pool.Want{TTY: rand.IntN(4) == 0, Bulk: rand.IntN(4) == 0})
	if err != nil {
		if !left {
			t.Errorf("a session was not had: %v", err)
		}
		return
	}
	if rand.IntN(2) == 0 {
		_, _ = c.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{"true"}))
	}
	leave(c)
}
