package main

import (
	"fmt"
	"time"
)

// Figures as a person reads them: two or three digits and a unit.

// sizeText writes a number of bytes in steps of 1024: "96", "3.1K", "12M".
func sizeText(n float64) string {
	const units = "KMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%.0f", n)
	}
	unit := -1
	for n >= 1000 && unit < len(units)-1 { // a fourth digit is the next unit's
		n /= 1024
		unit++
	}
	if n < 9.95 {
		return fmt.Sprintf("%.1f%c", n, units[unit])
	}
	return fmt.Sprintf("%.0f%c", n, units[unit])
}

// ageText writes a length of time in its two largest units: "3s", "41m",
// "2h05m", "3d04h".
func ageText(d time.Duration) string {
	s := int(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm", s/60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// tripText writes a round trip, and a dash for one that is not known.
func tripText(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d <= 0:
		return "-"
	case ms < 9.95:
		return fmt.Sprintf("%.1fms", ms)
	case d < time.Second:
		return fmt.Sprintf("%.0fms", ms)
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

// countText is a number of things: "1 session", "2 sessions".
func countText(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
