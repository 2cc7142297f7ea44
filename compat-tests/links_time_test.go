package compat

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// farAway is a round trip that hides what this machine is busy with otherwise.
const farAway = 100 * time.Millisecond

// How long real clients wait on a network of 100 ms, as a part of what they wait with stock: sessions are open ahead, and
// a terminal costs no round trip of its own. Keystrokes beside bulk are measured by `make bench`.
func TestTimesFarAway(t *testing.T) {
	if !long() {
		t.Skip("measured where COMPAT_LONG is set: no test of every day asserts a time")
	}
	for _, test := range []struct {
		name    string
		options []string // of ours
		most    float64  // of stock's time
		do      func(t *testing.T, f *faulty)
	}{
		{"command", nil, 0.56, func(t *testing.T, f *faulty) {
			require.Equal(t, Result{}, f.Session(t, "true"))
		}},
		{"terminal", nil, 0.56, func(t *testing.T, f *faulty) {
			r := run(t, Command{Args: f.SSH("-tt", Target, "true")})
			require.Equal(t, 0, r.Code, r.Stderr)
		}},
		{"five at once", []string{"-o", "WarmSessions=4"}, 0.6, func(t *testing.T, f *faulty) {
			allAre(t, Result{}, f.many(5, "true"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			masters := map[Kind]*faulty{}
			times := map[Kind][]time.Duration{}
			for _, kind := range []Kind{Stock, Ours} {
				c := circumstances{}
				if kind == Ours {
					c.Options = test.options
				}
				masters[kind] = newFaulty(t, kind, c)
				masters[kind].Relay.Delay(t, farAway/2)
				test.do(t, masters[kind]) // the first one teaches and is not measured
			}
			for range 15 {
				for _, kind := range []Kind{Stock, Ours} {
					time.Sleep(3 * farAway) // people are no faster
					begin := time.Now()
					test.do(t, masters[kind])
					times[kind] = append(times[kind], time.Since(begin))
				}
			}
			stock, ours := middle(times[Stock]), middle(times[Ours])
			ratio := float64(ours) / float64(stock)
			t.Logf("stock %v, ours %v: %.2f", stock.Round(time.Millisecond), ours.Round(time.Millisecond), ratio)
			require.LessOrEqual(t, ratio, test.most)
			masters[Ours].nobodyFellBack(t)
		})
	}
}

func middle(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
