package master

import "time"

// PersistFor has a test's master rest sooner than ControlPersist can say, which
// counts in seconds. It is called before Start.
func (m *Master) PersistFor(d time.Duration) { m.idle.persist = d }
