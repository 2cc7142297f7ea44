package guest_test

import (
	"context"
	"os"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"

	"sshmaster/master/internal/guest"
	"sshmaster/master/internal/stdio"
)

// masterVariable makes the test program a master that asks a slave whose
// terminal is descriptor 3, until somebody ends it.
const masterVariable = "GUEST_TEST_MASTER"

func TestMain(m *testing.M) {
	if os.Getenv(masterVariable) != "" {
		askAtDescriptor3()
		return
	}
	signal.Notify(make(chan os.Signal, 1), unix.SIGURG) // starts the goroutine of signals, which stays
	os.Exit(m.Run())
}

func askAtDescriptor3() {
	files, err := stdio.OpenSet(3, 4, 5)
	if err != nil {
		panic(err)
	}
	g := guest.New(guest.Config{Files: files})
	g.Prompt(context.Background(), code)
	g.Close()
}
