package upstream

// A held link is one of [Links]: up, or being dialled.
type held struct {
	set   *Links
	key   string
	ready chan struct{} // closed when the fields below are set

	link    *Link
	err     error // why there is no link
	givenUp bool  // because of who dialled: called off, or with nobody to ask

	// Under the lock of the set.
	users int           // who use the link, or wait for it
	owned bool          // somebody closes it
	busy  func() func() // the owner's; nil when it does not care
	rest  func()        // undoes busy, while there are users
}

// settle ends the dialling.
func (h *held) settle(link *Link, err error, givenUp bool) {
	h.link, h.err, h.givenUp = link, err, givenUp
	close(h.ready)
	if err != nil {
		h.forget()
	}
}

// ended says whether the link has been up and is not any more.
func (h *held) ended() bool {
	select {
	case <-h.ready:
		return h.err != nil || h.link.Err() != nil
	default:
		return false
	}
}

// forget keeps the link from those who come now: it failed, or does not answer.
func (h *held) forget() {
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	if h.set.held[h.key] == h {
		delete(h.set.held, h.key)
	}
}

// enter counts one user more; the set's lock is held.
func (h *held) enter() {
	h.users++
	if h.rest == nil && h.busy != nil {
		h.rest = h.busy()
	}
}

// leave counts one user less and closes a link that nobody uses or owns.
func (h *held) leave() {
	h.set.mu.Lock()
	h.users--
	unused := h.users == 0
	rest := h.rest
	if unused {
		h.rest = nil
	}
	closing := unused && !h.owned
	if closing && h.set.held[h.key] == h {
		delete(h.set.held, h.key)
	}
	h.set.mu.Unlock()
	if unused && rest != nil {
		rest()
	}
	if closing && h.link != nil {
		go h.link.Close() // which waits for the server, and nobody waits for that
	}
}

// enterUnowned counts one user more where the link is there for jumps alone.
func (h *held) enterUnowned() bool {
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	if !h.owned {
		h.enter()
	}
	return !h.owned
}

// own makes o's caller, who is one of the users, the owner, unless there is one.
func (h *held) own(o Options) bool {
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	if h.owned {
		return false
	}
	h.owned, h.busy = true, o.Busy
	h.link.adopt(o.Channels)
	if h.users > 1 && h.busy != nil {
		h.rest = h.busy()
	}
	return true
}
