//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package stdio

import "errors"

// reopen refuses: /dev/fd/N is a duplicate here, and shares the description.
func reopen(int, string, int) (int, error) {
	return -1, errors.ErrUnsupported
}
