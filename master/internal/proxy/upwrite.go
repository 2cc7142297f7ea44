package proxy

import "time"

// flushGrace is how long data that waits for the host may stand still after
// the slave has closed the channel or left.
const flushGrace = time.Second

// write does the steps that are queued. It alone writes to the channel.
func (u *upward) write() {
	for {
		u.mu.Lock()
		batch := u.steps
		u.steps, u.spare = u.spare[:0], nil
		if len(batch) == 0 {
			u.writing = false
			u.spare = batch
			u.mu.Unlock()
			return
		}
		u.mu.Unlock()
		for i := range batch {
			u.do(&batch[i])
			batch[i] = step{}
		}
		u.mu.Lock()
		u.spare = batch[:0]
		u.mu.Unlock()
	}
}

// do does one step after the requests that come before it.
func (u *upward) do(s *step) {
	u.reach(&u.sent, s.after, 0)
	switch s.kind {
	case msgData:
		u.pass(s.chunk, u.ch.Write)
	case msgExtendedData:
		u.pass(s.chunk, u.ch.Stderr().Write)
	case msgEOF:
		u.ch.CloseWrite()
	case msgClose:
		u.ch.Close()
	}
	u.grow(&u.done, 1)
}

// pass writes a chunk and gives its window back to the slave. A failure means
// that the channel is over, and that it reaches the slave as CLOSE.
func (u *upward) pass(c *chunk, write func([]byte) (int, error)) {
	n, _ := write(c.data())
	u.count.Add(uint64(n))
	u.held(-len(c.mem))
	c.release()
	u.credit(n)
}

// closeWhenStuck closes the channel when what was queued before CLOSE, and all
// of it has to be in order, makes no progress any more.
func (u *upward) closeWhenStuck() {
	u.mu.Lock()
	goal, progress := u.queued, u.done+u.sent
	u.mu.Unlock()
	for {
		u.reach(&u.done, goal, flushGrace)
		u.mu.Lock()
		before := progress
		progress = u.done + u.sent
		over, ch := u.over || u.done >= goal, u.ch
		u.mu.Unlock()
		if over {
			return
		}
		if progress == before && ch != nil {
			ch.Close()
			return
		}
	}
}
