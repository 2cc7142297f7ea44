package hostconfig

import (
	"maps"
	"slices"
)

// Same says whether h and other, two resolutions of one destination, came to the
// same.
func (h *Host) Same(other *Host) bool {
	return h == other || h.Own == other.Own && maps.EqualFunc(h.Raw, other.Raw, slices.Equal[[]string])
}
