package hostconfig

import "slices"

// unfitForMaster are ssh's options that a master started for somebody else does
// not get: its own place and life (-f -M -N -S -O -G), its log (-E -q -v -y),
// sessions (-n -s -T -t -W), and forwards, which are not its own (-D -L -R -w -X
// -Y).
const unfitForMaster = "fMNSOGEqvynsTtWDLRwXYQV"

// StockSSH is how the ssh that resolved h is asked to connect to it: the program,
// the user's own options without those that would make it another thing than a
// silent master, and the destination as typed. ok is false where no ssh is
// installed.
func (h *Host) StockSSH() (program string, options []string, destination string, ok bool) {
	if h.program == "" {
		return "", nil, "", false
	}
	args, err := Options(h.asked.Args)
	if err != nil {
		return "", nil, "", false // Resolve has parsed them before
	}
	args, _ = takeOwn(args)
	args = slices.DeleteFunc(args, func(a Option) bool { return slices.Contains([]byte(unfitForMaster), a.Letter) })
	return h.program, Words(args), h.asked.Destination, true
}
