package master

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"sshmaster/master/internal/netchange"
)

// A network asks the links of all masters for a sign of life when something has
// happened that may have cut them off. It watches while there are any.
type network struct {
	log *slog.Logger

	mu      sync.Mutex
	masters map[*Master]struct{}
	stop    func() // ends the watch and waits for it; nil while there is none
}

func newNetwork(log *slog.Logger) *network {
	return &network{log: log, masters: make(map[*Master]struct{})}
}

// follow watches for m until it leaves.
func (n *network) follow(m *Master) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.masters[m] = struct{}{}
	if n.stop == nil {
		n.stop = n.watch()
	}
}

// leave ends that. The last one ends the watch.
func (n *network) leave(m *Master) {
	n.mu.Lock()
	delete(n.masters, m)
	var stop func()
	if len(n.masters) == 0 {
		stop, n.stop = n.stop, nil
	}
	n.mu.Unlock()
	if stop != nil {
		stop()
	}
}

func (n *network) close() {
	for _, m := range n.all() {
		n.leave(m)
	}
}

func (n *network) all() []*Master {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Keys(n.masters))
}

func (n *network) watch() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		for event := range netchange.Watch(ctx, n.log) {
			n.log.Debug("are the connections alive?", "network changed", event.Network, "away", event.Away)
			for _, m := range n.all() {
				m.pool.Check()
			}
		}
	})
	return func() {
		cancel()
		watching.Wait()
	}
}
