package stdio

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Set is what a slave passed: the three streams of NEW_SESSION, or the two of
// NEW_STDIO_FWD (PROTOCOL.mux sections 1 and 6). Each is a Stream of its own,
// even where all three are the same terminal, and is closed by itself when its
// direction ends.
type Set struct {
	In  *Stream
	Out *Stream
	Err *Stream // nil when none was passed
}

// OpenSet takes ownership of the descriptors in every case: when it fails all
// three are closed. A stderr of -1 means that none was passed.
func OpenSet(stdin, stdout, stderr int) (*Set, error) {
	set := new(Set)
	todo := []struct {
		fd int
		to **Stream
	}{{stdin, &set.In}, {stdout, &set.Out}, {stderr, &set.Err}}
	if stderr == -1 {
		todo = todo[:2]
	}
	for i, t := range todo {
		stream, err := Open(t.fd)
		if err != nil {
			for _, rest := range todo[i+1:] {
				unix.Close(rest.fd)
			}
			return nil, errors.Join(err, set.Close())
		}
		*t.to = stream
	}
	return set, nil
}

// Close closes the streams that are not closed yet.
func (s *Set) Close() error {
	var errs []error
	for _, stream := range []*Stream{s.In, s.Out, s.Err} {
		if stream != nil {
			errs = append(errs, stream.Close())
		}
	}
	return errors.Join(errs...)
}

// Stuck counts the streams whose last system call outlived Close.
func (s *Set) Stuck() int {
	n := 0
	for _, stream := range []*Stream{s.In, s.Out, s.Err} {
		if stream != nil && stream.Stuck() {
			n++
		}
	}
	return n
}
