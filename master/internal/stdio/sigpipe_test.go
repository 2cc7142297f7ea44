package stdio_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

// survived is the exit status of a helper that got the error and lived.
const survived = 42

func init() { helpers["sigpipe"] = helperSigpipe }

// helperSigpipe writes to its stdout, whose reader left: Go programs die of
// that when they write through an os.File.
func helperSigpipe() {
	s, err := stdio.Open(1)
	if err != nil {
		os.Exit(1)
	}
	if _, err := s.WriteString("x"); errors.Is(err, unix.EPIPE) {
		os.Exit(survived)
	}
	os.Exit(2)
}

func TestSigpipeAtDescriptorOne(t *testing.T) {
	for name, pair := range map[string]func() (*os.File, *os.File, error){
		"pipe": os.Pipe,
		"socket": func() (*os.File, *os.File, error) {
			p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			return os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w"), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, w, err := pair()
			require.NoError(t, err)
			defer w.Close()
			require.NoError(t, r.Close())
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "STDIO_TEST_HELPER=sigpipe")
			cmd.Stdout = w
			err = cmd.Run()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, survived, exit.ExitCode(), exit.String())
		})
	}
}
