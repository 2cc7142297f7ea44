package compat

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// row is one line of the differential table: something is done to each master, on a server alike, and what came of it
// is compared field by field.
type row struct {
	name string
	do   func(t *testing.T, m *Master) outcome
	// more names the fields in which ssh-master does more than stock, each with the reason, to be read as "ssh-master
	// does more, because ...". Such a field must differ: a difference that has gone is taken out of the table. Where
	// ssh-master's own value matters, want pins it.
	more map[string]string
	want outcome
}

// outcome is what came of it: exit status, output, replies byte by byte, what is left on disk.
type outcome map[string]string

// group is rows that share a server and a master of each kind, one row after the other. A row that ends its master, or
// leaves something behind, has a group of its own.
type group struct {
	name  string
	setup Setup
	rows  []row
}

// compare runs the groups, each on both masters side by side, and then compares.
func compare(t *testing.T, groups []group) {
	t.Helper()
	t.Parallel()
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			g.compare(t)
		})
	}
}

func (g group) compare(t *testing.T) {
	t.Helper()
	results := newResults()
	t.Run("run", func(t *testing.T) {
		for _, kind := range kinds(t) {
			t.Run(string(kind), func(t *testing.T) {
				t.Parallel()
				m := newMaster(t, kind, g.setup)
				for _, r := range g.rows {
					t.Run(r.name, func(t *testing.T) {
						o := mask(m, r.do(t, m))
						t.Log(o) // seen with go test -v
						results.put(kind, r.name, o)
					})
				}
			})
		}
	})
	for _, r := range g.rows {
		t.Run(r.name, func(t *testing.T) { r.compare(t, results) })
	}
}

func (r row) compare(t *testing.T, got *results) {
	t.Helper()
	stock, ours := got.get(Stock, r.name), got.get(Ours, r.name)
	if stock == nil || ours == nil {
		t.Skip("a master has no outcome: it was not asked for, was skipped, or has failed above")
	}
	fields := slices.Sorted(maps.Keys(stock))
	require.Equal(t, fields, slices.Sorted(maps.Keys(ours)))
	for _, field := range fields {
		if because, ok := r.more[field]; ok {
			require.NotEqual(t, stock[field], ours[field], "%s no longer differs, although ssh-master does more, because %s", field, because)
			continue
		}
		require.Equal(t, stock[field], ours[field], "%s of stock (expected) and ours (actual) differ", field)
	}
	for field, want := range r.want {
		require.Equal(t, want, ours[field], "%s of ours", field)
	}
}

// results are the outcomes of one group.
type results struct {
	mu sync.Mutex
	of map[Kind]map[string]outcome // guarded by mu
}

func newResults() *results {
	return &results{of: map[Kind]map[string]outcome{Stock: {}, Ours: {}}}
}

func (r *results) put(k Kind, name string, o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[k][name] = o
}

func (r *results) get(k Kind, name string) outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[k][name]
}

// String shows each field on lines of its own.
func (o outcome) String() string {
	var b strings.Builder
	for _, field := range slices.Sorted(maps.Keys(o)) {
		fmt.Fprintf(&b, "\n%s:\n%s", field, o[field])
	}
	return b.String()
}

// mask replaces what differs between any two runs by its name.
func mask(m *Master, o outcome) outcome {
	pairs := []string{m.Control, "CONTROL", m.Dir, "DIR", "port " + strconv.Itoa(m.Server.Port), "port PORT"}
	if m.process != nil {
		pairs = append(pairs, "pid="+strconv.Itoa(m.PID()), "pid=PID")
	}
	masked := outcome{}
	for field, value := range o {
		masked[field] = strings.NewReplacer(pairs...).Replace(value)
	}
	return masked
}

// of makes an outcome of what a caller saw.
func of(r Result) outcome {
	return outcome{"code": strconv.Itoa(r.Code), "stdout": r.Stdout, "stderr": r.Stderr}
}

// client runs ssh with args.
func client(args ...string) func(t *testing.T, m *Master) outcome {
	return func(t *testing.T, m *Master) outcome {
		return of(run(t, Command{Args: m.SSH(args...)}))
	}
}

// typed runs ssh on a terminal and types keys once "ready" was shown and the terminal is raw. What was shown from then on
// is the outcome.
func typed(keys string, args ...string) func(t *testing.T, m *Master) outcome {
	return typing((*Terminal).Ready, keys, args)
}

// typedCooked does so where the terminal stays as it is.
func typedCooked(keys string, args ...string) func(t *testing.T, m *Master) outcome {
	return typing(func(term *Terminal, t testing.TB) { term.Expect(t, "ready\r\n") }, keys, args)
}

func typing(ready func(*Terminal, testing.TB), all string, args []string) func(t *testing.T, m *Master) outcome {
	return func(t *testing.T, m *Master) outcome {
		keys, term := all, newTerminal(t)
		before := term.State(t)
		line := append([]string{"-c", `"$@"; echo "[code $?]"`, "sh"}, m.SSH(args...)...)
		p := term.Start(t, nil, append([]string{"sh"}, line...)...)
		ready(term, t)
		if rest, ok := strings.CutPrefix(keys, "\r"); ok {
			// What the far side makes of a line and what the master says to an escape come by different ways, so that
			// only one of them may be under way.
			term.Type(t, "\r")
			term.Expect(t, "\n")
			keys = rest
		}
		term.Type(t, keys)
		shown := term.Expect(t, "[code ") + term.Expect(t, "]")
		p.Wait(t)
		return outcome{"shown": shown, "terminal": fmt.Sprint("as before: ", before == term.State(t))}
	}
}

// conversation is a raw slave that notes down all it is answered.
type conversation struct {
	*rawSlave
	t     *testing.T
	m     *Master
	lines []string
	ids   map[uint32]string // session ids by the order of their appearance
}

// raw makes an outcome of what the master replies to a conversation, byte by byte; process ids and session ids, which
// no two masters have in common, are named.
func raw(talk func(c *conversation)) func(t *testing.T, m *Master) outcome {
	return func(t *testing.T, m *Master) outcome {
		c := &conversation{rawSlave: m.Connect(t), t: t, m: m, ids: map[uint32]string{}}
		talk(c)
		after := m.Ask(t, "check")
		return outcome{"replies": strings.Join(c.lines, "\n"), "master afterwards": after.Stderr}
	}
}

// greeted does so after an exchange of HELLO, whose reply is not noted: it differs between releases.
func greeted(talk func(c *conversation)) func(t *testing.T, m *Master) outcome {
	return raw(func(c *conversation) {
		require.NoError(c.t, c.send(hello()))
		f, err := c.readFrame()
		require.NoError(c.t, err)
		require.Equal(c.t, typeHello, f.kind())
		talk(c)
	})
}

// say sends; a master that has closed already is not an error, the replies show it.
func (c *conversation) say(frames ...[]byte) {
	c.t.Helper()
	_ = c.send(frames...)
}

// hear notes the next reply or the end of the connection, and tells whether it was a reply.
func (c *conversation) hear() bool {
	c.t.Helper()
	f, err := c.readFrame()
	if err != nil {
		require.NoError(c.t, asEndOK(err))
		c.lines = append(c.lines, "closed")
		return false
	}
	c.lines = append(c.lines, c.note(f))
	return true
}

// hearAll notes every reply until the connection ends.
func (c *conversation) hearAll() {
	c.t.Helper()
	for c.hear() {
	}
}

// stillServed notes replies up to that of an ALIVE_CHECK, which comes last because replies come in order.
func (c *conversation) stillServed() {
	c.t.Helper()
	const id = 0x7ea5
	c.say(frame(typeAlive, uint32(id)))
	for {
		f, err := c.readFrame()
		if err != nil {
			require.NoError(c.t, asEndOK(err))
			c.lines = append(c.lines, "closed")
			return
		}
		if f.kind() == typeAliveReply && f.word(1) == id {
			c.lines = append(c.lines, "still served")
			return
		}
		c.lines = append(c.lines, c.note(f))
	}
}

// note writes a reply down: every word, then the bytes of its text.
func (c *conversation) note(f reply) string {
	words := []string{fmt.Sprintf("%08x", f.kind())}
	rest := f
	switch f.kind() {
	case typeAliveReply:
		require.EqualValues(c.t, c.m.PID(), f.word(2))
		words, rest = append(words, fmt.Sprint(f.word(1)), "PID"), f[min(12, len(f)):]
	case typeSessionOpened:
		words, rest = append(words, fmt.Sprint(f.word(1)), c.id(f.word(2))), f[min(12, len(f)):]
	case typeExit:
		words, rest = append(words, c.id(f.word(1)), fmt.Sprint(f.word(2))), f[min(12, len(f)):]
	case typeRemotePort:
		require.NotZero(c.t, f.word(2))
		words, rest = append(words, fmt.Sprint(f.word(1)), "PORT"), f[min(12, len(f)):]
	case typeTTYAllocFailed:
		words, rest = append(words, c.id(f.word(1))), f[min(8, len(f)):]
	default:
		rest = f[min(4, len(f)):]
	}
	if len(rest) > 0 {
		words = append(words, fmt.Sprintf("%q", []byte(rest)))
	}
	return strings.Join(words, " ")
}

func (c *conversation) id(n uint32) string {
	if _, ok := c.ids[n]; !ok {
		c.ids[n] = fmt.Sprintf("SESSION%d", len(c.ids)+1)
	}
	return c.ids[n]
}

// session asks for a session with its three pipes, hears all replies, and notes both outputs.
func (c *conversation) session(request []byte, stdin string) {
	c.t.Helper()
	p := newPipes(c.t)
	c.say(request)
	_ = c.sendFile(p.passed[:]...)
	p.drop()
	_, _ = p.in.WriteString(stdin)
	_ = p.in.Close()
	c.hearAll()
	c.lines = append(c.lines, fmt.Sprintf("stdout %q", drained(c.t, p.out)), fmt.Sprintf("stderr %q", drained(c.t, p.err)))
}

func drained(t testing.TB, from *os.File) string {
	t.Helper()
	require.NoError(t, from.SetReadDeadline(soon()))
	content, err := io.ReadAll(from)
	require.NoError(t, err)
	return string(content)
}
