package hostconfig

import (
	"context"
	"log/slog"
	"os"
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
