package upstream

import "sshmaster/master/internal/hostconfig"

// Implements says whether a link to h can be made as far as its lists of
// algorithms go. Its error names an option of which nothing is implemented here.
func Implements(h *hostconfig.Host) error {
	silent := func(string, ...any) {}
	if _, err := transportConfig(h, silent); err != nil {
		return err
	}
	_, err := hostKeyAlgorithms(h.HostKeyAlgorithms, silent)
	return err
}
