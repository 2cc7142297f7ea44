package compat

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// line is one metric of one row, as measured.
type line struct {
	goal
	Row, What, Metric string
	Rounds            int
	Stock, Ours       float64 // medians
	Ratio, Low, High  float64 // median and quartiles of the ratios of the rounds
}

// met says what of its goals a line reached.
func (l line) met() string {
	reached := func(limit float64) bool {
		switch {
		case l.own:
			return l.Ours <= limit
		case l.more:
			return l.Ratio >= limit
		}
		return l.Ratio <= limit
	}
	switch {
	case l.due == 0:
		return ""
	case reached(l.aim):
		return "aim"
	case reached(l.due):
		return "yes"
	}
	return "**no**"
}

func (l line) text() string {
	return fmt.Sprintf("    %-13s stock %s, ssh-master %s %s, ratio %.2f (%.2f to %.2f)%s", l.Metric,
		figure(l.Stock), figure(l.Ours), l.unit, l.Ratio, l.Low, l.High, l.goals())
}

func (l line) goals() string {
	if l.due == 0 {
		return ""
	}
	return fmt.Sprintf(", due %.4g, aim %.4g, met: %s", l.due, l.aim, l.met())
}

func figure(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// markdown is the line's line in the table. Only the first metric of a row says what the row is.
func (l line) markdown(first bool) string {
	what, due, aim := "", "", ""
	if first {
		what = l.What
	}
	if l.due != 0 {
		due, aim = fmt.Sprintf("%.4g", l.due), fmt.Sprintf("%.4g", l.aim)
		if l.own {
			due, aim = due+" "+l.unit, aim+" "+l.unit
		}
	}
	return fmt.Sprintf("%s %s | %s %s | %s | **%.2f** | %.2f–%.2f | %d | %s | %s | %s | %s |", l.key(), what, figure(l.Stock), l.unit,
		figure(l.Ours), l.Ratio, l.Low, l.High, l.Rounds, due, aim, l.met(), time.Now().UTC().Format(time.DateOnly))
}

// key is the beginning of a line's line, by which a later measurement finds it.
func (l line) key() string { return fmt.Sprintf("| %s | %s |", l.Row, l.Metric) }

const tableHead = `| row | metric | what | stock | ssh-master | ratio | quartiles | rounds | due | aim | met | measured |
|---|---|---|---|---|---|---|---|---|---|---|---|
`

// notesHead is where the generated part of the file ends.
const notesHead = "\n## Notes\n"

// report collects lines and keeps those of the file that were not measured again.
type report struct {
	path  string
	old   string
	lines map[string]string // by key
}

func newReport() *report {
	r := &report{path: os.Getenv("BENCH_WRITE"), lines: map[string]string{}}
	content, _ := os.ReadFile(r.path)
	r.old = string(content)
	for l := range strings.Lines(r.old) {
		if cells := strings.SplitN(l, "|", 4); len(cells) == 4 {
			r.lines[strings.Join(cells[:3], "|")+"|"] = strings.TrimSuffix(l, "\n")
		}
	}
	return r
}

func (r *report) add(b *testing.B, lines []line) {
	for i, l := range lines {
		r.lines[l.key()] = l.markdown(i == 0)
	}
	r.write(b) // what was measured stays, whatever becomes of the other rows
}

// write writes the file, if one is wanted.
func (r *report) write(b *testing.B) {
	if r.path == "" {
		return
	}
	var text strings.Builder
	text.WriteString(reportHead())
	text.WriteString(tableHead)
	for _, row := range contests() {
		for _, g := range row.goals {
			if l, ok := r.lines[line{Row: row.name, Metric: g.metric}.key()]; ok {
				text.WriteString(l + "\n")
			}
		}
	}
	if _, notes, ok := strings.Cut(r.old, notesHead); ok {
		text.WriteString(notesHead + notes)
	}
	require.NoError(b, os.WriteFile(r.path, []byte(text.String()), 0o644))
}

func reportHead() string {
	return fmt.Sprintf(`# ssh-master beside ssh -M

Written by `+"`make bench`"+`; what follows the heading "Notes" is written by hand and kept.

- Machine: %s, %d processors, Linux %s
- Releases: %s; sshd of the same; %s, golang.org/x/crypto %s
- Method: both masters are connected to the same sshd with the same configuration and, unless a row says otherwise, with
  aes128-gcm@openssh.com. In each round both do the same thing, in random order; their first round is thrown away. Rows of bytes
  and of sessions begin anew every few rounds, with other masters and servers: the same program is faster or slower by a tenth
  from one start to the next, and stays so until it ends. **Ratio** is the median of the rounds' ratios, ssh-master to stock:
  below 1, ssh-master needs less. Stock and ssh-master are medians, so that their quotient need not be the ratio. One light client,
  muxproto's, drives both masters, except in the rows of ssh, scp and rsync. Master, server, source and sink share the machine. Delays and narrow links are a relay of the benchmark's own.
  Processor time is the master process's, by the kernel's clock of it; memory is from /proc/PID/smaps_rollup.
- Due is what a ratio must reach, aim what it is after; for rates, higher is better. A row can be measured again by itself
  (`+"`make bench ROWS='download|echo'`"+`), so each line has a date.

`, processor(), runtime.NumCPU(), kernel(), opensshRelease(), runtime.Version(), moduleVersion("golang.org/x/crypto"))
}

func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for l := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "?"
	}
	return unix.ByteSliceToString(u.Release[:])
}

func opensshRelease() string {
	said, _ := exec.Command("ssh", "-V").CombinedOutput()
	return strings.TrimSpace(string(said))
}

func moduleVersion(path string) string {
	said, _ := exec.Command("go", "list", "-m", "-f", "{{.Version}}", path).Output()
	return strings.TrimSpace(string(said))
}
