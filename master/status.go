package master

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// A Status is what a master says of itself at one moment: where its links go, who
// uses them and for what, and what is forwarded. Its JSON form, which
// ssh-master -O list --json prints, is stable: keys may be added, none changes its
// meaning. Times are RFC 3339, lengths of time numbers of seconds, and bytes are
// counted from the host's point of view: in is what it sent.
//
// Names of programs and commands are other people's words, and may hold control
// characters. They are bounded in length.
type Status struct {
	Host    string    `json:"host"`              // as the user called it
	User    string    `json:"user"`              // the remote user
	Address string    `json:"address"`           // where the host is: "10.0.0.1:22"
	Control string    `json:"control"`           // the full path of the control socket
	PID     int       `json:"pid"`               // the master's process
	Version string    `json:"version,omitempty"` // of the program
	State   State     `json:"state"`
	Trouble string    `json:"trouble,omitempty"` // why there is no link, in a sentence
	Since   time.Time `json:"since"`             // when the master began

	Links    []LinkStatus    `json:"links"`    // the oldest first
	Sessions []SessionStatus `json:"sessions"` // in the order in which they were asked for
	Forwards []ForwardStatus `json:"forwards"` // in the order in which they were asked for

	// Connections is how many forwarded connections there are: of forwards, also
	// of cancelled ones, of agents and displays.
	Connections int `json:"connections"`

	// SessionsLeftOut and ForwardsLeftOut are how many are not listed because an
	// answer on the control socket has a bound. [Master.Status] lists all.
	SessionsLeftOut int `json:"sessions_left_out,omitempty"`
	ForwardsLeftOut int `json:"forwards_left_out,omitempty"`
}

// A State is what a master is doing, as far as its links tell.
type State string

// States of masters.
const (
	StateIdle       State = "idle"       // there is no link, and nobody makes one
	StateConnecting State = "connecting" // the first link is being made
	StateUp         State = "up"
	StateSuspect    State = "suspect"  // no link answers
	StateDraining   State = "draining" // nobody can come any more: it ends with what runs
)

// A LinkState is how it stands with one link.
type LinkState string

// States of links.
const (
	LinkUp      LinkState = "up"
	LinkSuspect LinkState = "suspect" // it does not answer
	LinkRetired LinkState = "retired" // it takes nothing new, and ends with what runs
)

// A LinkStatus describes one connection to the host.
type LinkStatus struct {
	Number    int       `json:"number"` // from 1, no number comes again
	State     LinkState `json:"state"`
	Home      bool      `json:"home"`             // remote forwards are on it
	Stock     bool      `json:"stock,omitempty"`  // the installed ssh has made it
	Remote    string    `json:"remote,omitempty"` // the host's address; none behind a jump host or a ProxyCommand
	Since     time.Time `json:"since"`
	RoundTrip Seconds   `json:"round_trip"` // the last one; 0 where none is known
	Silence   Seconds   `json:"silence"`    // since the host's last byte
	Sessions  int       `json:"sessions"`   // running
	Streams   int       `json:"streams"`    // other channels: forwarded ones, ssh -W's
	Spares    int       `json:"spares"`     // sessions opened ahead of need
	BytesIn   uint64    `json:"bytes_in"`   // on the wire
	BytesOut  uint64    `json:"bytes_out"`
}

// A SessionStatus describes what one slave has come for.
type SessionStatus struct {
	Number    int         `json:"number"`             // of its control connection, as in -O channels
	PID       int         `json:"pid"`                // the slave's process, 0 where the system does not tell
	Program   string      `json:"program,omitempty"`  // its name: ssh, sftp; Linux alone tells
	Parent    string      `json:"parent,omitempty"`   // the program that started it: git, rsync, bash
	Terminal  string      `json:"terminal,omitempty"` // the one it runs at: pts/3
	Kind      SessionKind `json:"kind"`
	Command   string      `json:"command,omitempty"` // what runs at the host, or where a stream goes; none for a shell
	Subsystem bool        `json:"subsystem,omitempty"`
	TTY       bool        `json:"tty"`     // it has asked for a terminal at the host
	Waiting   bool        `json:"waiting"` // it has no channel yet: for a link, a login, a free seat
	Since     time.Time   `json:"since"`   // when it was asked for
	BytesIn   uint64      `json:"bytes_in"`
	BytesOut  uint64      `json:"bytes_out"`
}

// A SessionKind is what a slave has asked for.
type SessionKind string

// Kinds of sessions.
const (
	KindSession      SessionKind = "session"       // a shell, a command, a subsystem
	KindStdioForward SessionKind = "stdio-forward" // ssh -W
	KindProxy        SessionKind = "proxy"         // a slave that speaks SSH itself
)

// A ForwardStatus describes a forward, in the words of the command line that asks
// for it.
type ForwardStatus struct {
	Type        string    `json:"type"`              // "local", "remote" or "dynamic"
	Spec        string    `json:"spec"`              // as ssh -L, -R or -D takes it
	Listen      string    `json:"listen"`            // where connections are awaited: "8080", "*:8080", a path
	Connect     string    `json:"connect,omitempty"` // where they go; none where each says that itself
	Port        int       `json:"port,omitempty"`    // the one that the host chose
	Waiting     bool      `json:"waiting,omitempty"` // the host does not listen at present
	Since       time.Time `json:"since"`             // when it was asked for
	Connections int       `json:"connections"`       // open ones
}

// Seconds is a length of time that JSON writes as a number of seconds.
type Seconds time.Duration

// String is the time as Go writes it.
func (s Seconds) String() string { return time.Duration(s).String() }

// MarshalJSON writes seconds, to the microsecond.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Duration(s).Round(time.Microsecond).Microseconds()) / 1e6)
}

// UnmarshalJSON reads seconds.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	var f float64
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("seconds: %w", err)
	}
	*s = Seconds(math.Round(f * float64(time.Second)))
	return nil
}
