package hostconfig

import (
	"log/slog"
)

// A filler asks ssh, or what stands in for it, about x's destination.
type filler func(x *surroundings, h *Host) error

// findControlMaster finds out what the configuration itself says of
// ControlMaster where -M or -o hides that: it is what other programs see that
// want to attach.
func (x *surroundings) findControlMaster(h *Host, fill filler) {
	h.ControlMasterConfigured = h.ControlMaster
	files := *x
	if files.args = withoutControlMaster(x.args); len(files.args) == len(x.args) {
		return
	}
	other := Host{OriginalHost: h.OriginalHost, env: h.env}
	if err := fill(&files, &other); err != nil {
		x.log.Debug("what the configuration says of ControlMaster is unknown", slog.Any("error", err))
		h.ControlMasterConfigured = ""
		return
	}
	h.ControlMasterConfigured = other.ControlMaster
}

// withoutControlMaster leaves out the options that set ControlMaster.
func withoutControlMaster(args []Option) []Option {
	var rest []Option
	for _, a := range args {
		if key, _ := a.Keyword(); a.Letter == 'M' || key == "controlmaster" {
			continue
		}
		rest = append(rest, a)
	}
	return rest
}

// neverAttached says whether the configuration makes every ssh dial for itself
// although it names a control socket.
func (h *Host) neverAttached() bool {
	return h.ControlPath != "" && (h.ControlMasterConfigured == "yes" || h.ControlMasterConfigured == "ask")
}
