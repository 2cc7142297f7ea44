package proxy

import "slices"

// add gives a channel a number and a window. It returns false when there are too
// many already or the slave has left.
func (s *slave) add(c *channel) bool {
	c.init(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left || s.count == maxChannels {
		return false
	}
	s.count++
	c.size = s.grant()
	c.window = c.size
	c.busy = s.cfg.Busy()
	free := slices.Index(s.channels, nil)
	if free < 0 {
		free = len(s.channels)
		s.channels = append(s.channels, nil)
	}
	c.id = uint32(free)
	s.channels[free] = c
	return true
}

// grant sizes the window of a new channel: large for the first ones and smaller
// the more there are, so that all of them together bound the memory that a slave
// can fill. The caller holds mu.
func (s *slave) grant() uint32 {
	size := min(max((windowBudget-s.granted)/8, minWindow), maxWindow)
	s.granted += size
	return uint32(size)
}

// find returns the channel with a number, or nil.
func (s *slave) find(id uint32) *channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	if uint64(id) >= uint64(len(s.channels)) {
		return nil
	}
	return s.channels[id]
}

// remove forgets a channel; its number may be given to another one.
func (s *slave) remove(c *channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels[c.id] = nil
	s.count--
	s.granted -= int(c.size)
}
