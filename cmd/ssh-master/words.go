package main

import (
	"strconv"
	"strings"
	"time"

	"sshmaster/master"
)

// What a status says, in words for a table. All of it is fit for a terminal.

// oneLine is somebody else's text in one line that commands no terminal.
func oneLine(text string) string { return harmless(strings.Join(strings.Fields(text), " ")) }

func hostText(m master.Status) string { return oneLine(m.Host) }

func addressText(m master.Status) string { return oneLine(m.User + "@" + m.Address) }

// troubleText is what stands in the way of sessions; "" for nothing.
func troubleText(m master.Status) string {
	switch {
	case m.Trouble != "":
		return "  no connection: " + oneLine(m.Trouble)
	case m.State == master.StateSuspect:
		return "  no answer for " + ageText(silence(m))
	}
	return ""
}

// silence is how long no link has heard anything of the host.
func silence(m master.Status) (least time.Duration) {
	for i, l := range m.Links {
		if s := time.Duration(l.Silence); i == 0 || s < least {
			least = s
		}
	}
	return least
}

// roundTrip is the shortest of those of the links that answer, 0 for none known.
func roundTrip(m master.Status) (best time.Duration) {
	for _, l := range m.Links {
		if t := time.Duration(l.RoundTrip); t > 0 && (best == 0 || t < best) {
			best = t
		}
	}
	return best
}

// dash stands for what is not known, or not there.
const dash = "-"

func pidText(s master.SessionStatus) string {
	if s.PID == 0 {
		return dash
	}
	return strconv.Itoa(s.PID)
}

// shells are programs of which it says nothing that they have started another.
var shells = map[string]bool{
	"sh": true, "ash": true, "bash": true, "dash": true, "fish": true, "ksh": true, "mksh": true, "nu": true, "tcsh": true, "zsh": true,
	"systemd": true, "init": true, "screen": true, "tmux": true, "tmux: server": true, "": true,
}

// programText is the slave's program, behind the one that it works for where that
// is not just a shell: "git > ssh".
func programText(s master.SessionStatus) string {
	if s.Program == "" || shells[s.Parent] {
		return userText(s)
	}
	return userText(s) + " > " + oneLine(s.Program)
}

// userText is the program that uses the session: "git".
func userText(s master.SessionStatus) string {
	switch {
	case s.Program == "":
		return dash
	case shells[s.Parent]:
		return oneLine(s.Program)
	}
	return oneLine(s.Parent)
}

// terminalText is the terminal that the slave has at the host's disposal.
func terminalText(s master.SessionStatus) string {
	switch {
	case !s.TTY:
		return dash
	case s.Terminal == "":
		return "yes"
	}
	return oneLine(s.Terminal)
}

// commandText is what a session is for, in ssh's words where there are any.
func commandText(s master.SessionStatus) string {
	text := oneLine(s.Command)
	switch {
	case s.Kind == master.KindStdioForward:
		text = "-W " + text
	case s.Kind == master.KindProxy:
		text = "-O proxy"
	case s.Subsystem:
		text = "-s " + text
	case s.Command == "":
		text = "(shell)"
	}
	if s.Waiting {
		text = "(waiting) " + text
	}
	return text
}

// forwardText is a forward as an option of ssh.
func forwardText(f master.ForwardStatus) string {
	letters := map[string]string{"local": "-L ", "remote": "-R ", "dynamic": "-D "}
	return letters[f.Type] + oneLine(f.Spec)
}

// noteText is what else there is to know of a forward.
func noteText(f master.ForwardStatus) string {
	text := countText(f.Connections, "connection")
	if f.Port != 0 {
		text += ", port " + strconv.Itoa(f.Port)
	}
	if f.Waiting {
		text += ", the host does not listen at present"
	}
	return text
}

// leftOutText says what a master had no room to tell; "" where it told all.
func leftOutText(m master.Status) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{m.SessionsLeftOut, "session"}, {m.ForwardsLeftOut, "forward"}} {
		if p.n > 0 {
			parts = append(parts, countText(p.n, p.what))
		}
	}
	if parts == nil {
		return ""
	}
	return "  and " + strings.Join(parts, " and ") + " more"
}
