package sshtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// FreePort is a port of 127.0.0.1 where nobody listens, another one each time. It is
// below those that the system gives to whoever asks for any, who might get it before the
// test does.
func FreePort(t testing.TB) int {
	t.Helper()
	for {
		port := 10000 + rand.IntN(20000)
		if _, again := givenPorts.LoadOrStore(port, true); again {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
}

// givenPorts are those that FreePort has given.
var givenPorts sync.Map
