package compat

import (
	"slices"
	"sync"
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
		do      func(t *testing.T, f *faulty) time.Duration
	}{
		{"command", nil, 0.56, func(t *testing.T, f *faulty) time.Duration {
			return f.timed(t, "true")
		}},
		{"terminal", nil, 0.56, func(t *testing.T, f *faulty) time.Duration {
			return f.timed(t, "-tt", "true")
		}},
		// Until all have ended. There are none ahead for five before there have been five.
		{"five at once", []string{"-o", "WarmSessions=4"}, 0.6, func(t *testing.T, f *faulty) time.Duration {
			begin := time.Now()
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() { f.timed(t, "true") })
			}
			all.Wait()
			return time.Since(begin)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			masters := map[Kind]*faulty{}
			times := map[Kind][]time.Duration{}
			for _, kind := range []Kind{Stock, Ours} {
				c := circumstances{Delay: farAway / 2}
				if kind == Ours {
					c.Options = test.options
				}
				masters[kind] = newFaulty(t, kind, c)
				test.do(t, masters[kind]) // the first one teaches and is not measured
			}
			for range 15 {
				for _, kind := range []Kind{Stock, Ours} {
					time.Sleep(3 * farAway) // people are no faster
					times[kind] = append(times[kind], test.do(t, masters[kind]))
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

// timed is how long a client takes.
func (f *faulty) timed(t *testing.T, args ...string) time.Duration {
	begin := time.Now()
	options, command := args[:len(args)-1], args[len(args)-1]
	r, err := Command{Args: f.SSH(append(options, Target, command)...)}.run()
	took := time.Since(begin)
	if err != nil || r.Code != 0 {
		t.Errorf("%v ended with %d: %v %s", args, r.Code, err, r.Stderr)
	}
	return took
}

func middle(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
