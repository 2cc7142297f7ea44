package stocklink

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"sshmaster/master/internal/upstream"
	"sshmaster/muxproto"
)

// Info returns what is known of the link: what ssh told when it connected, and
// the traffic between it and us, of which packets in are a guess.
func (l *Link) Info() upstream.Info {
	f := l.process.words.facts
	f.mu.Lock()
	defer f.mu.Unlock()
	return upstream.Info{
		Remote: f.remote, Proxied: f.remote == nil,
		Started: l.wire.began, Age: time.Since(l.wire.began), Silence: l.Silence(),
		ClientVersion: f.client, ServerVersion: f.server, Algorithms: f.algs,
		BytesIn: l.wire.in.Load(), BytesOut: l.wire.out.Load(),
		PacketsIn: l.wire.packetsIn.Load(), PacketsOut: l.wire.writes.Load(),
	}
}

// Describe is the text for -O conninfo: what ssh says of its connection, word for
// word, where it does (since 10.3); and else what is known, in the same form,
// lines ending in CR LF.
func (l *Link) Describe(ctx context.Context) string {
	if _, offered := l.client.Extension("info"); offered {
		text := make(chan string, 1)
		go func() {
			said, err := l.client.Info(context.Background(), muxproto.InfoConnection)
			if err != nil {
				said = ""
			}
			text <- said
		}()
		select {
		case said := <-text:
			if said != "" {
				return said
			}
		case <-ctx.Done():
		case <-l.done:
		}
	}
	return l.ownWords()
}

// ownWords are what is known, in OpenSSH's form.
func (l *Link) ownWords() string {
	i := l.Info()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	name, _ := os.Hostname()
	line("Connection information for %s pid %d", name, l.PID())
	if i.ServerVersion != "" {
		line("  versions %s -> %s", software(i.ClientVersion), software(i.ServerVersion))
	}
	if i.Remote != nil {
		line("  tcp -> %s", i.Remote)
	}
	s := int64(i.Age / time.Second)
	line("  duration %02d:%02d:%02d", s/3600, s/60%60, s%60)
	if a := i.Algorithms; a.KeyExchange != "" {
		line("  kexalgorithm %s", a.KeyExchange)
		line("  hostkeyalgorithm %s", a.HostKey)
		line("  cipher %s", bothWays(a.Read.Cipher, a.Write.Cipher))
		line("  mac %s", bothWays(a.Read.MAC, a.Write.MAC))
		line("  compression %s", bothWays(l.compression()))
	}
	return b.String()
}

// compression is what was agreed on for what comes in and what goes out.
func (l *Link) compression() (in, out string) {
	f := l.process.words.facts
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.compress[0], f.compress[1]
}

func bothWays(in, out string) string {
	if in == out {
		return in
	}
	return fmt.Sprintf("%s in, %s out", in, out)
}

// software is what an identification names, without the protocol (RFC 4253
// section 4.2).
func software(version string) string {
	if parts := strings.SplitN(version, "-", 3); len(parts) == 3 {
		return parts[2]
	}
	return version
}
