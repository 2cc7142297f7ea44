package guest_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/guest"
	"sshmaster/master/internal/sshtest"
)

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func TestTell(t *testing.T) {
	sshtest.NoLeaks(t)
	d := newDesk(t)
	g := newGuest(t, guest.Config{Files: d.files()})
	g.Tell("waiting for\x1b[31m the host\a\r\n\u202e ... \xff")
	d.waitFor("\r\n", 1)
	require.Equal(t, "waiting for[31m the host ... ?\r\n", d.text())
	require.Equal(t, d.before, d.modes())
}

func TestTellIsBounded(t *testing.T) {
	d := newDesk(t)
	g := newGuest(t, guest.Config{Files: d.files()})
	g.Tell(strings.Repeat("x", 1<<20))
	d.waitFor("\r\n", 1)
	require.Less(t, len(d.text()), 2000)
}

// A program that shares the terminal may have it raw.
func TestTellOnARawTerminal(t *testing.T) {
	d := newDesk(t)
	raw := d.before
	raw.Oflag &^= unix.OPOST
	d.control(func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, &raw) })
	g := newGuest(t, guest.Config{Files: d.files()})
	g.Tell("a line")
	d.waitFor("a line\r\n", 1)
}

func TestTellNobody(t *testing.T) {
	d := newDesk(t)
	files := d.files()
	require.NoError(t, files.Err.Close())
	files.Err = nil // ssh -W
	newGuest(t, guest.Config{Files: files}).Tell("a line")
	newGuest(t, guest.Config{Files: noTerminal(t)}).Tell("a line")
	newGuest(t, guest.Config{}).Tell("a line")
	require.Empty(t, d.text())
}

// Whoever has stopped a terminal (^S) holds nobody up but the question there.
func TestStoppedTerminal(t *testing.T) {
	sshtest.NoLeaks(t)
	d := newDesk(t)
	d.control(func(fd int) error { return unix.IoctlSetInt(fd, unix.TCXONC, unix.TCOOFF) })
	g := newGuest(t, guest.Config{Files: d.files()})
	g.Tell("a line") // gives up
	replies := ask(t.Context(), g, code)
	d.waitQuiet()
	g.Close()
	require.Error(t, get(t, replies).err)
	require.Equal(t, d.before, d.modes())
	require.Empty(t, d.text())
}

// A question is not torn apart.
func TestNotToldWhileAsked(t *testing.T) {
	d := newDesk(t)
	g := newGuest(t, guest.Config{Files: d.files()})
	replies := ask(t.Context(), g, code)
	d.waitFor(code.Text, 1)
	g.Tell("a line")
	d.enter("1\n")
	get(t, replies)
	require.NotContains(t, d.text(), "a line")
	g.Notify(t.Context(), "a notice\nof two lines")()
	d.waitFor("a notice\r\nof two lines\r\n", 1)
}
