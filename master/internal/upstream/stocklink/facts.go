package stocklink

import (
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// facts are what ssh -v tells of its connection. Its wording is no contract:
// what is not understood is not known. With ProxyJump, the ssh that carries the
// connection tells of its own first, and what comes later counts.
type facts struct {
	mu       sync.Mutex
	settled  bool // the link is there: nothing changes any more but unsafe
	unsafe   bool
	client   string // identification, "SSH-2.0-OpenSSH_9.2p1"
	server   string
	remote   net.Addr // nil when reached through a ProxyCommand
	compress [2]string
	algs     ssh.NegotiatedAlgorithms
}

var (
	reached    = regexp.MustCompile(`^debug1: Connecting to \S+ \[(\S+)\] port (\d+)\.`)
	throughAll = regexp.MustCompile(`^debug1: Executing proxy command`)
	versions   = regexp.MustCompile(`^debug1: Remote protocol version ([0-9.]+), remote software version (.*)`)
	ours       = regexp.MustCompile(`^debug1: Local version string (.*)`)
	kex        = regexp.MustCompile(`^debug1: kex: (algorithm|host key algorithm): (\S+)`)
	way        = regexp.MustCompile(`^debug1: kex: (server->client|client->server) cipher: (\S+) MAC: (\S+) compression: (\S+)`)
)

// hear learns from one line.
func (f *facts) hear(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Contains(line, "REMOTE HOST IDENTIFICATION HAS CHANGED!") || strings.Contains(line, "REVOKED HOST KEY DETECTED!") {
		f.unsafe = true // if ssh goes on all the same
	}
	if f.settled || !strings.HasPrefix(line, "debug1: ") {
		return
	}
	if m := reached.FindStringSubmatch(line); m != nil {
		if at, err := netip.ParseAddrPort(net.JoinHostPort(m[1], m[2])); err == nil {
			f.remote = net.TCPAddrFromAddrPort(at)
		}
	}
	if throughAll.MatchString(line) {
		f.remote = nil
	}
	if m := ours.FindStringSubmatch(line); m != nil {
		f.client = m[1]
	}
	if m := versions.FindStringSubmatch(line); m != nil {
		f.server = "SSH-" + m[1] + "-" + m[2]
	}
	f.negotiated(line)
}

// negotiated learns of algorithms.
func (f *facts) negotiated(line string) {
	if m := kex.FindStringSubmatch(line); m != nil {
		if m[1] == "algorithm" {
			f.algs.KeyExchange = m[2]
		} else {
			f.algs.HostKey = m[2]
		}
	}
	if m := way.FindStringSubmatch(line); m != nil {
		direction := ssh.DirectionAlgorithms{Cipher: m[2], MAC: m[3]}
		if m[1] == "server->client" {
			f.algs.Read, f.compress[0] = direction, m[4]
		} else {
			f.algs.Write, f.compress[1] = direction, m[4]
		}
	}
}

// settle keeps what is known: later lines tell of the life of the link, and
// perhaps of another's.
func (f *facts) settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled = true
}

// isUnsafe says whether ssh said that the host's key had changed.
func (f *facts) isUnsafe() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.unsafe
}
