package proxy_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/proxy"
)

func TestVanishWithManyChannels(t *testing.T) {
	m := newMaster(t)
	nc, err := net.Dial("unix", m.path)
	require.NoError(t, err)
	conn, chans, reqs, err := ssh.NewControlClientConn(nc)
	require.NoError(t, err)
	c := ssh.NewClient(conn, chans, reqs)
	defer c.Close()
	for i := range 100 {
		s := session(t, c)
		in, err := s.StdinPipe()
		require.NoError(t, err)
		switch {
		case i%20 == 0: // data that the host does not take is on its way
			require.NoError(t, s.Start("sleep"))
			go io.Copy(in, zeroes{})
		case i%20 == 1: // data that the slave does not take
			_, err := s.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, s.Start("yes"))
		default:
			require.NoError(t, s.Start("sleep"))
		}
	}
	require.Equal(t, 100, m.host.Counts().OpenChannels)
	nc.Close()
	require.NoError(t, <-m.ends)
	m.idle(t)
	m.alive(t)
}

// An open that the host has not answered when its slave vanishes is closed when
// it is.
func TestVanishWhileOpening(t *testing.T) {
	m := newMaster(t)
	release := m.host.Hold("session")
	defer release()
	c := m.client(t)
	go c.NewSession()
	go c.NewSession()
	m.host.Log().AwaitN(t, 2, "open session")
	require.NoError(t, c.Close())
	require.NoError(t, <-m.ends)
	release()
	m.idle(t)
	m.alive(t)
}

func TestTwoSlavesWithTheSameNumbers(t *testing.T) {
	m := newMaster(t)
	var working sync.WaitGroup
	results := make(chan error, 100)
	for slave := range 4 {
		c := m.client(t)
		for i := range 10 {
			working.Go(func() {
				s, err := c.NewSession()
				if err != nil {
					results <- err
					return
				}
				word := fmt.Sprintf("slave %d session %d", slave, i)
				out, err := s.Output("echo " + word)
				if err == nil && string(out) != word+"\n" {
					err = fmt.Errorf("%q instead of %q", out, word)
				}
				results <- err
			})
		}
	}
	working.Wait()
	close(results)
	for err := range results {
		require.NoError(t, err)
	}
	m.idle(t)
}

func TestTooManyChannels(t *testing.T) {
	m := newMaster(t)
	c := m.client(t)
	var opened []ssh.Channel
	for {
		ch, reqs, err := c.OpenChannel("session", nil)
		if err != nil {
			var refused *ssh.OpenChannelError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, ssh.ResourceShortage, refused.Reason)
			break
		}
		go ssh.DiscardRequests(reqs)
		opened = append(opened, ch)
	}
	require.Len(t, opened, 1000)
	m.alive(t)
	require.NoError(t, opened[500].Close())
	require.Eventually(t, func() bool {
		ch, reqs, err := c.OpenChannel("session", nil)
		if err == nil {
			go ssh.DiscardRequests(reqs)
			ch.Close()
		}
		return err == nil
	}, patience, tick)
	c.Close()
	require.NoError(t, <-m.ends)
	m.idle(t)
}

func TestLinkEnds(t *testing.T) {
	m := newMaster(t)
	c := m.client(t)
	s := session(t, c)
	require.NoError(t, s.Start("sleep"))
	require.NoError(t, m.link.Close())
	require.Error(t, s.Wait())
	_, err := c.NewSession()
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ssh.ConnectionFailed, refused.Reason)
	c.Close()
	require.NoError(t, <-m.ends)
	require.Zero(t, m.busy.Load())
}

func TestContextEnds(t *testing.T) {
	m := newMaster(t)
	r := newRaw(t, m)
	r.open(t, "session")
	r.giveUp(errGivenUp)
	require.ErrorIs(t, <-r.served, errGivenUp)
	require.NotErrorIs(t, errGivenUp, proxy.ErrProtocol)
	m.idle(t)
}
