package main

import (
	"math"
	"strings"
)

// lowPeak is what the highest bar of a graph stands for at least, in bytes a
// second: a few keystrokes are no mountain.
const lowPeak = 2 << 10

// A history is the rates of the last seconds, in bytes a second.
type history struct {
	rates []float64 // the newest last
	count int       // how many there have been
}

// span is how many rates a history keeps: a minute of them.
const span = 60

func (h *history) add(rate float64) {
	h.count++
	h.rates = append(h.rates, rate)
	h.rates = h.rates[max(len(h.rates)-span, 0):]
}

// now is the rate of the moment.
func (h *history) now() float64 {
	if len(h.rates) == 0 {
		return 0
	}
	return h.rates[len(h.rates)-1]
}

// steady is the mean of the last few rates, by which an order does not jump.
func (h *history) steady() float64 { return mean(h.rates[max(len(h.rates)-5, 0):]) }

func mean(rates []float64) float64 {
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum / float64(max(len(rates), 1))
}

// graph draws the last minute in so many cells, the present at the right. Each
// cell is the mean of some seconds, always of the same ones, so that the graph
// moves as a whole.
func (h *history) graph(cells int, bars []rune) string {
	each := (span + cells - 1) / cells
	first := h.count - len(h.rates) // number of the oldest rate, of all that there have been
	means := make([]float64, 0, cells+1)
	for from := 0; from < len(h.rates); {
		to := min(from+each-(first+from)%each, len(h.rates))
		means = append(means, mean(h.rates[from:to]))
		from = to
	}
	means = means[max(len(means)-cells, 0):]
	peak := float64(lowPeak)
	for _, m := range means {
		peak = max(peak, m)
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", cells-len(means)))
	for _, m := range means {
		b.WriteRune(bars[height(m/peak, len(bars))])
	}
	return b.String()
}

// height is how high a part of the peak is drawn, in so many steps, of which the
// lowest is for nothing at all.
func height(part float64, steps int) int {
	return int(math.Ceil(part * float64(steps-1)))
}
