package stocklink

import "sshmaster/master/internal/hostconfig"

// deaf starts a program that the keyboard of its terminal does not end, not even
// when it is a command in the background that somebody else's Ctrl-C hits: ssh
// leaves alone what it finds ignored. SIGHUP stays, because ssh ends a
// ProxyCommand with it, and SIGTSTP, because it asks questions: a job that is
// stopped must not go on reading.
const deaf = `trap "" INT QUIT; exec "$@"`

// command is the argument list of the master: ours come first, where ssh takes
// the first value of an option. socket is its control socket.
func command(h *hostconfig.Host, socket string) ([]string, bool) {
	program, users, destination, ok := h.StockSSH()
	if !ok {
		return nil, false
	}
	argv := []string{"/bin/sh", "-c", deaf, "ssh", program, "-N", "-S", socket}
	for _, option := range masterOptions {
		argv = append(argv, "-o", option)
	}
	if h.Raw["forkafterauthentication"] != nil { // since 8.7
		argv = append(argv, "-o", "ForkAfterAuthentication=no")
	}
	if talkative(h) {
		argv = append(argv, "-v")
	}
	return append(append(argv, users...), "--", destination), true
}

// masterOptions make ssh a master that has no session and no forwards of its own.
// LocalCommand is not run by a master of ours either.
var masterOptions = []string{
	"ControlMaster=yes",
	"ControlPersist=no",
	"ClearAllForwardings=yes",
	"ForwardX11=no", // its proxy mode would crash on an X11 channel of a slave's own
	"Tunnel=no",
	"RemoteCommand=none",
	"RequestTTY=no",
	"PermitLocalCommand=no",
}

// talkative says whether ssh may be asked to tell what it does: not where the
// user wants to hear less than usual, for then its lines could not be told apart
// by level any more.
func talkative(h *hostconfig.Host) bool {
	return h.LogLevel == "INFO" || h.LogLevel == "VERBOSE"
}
