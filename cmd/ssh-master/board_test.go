package main

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
)

// watched is a board that has seen masters for some seconds, in each of which more
// was moved.
func watched(seconds int) *board {
	b := &board{glyphs: unicodeGlyphs}
	for i := range seconds + 1 {
		all := household()
		n := uint64(i)
		all[0].Links[0].BytesIn += 2048 * n
		all[0].Links[1].BytesOut += 512 * n
		all[0].Sessions[1].BytesIn += 1024 * n
		b.update(all, nil, noon.Add(time.Duration(i)*time.Second))
	}
	return b
}

func TestBoard(t *testing.T) {
	b := watched(10)
	require.Equal(t, "2 hosts, 1202 sessions, 2.0K/s in, 512/s out", b.summary())
	require.Equal(t, `
HOST         STATE   RTT    AGE  IN/s              OUT/s              ADDRESS
bastion      up     11ms  2h05m  2.0K          ██    512          ▃▃  you@10.0.0.1:22
    877 git  -               3s  1.0K          ▅▅      0          ▁▁  git-upload-pack 'app.?[31mgit'
  41213 ssh  pts/3        1h00m     0          ▁▁      0          ▁▁  (shell)
  and 1200 sessions and 1 forward more
日本         idle      -  2d02h     0          ▁▁      0          ▁▁  root@web-1:2222
  no connection: Connection refused by web-1
`, "\n"+text(b.lines(110, noon)))
}

func TestBoardOrders(t *testing.T) {
	b := watched(3)
	names := func() (all []int) {
		for _, m := range b.masters {
			for _, s := range m.Sessions {
				all = append(all, s.PID)
			}
		}
		return all
	}
	require.Equal(t, []int{877, 41213}, names(), "the busiest first")
	require.Equal(t, "bastion", b.masters[0].Host)
	b.resort()
	require.Equal(t, "name", b.order.String())
	require.Equal(t, []int{877, 41213}, names())
	b.resort()
	require.Equal(t, "age", b.order.String())
	require.Equal(t, []int{877, 41213}, names())
	require.Equal(t, "bastion", b.masters[0].Host)
	b.resort()
	require.Equal(t, byRate, b.order)
}

func TestBoardInTrouble(t *testing.T) {
	b := watched(3)
	b.update(nil, errors.New("it does not answer"), noon)
	require.Equal(t, "ssh-master: it does not answer\n", text(b.lines(80, noon)))
	require.Equal(t, "0 hosts, 0 sessions, 0/s in, 0/s out", b.summary())
}

// A link that is gone takes nothing back, and one that comes brings what it has
// moved.
func TestFlowsOverLinksThatChange(t *testing.T) {
	var f flows
	look := func(second int, links ...master.LinkStatus) float64 {
		m := master.Status{Control: "/run/a", Links: links}
		f.look([]master.Status{m}, noon.Add(time.Duration(second)*time.Second))
		return f.of(keyOf(m)).in.now()
	}
	require.Zero(t, look(0, master.LinkStatus{Number: 1, BytesIn: 5000}))
	require.EqualValues(t, 1000, look(1, master.LinkStatus{Number: 1, BytesIn: 6000}))
	require.EqualValues(t, 300, look(3, master.LinkStatus{Number: 2, BytesIn: 600}))
	require.Zero(t, look(4))
	require.Len(t, f.counts, 0)
}

func TestGraph(t *testing.T) {
	var h history
	require.Equal(t, "      ", h.graph(6, unicodeGlyphs.bars))
	h.add(0)
	require.Equal(t, "     ▁", h.graph(6, unicodeGlyphs.bars))
	for range 59 {
		h.add(lowPeak)
	}
	require.Equal(t, "██████", h.graph(6, unicodeGlyphs.bars))
	h.add(4 * lowPeak) // the oldest is gone: seven cells begin, six are shown
	require.Equal(t, "▃▃▃▃▃█", h.graph(6, unicodeGlyphs.bars))
	require.Len(t, h.rates, span)
}

func TestGlyphs(t *testing.T) {
	env := func(pairs map[string]string) func(string) string {
		return func(name string) string { return pairs[name] }
	}
	require.Equal(t, unicodeGlyphs, glyphsOf(env(map[string]string{"LANG": "en_GB.UTF-8"})))
	require.Equal(t, unicodeGlyphs, glyphsOf(env(map[string]string{"LC_CTYPE": "C.utf8", "LANG": "C"})))
	require.Equal(t, asciiGlyphs, glyphsOf(env(map[string]string{"LC_ALL": "C", "LANG": "en_GB.UTF-8"})))
	require.Equal(t, asciiGlyphs, glyphsOf(env(nil)))
}
