package compat

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A matrix is the table while it is filled in.
type matrix struct {
	place  place
	slaves map[string]slave
	begun  time.Time

	mu       sync.Mutex
	heads    map[string]string          // guarded by mu; of the columns, by key
	marks    map[string]map[string]mark // guarded by mu; by column and slave, and row
	faults   [][]string                 // guarded by mu; rows
	journeys [][]string                 // guarded by mu; rows of what happened behind the bastion
}

// A mark is what a cell says: nothing more than that all went well, or why the behaviour cannot be had there.
type mark struct{ text string }

func newMatrix(t *testing.T, p place) *matrix {
	m := &matrix{place: p, slaves: map[string]slave{}, heads: map[string]string{}, marks: map[string]map[string]mark{}, begun: time.Now()}
	for _, host := range append([]string{"slave-apart"}, releases...) {
		m.slaves[host] = newSlave(t, p, host)
	}
	return m
}

// key is a column's name in the table.
func (s *server) key() string { return s.host + s.also }

// head notes what runs on a server.
func (m *matrix) head(t *testing.T, s server) {
	t.Helper()
	text := s.logger() + ": " + s.pkg + " " + strings.TrimPrefix(version(t, m.place, s.logger(), s.pkg), "1:")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heads[s.key()] = text
}

func (m *matrix) set(s server, slave, row string, result mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := s.key() + " " + slave
	if m.marks[key] == nil {
		m.marks[key] = map[string]mark{}
	}
	m.marks[key][row] = result
}

// write writes MATRIX.md. Where a part of the tests was asked for, it is not the whole table, and is not written.
func (m *matrix) write(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "# The interop matrix\n\nWritten by `make compat` on %s, in %s.\n\n", m.begun.UTC().Format(time.DateOnly), m.place.what())
	b.WriteString(intro)
	var groups []server
	for _, group := range columns() {
		groups = append(groups, group...)
	}
	table(&b, m.sharing(groups, func(s server) bool { return s.also == "" }))
	for _, s := range groups {
		if s.also != "" {
			fmt.Fprintf(&b, "\n## With %s\n\n", s.also)
			table(&b, m.sharing(groups, func(other server) bool { return other.key() == s.key() }))
		}
	}
	b.WriteString(behind)
	table(&b, m.journeys)
	b.WriteString(broken)
	table(&b, m.faults)
	if whole := len(m.marks) == cells(groups) && len(m.faults) > 0; !whole {
		t.Log("a part of the matrix was asked for: MATRIX.md stays as it is\n" + b.String())
		return
	}
	require.NoError(t, os.WriteFile("MATRIX.md", []byte(b.String()), 0o644))
}

func cells(columns []server) int {
	n := 0
	for _, s := range columns {
		n += len(s.slaves)
	}
	return n
}

// sharing is the table of some of the columns, whose slaves are the same.
func (m *matrix) sharing(all []server, among func(server) bool) [][]string {
	rows := [][]string{{""}}
	names := []string{}
	for _, b := range behaviours {
		names = append(names, b.name)
	}
	names = append(names, oneLogin)
	for _, name := range names {
		rows = append(rows, []string{name})
	}
	for _, s := range all {
		if !among(s) {
			continue
		}
		rows[0] = append(rows[0], m.heads[s.key()])
		for i, name := range names {
			rows[i+1] = append(rows[i+1], m.summary(s, name))
		}
	}
	return rows
}

// summary is what a cell says of the slaves, one after the other, and why.
func (m *matrix) summary(s server, row string) string {
	var signs, reasons []string
	said := map[string]bool{}
	for _, slave := range s.slaves {
		result, ok := m.marks[s.key()+" "+slave][row]
		sign := "✓"
		switch {
		case !ok:
			sign = "?"
		case result.text == "FAILED":
			sign = "FAILED"
		case result.text != "":
			sign = "x"
			if !said[result.text] {
				reasons = append(reasons, result.text)
			}
			said[result.text] = true
		}
		signs = append(signs, sign)
	}
	cell := strings.Join(signs, " ")
	if len(reasons) > 0 {
		cell += ": " + strings.Join(reasons, "; ")
	}
	return cell
}

// table writes rows, of which the first is the head, in Markdown.
func table(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
}

const intro = `Unmodified OpenSSH clients attach to one master each, on hosts of their own, and do what the rows say; each result is asserted
to the byte. How, and how to run it: [containers](containers/README.md). A cell shows the slaves in order, ssh of Debian 11
(8.4), 12 (9.2), 13 (10.0) and sid (10.6): ✓ where all is as it must be, x where it cannot be had, with the reason.

`

const behind = `
## Behind the bastion

The bastion's sshd asks for a key and, through PAM, for a code that is good once (HOTP). Two hosts behind it have no other way in.

`

const broken = `
## When something breaks

A master holds a login at the bastion for all four slaves. What their users see, exit status first; none waits for ever, and
nobody has to clean up.

`
