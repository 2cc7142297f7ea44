package master_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/sshtest"
)

func TestConnectionInformation(t *testing.T) {
	srv := sshtest.NewServer(t)
	m := start(t, srv)
	text, err := m.dial(t).Info(t.Context(), "connection")
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`^Connection information for \S+ pid `+strconv.Itoa(os.Getpid())+`\r
  versions sshmaster_test -> \S+\r
  tcp 127\.0\.0\.1:\d+ -> `+regexp.QuoteMeta(srv.Addr())+`\r
  duration 00:00:0\d\r
  kexalgorithm \S+\r
  hostkeyalgorithm ssh-ed25519\r
  cipher \S+\r
  mac (<implicit>|\S+)\r
  compression none\r
  rekey limit none interval none\r
  traffic \d+ pkts \d+ blks [0-9.]+[BKM]B in, \d+ pkts \d+ blks [0-9.]+[BKM]B out\r
  link 1 up, age 00:00:0\d, round trip \S+, 0 sessions, 0 forwarded streams, 0 spares\r
$`), text)
	text, err = m.dial(t).Info(t.Context(), "channels")
	require.NoError(t, err)
	require.Contains(t, text, "The following connections are open:\r\n")
	text, err = m.dial(t).Info(t.Context(), "weather")
	require.ErrorContains(t, err, "info request type not supported", text)
}
