package master

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/pool"
	"sshmaster/master/internal/upstream/stocklink"
)

// infoTime is how long another program may take to describe its connection.
const infoTime = 2 * time.Second

// info gives the texts of -O conninfo, -O channels, ~I and ~#: what OpenSSH's
// master says, of this one.
func (m *Master) info(name string) (text string, ok bool) {
	switch name {
	case "connection":
		return m.connection(), true
	case "channels":
		return m.server.Channels(), true
	default:
		return "", false
	}
}

// connection describes the link that the forwards are on, in our words or in
// those of the stock ssh that made it, and then the state of each.
func (m *Master) connection() string {
	states := m.pool.States()
	var b strings.Builder
	for _, s := range states {
		if s.Home {
			b.WriteString(describe(s))
		}
	}
	if b.Len() == 0 {
		fmt.Fprintf(&b, "%s\r\n", connectionTitle())
	}
	for _, s := range states {
		fmt.Fprintf(&b, "  link %d %s, age %s, round trip %s, %s, %s, %s\r\n", s.Number, s, duration(s.Info.Age),
			trip(s.Info.RoundTrip), count(s.Sessions, "session"), count(s.Streams, "forwarded stream"), count(s.Spares, "spare"))
	}
	if err := m.pool.Absent(); err != nil {
		fmt.Fprintf(&b, "  no connection: %s\r\n", err)
	}
	return b.String()
}

func describe(s pool.State) string {
	stock, ok := s.Link.(*stocklink.Link)
	if !ok {
		return connectionText(s.Info)
	}
	ctx, cancel := context.WithTimeout(context.Background(), infoTime)
	defer cancel()
	return stock.Describe(ctx)
}

// trip is a round trip to two digits.
func trip(d time.Duration) string {
	switch {
	case d == 0:
		return "unknown"
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// command carries out what only ssh-master knows.
func (m *Master) command(ctx context.Context, name string) (text string, ok bool) {
	switch name {
	case "rotate":
		text, err := m.pool.Rotate(ctx)
		if err != nil {
			return "rotate failed: " + err.Error(), false
		}
		return text, true
	case "status":
		text, err := m.Status().within(maxStatus)
		return text, err == nil
	default:
		return "", false
	}
}

// carried lists the forwarded connections for -O channels, with the numbers
// that are free at the moment.
func (m *Master) carried() []control.ChannelLine {
	var lines []control.ChannelLine
	for _, c := range m.forwards.Connections() {
		number := m.numbers.Take()
		defer m.numbers.Free(number)
		lines = append(lines, control.ChannelLine{
			Number: number, Name: c.Name, Type: int(c.State), Kind: c.Type, Control: -1,
		})
	}
	return lines
}

// connectionText describes a link in the lines of OpenSSH 10.6. Scripts look
// for some of them.
func connectionText(i upstream.Info) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("%s", connectionTitle())
	line("  versions %s -> %s", software(i.ClientVersion), software(i.ServerVersion))
	if local, ok := i.Local.(*net.TCPAddr); ok && !i.Proxied {
		line("  tcp %s -> %s", local, i.Remote)
	}
	line("  duration %s", duration(i.Age))
	a := i.Algorithms
	line("  kexalgorithm %s", a.KeyExchange)
	line("  hostkeyalgorithm %s", a.HostKey)
	line("  cipher %s", bothWays(a.Read.Cipher, a.Write.Cipher))
	line("  mac %s", bothWays(mac(a.Read.MAC), mac(a.Write.MAC)))
	line("  compression none")
	line("  rekey limit none interval none")
	line("  traffic %d pkts %d blks %sB in, %d pkts %d blks %sB out",
		i.PacketsIn, blocks(i.BytesIn, a.Read.Cipher), size(i.BytesIn),
		i.PacketsOut, blocks(i.BytesOut, a.Write.Cipher), size(i.BytesOut))
	return b.String()
}

func connectionTitle() string {
	name, _ := os.Hostname()
	return fmt.Sprintf("Connection information for %s pid %d", name, os.Getpid())
}

// software is what an identification names: "SSH-2.0-OpenSSH_9.2p1" without
// the protocol (RFC 4253 section 4.2).
func software(version string) string {
	if parts := strings.SplitN(version, "-", 3); len(parts) == 3 {
		return parts[2]
	}
	return version
}

// mac is the name of a message authentication, which some ciphers bring along.
func mac(name string) string {
	if name == "" {
		return "<implicit>"
	}
	return name
}

func bothWays(in, out string) string {
	if in == out {
		return in
	}
	return fmt.Sprintf("%s in, %s out", in, out)
}

// blocks is how many blocks of its cipher so many bytes are.
func blocks(bytes uint64, cipher string) uint64 {
	if strings.HasPrefix(cipher, "aes") {
		return bytes / 16
	}
	return bytes / 8
}

// duration writes a time as ssh_config(5) does where it is long, and as a clock
// does where it is short.
func duration(d time.Duration) string {
	s := int(d / time.Second)
	minutes, hours, days := s/60%60, s/3600%24, s/86400
	switch {
	case days >= 7:
		return fmt.Sprintf("%02dw%02dd%02dh", days/7, days%7, hours)
	case days > 0:
		return fmt.Sprintf("%02dd%02dh%02dm", days, hours, minutes)
	default:
		return fmt.Sprintf("%02d:%02d:%02d", hours, minutes, s%60)
	}
}

// size writes a number of bytes in steps of 1024, with a digit after the point
// where there is a step: "96B", "3.1K".
func size(n uint64) string {
	const units = "BKMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	unit, whole, rest := 0, n, uint64(0)
	for whole >= 1024 {
		whole, rest = whole/1024, whole%1024
		unit++
	}
	return fmt.Sprintf("%d.%d%c", whole, rest*10/1024, units[unit])
}
