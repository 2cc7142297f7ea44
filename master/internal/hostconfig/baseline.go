package hostconfig

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Baselines remembers what each ssh program prints for a host without any
// configuration, so that Resolve can tell the user's values from defaults
// without a second run. A program that was replaced is asked again. The zero
// value is ready; it is safe for concurrent use.
type Baselines struct {
	mu   sync.Mutex
	seen map[program]map[string][]string
}

// sharing returns raw with base's own words where both say the same, as of most
// keywords, so that of what ssh printed a host keeps only what is its own.
func sharing(raw, base map[string][]string) map[string][]string {
	all := make(map[string][]string, len(raw))
	for keyword, values := range base {
		if own, ok := raw[keyword]; ok && slices.Equal(own, values) {
			all[keyword] = values
		}
	}
	for keyword, values := range raw {
		if _, ok := all[keyword]; ok {
			continue
		}
		var own []string
		for _, value := range values {
			own = append(own, strings.Clone(value))
		}
		all[strings.Clone(keyword)] = own
	}
	return all
}

// A program is one state of one file.
type program struct {
	path  string
	mtime time.Time
	size  int64
}

// of returns the baseline of c's ssh, nil when that ssh cannot say. A nil
// Baselines asks each time.
func (b *Baselines) of(ctx context.Context, c sshCommand) map[string][]string {
	info, err := os.Stat(c.path)
	if err != nil {
		return nil
	}
	key := program{c.path, info.ModTime(), info.Size()}
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if raw, ok := b.seen[key]; ok {
			return raw
		}
	}
	raw, err := c.print(ctx, []string{"-F", "none"}, "x")
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelDebug, "ssh's own defaults are unknown", slog.Any("error", err))
		return nil
	}
	if b != nil {
		if b.seen == nil {
			b.seen = make(map[program]map[string][]string)
		}
		b.seen[key] = raw
	}
	return raw
}
