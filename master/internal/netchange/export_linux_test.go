package netchange

// Subscribe is a socket that nobody reads but a test.
func Subscribe() (next func() error, closeIt func(), err error) {
	s, err := subscribe()
	if err != nil {
		return nil, nil, err
	}
	return s.next, s.close, nil
}
