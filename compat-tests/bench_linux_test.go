package compat

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkMasters is `make bench`: rows of measurements, each of which does the same to both masters in turn and
// compares them round by round. `-bench Masters/REGEXP` selects rows; BENCH_QUICK=1 takes fewer and smaller rounds
// and leaves out what is slow, unless BENCH_ROWS names rows; BENCH_WRITE names the file whose table the rows' lines are
// written to.
func BenchmarkMasters(b *testing.B) {
	report := newReport()
	for _, r := range contests() {
		b.Run(r.name, func(b *testing.B) {
			began := time.Now()
			lines := r.run(b)
			report.add(b, lines)
			fmt.Fprintf(os.Stderr, "\n%s: %s (%.0f s)\n", r.name, r.what, time.Since(began).Seconds())
			for _, l := range lines {
				fmt.Fprintln(os.Stderr, l.text())
				b.ReportMetric(l.Ratio, strings.ReplaceAll(l.Metric, " ", "-")+"-ratio")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
	report.write(b)
}

// benchQuick tells whether a look in two minutes is wanted rather than a measurement.
func benchQuick() bool { return os.Getenv("BENCH_QUICK") != "" }

// choose is a number for a measurement, or a smaller one for a quick look.
func choose[N int | time.Duration](full, quick N) N {
	if benchQuick() {
		return quick
	}
	return full
}

// A contest is one row of the table: one thing that is done to both masters.
type contest struct {
	name string
	what string // for the reader of the table

	// Goals are what it measures, in the order of the table.
	goals []goal

	// Rounds is how many count.
	rounds int

	// Pair is how many of them one pair of masters does, beside its first one, which is thrown away; all where it is 0.
	// The same program is faster or slower by a tenth from one start to the next, and stays so: with where its memory and
	// its server's happen to lie. More rounds of one pair do not even that out.
	pair int

	// Prepare makes a master of that kind ready and returns what takes one reading of it.
	prepare func(b testing.TB, kind Kind) (measure func() reading)

	slow bool // not in a quick look, unless it is asked for
}

// quickTime is what a quick look gives a row, beside the first round: so many rounds as fit, but at least two.
const quickTime = 4 * time.Second

// enough tells whether the rounds that count are done.
func (r contest) enough(rounds int, began time.Time) bool {
	return rounds >= r.rounds || benchQuick() && rounds >= 2 && time.Since(began) > quickTime
}

// A goal is one number that a row measures. Due is what its ratio, ours to stock's, must reach and aim what it is after;
// zero for none.
type goal struct {
	metric string
	unit   string
	due    float64
	aim    float64
	more   bool // a higher ratio is the better one
	own    bool // due and aim are of our own value, not of the ratio
}

// A reading is one measurement: a value for each metric.
type reading map[string]float64

// run takes the readings of all rounds, both masters in random order in each, and returns a line for each metric.
func (r contest) run(b *testing.B) []line {
	if r.slow && benchQuick() && os.Getenv("BENCH_ROWS") == "" {
		b.Skip("takes too long for a quick look")
	}
	var readings []map[Kind]reading
	for began := time.Now(); !r.enough(len(readings), began); {
		readings = r.match(b, began, readings)
	}
	return r.lines(readings)
}

// match adds the readings of one pair of masters to those of others.
func (r contest) match(b *testing.B, began time.Time, readings []map[Kind]reading) []map[Kind]reading {
	on := &stage{TB: b}
	defer on.end()
	measure := map[Kind]func() reading{}
	for _, kind := range []Kind{Stock, Ours} {
		measure[kind] = r.prepare(on, kind)
	}
	round(measure)
	last := len(readings) + cmp.Or(r.pair, r.rounds)
	for !r.enough(len(readings), began) && len(readings) < last {
		readings = append(readings, round(measure))
	}
	return readings
}

// round takes a reading of each master, in random order.
func round(measure map[Kind]func() reading) map[Kind]reading {
	order := []Kind{Stock, Ours}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	both := map[Kind]reading{}
	for _, kind := range order {
		both[kind] = measure[kind]()
	}
	return both
}

func (r contest) lines(readings []map[Kind]reading) []line {
	var lines []line
	for _, g := range r.goals {
		var stock, ours, ratios []float64
		for _, both := range readings {
			s, o := both[Stock][g.metric], both[Ours][g.metric]
			stock, ours, ratios = append(stock, s), append(ours, o), append(ratios, o/s)
		}
		slices.Sort(ratios)
		lines = append(lines, line{
			goal: g, Row: r.name, What: r.what, Metric: g.metric, Rounds: len(ratios),
			Stock: median(stock), Ours: median(ours), Ratio: median(ratios),
			Low: quantile(ratios, 0.25), High: quantile(ratios, 0.75),
		})
	}
	return lines
}

// benchMaster is newMaster with the control socket in a folder of its own: ssh-master watches that folder, and the server's
// log in it would wake it at every session. The server goes on listening, for further connections of a master's.
func benchMaster(b testing.TB, kind Kind, setup Setup) *Master {
	b.Helper()
	later := setup.NotStarted
	setup.Control, setup.NotStarted, setup.Plain, setup.KeepOpen = "s/ctl", true, true, true
	m := newMaster(b, kind, setup)
	require.NoError(b, os.Mkdir(filepath.Dir(m.Control), 0o700))
	if !later {
		m.Start(b)
	}
	return m
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quantile of values in order.
func quantile(sorted []float64, q float64) float64 {
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
