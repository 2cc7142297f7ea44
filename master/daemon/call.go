package daemon

import (
	"encoding/json"
	"slices"
	"strings"

	"sshmaster/master/internal/hostconfig"
)

// A Call is how an ssh was called, as far as it concerns the connection.
type Call struct {
	// Args are ssh's options, without the destination and a command.
	Args []string

	// Destination is [user@]host or ssh://[user@]host[:port].
	Destination string

	// Dir is its folder, Env its environment, NAME=value.
	Dir string
	Env []string
}

// wireCall is a [Call] on the wire. Paths and variables are bytes, not always
// UTF-8, which is all that JSON's strings can hold.
type wireCall struct {
	Args        [][]byte `json:"args,omitempty"`
	Destination []byte   `json:"destination"`
	Dir         []byte   `json:"dir"`
	Env         [][]byte `json:"env"`
}

// MarshalJSON writes the call as it goes to the daemon.
func (c Call) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireCall{byteSlices(c.Args), []byte(c.Destination), []byte(c.Dir), byteSlices(c.Env)})
}

// UnmarshalJSON reads it.
func (c *Call) UnmarshalJSON(text []byte) error {
	var w wireCall
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*c = Call{stringSlices(w.Args), string(w.Destination), string(w.Dir), stringSlices(w.Env)}
	return nil
}

func byteSlices(all []string) (list [][]byte) {
	for _, s := range all {
		list = append(list, []byte(s))
	}
	return list
}

func stringSlices(all [][]byte) (list []string) {
	for _, b := range all {
		list = append(list, string(b))
	}
	return list
}

// parseCall understands the words of ssh's command line, the program's name left
// out. Its Dir and Env are empty.
func parseCall(words []string) (Call, error) {
	options, destination, err := hostconfig.CommandLine(words)
	return Call{Args: hostconfig.Words(options), Destination: destination}, err
}

// SeesToItself says whether the ssh names its control socket itself, or wants to
// be a master: it has plans of its own for the path, which are not disturbed.
func (c Call) SeesToItself() bool {
	return c.any(func(o hostconfig.Option) bool {
		key, value := o.Keyword()
		return o.Letter == 'S' || o.Letter == 'M' || key == "controlpath" ||
			key == "controlmaster" && value != "no" && value != "auto"
	})
}

// Ends says whether the ssh is called to end something (-O exit, stop, cancel),
// for which nothing is begun.
func (c Call) Ends() bool {
	return c.any(func(o hostconfig.Option) bool {
		return o.Letter == 'O' && slices.Contains([]string{"exit", "stop", "cancel"}, o.Value)
	})
}

func (c Call) any(is func(hostconfig.Option) bool) bool {
	options, err := hostconfig.Options(c.Args)
	return err == nil && slices.ContainsFunc(options, is)
}

// session are the letters of options, and the keywords, that concern one session
// and not the connection. Forwards are among them: each slave asks for its own.
const session = "LRDWwNnTtsfMqvEyO"

var sessionKeywords = []string{
	"batchmode", "clearallforwardings", "controlmaster", "controlpersist", "dynamicforward", "exitonforwardfailure",
	"forkafterauthentication", "localcommand", "localforward", "loglevel", "permitlocalcommand", "remotecommand",
	"remoteforward", "requesttty", "sessiontype", "stdinnull",
}

// refusals are what scp and sftp pass for themselves, and what must not be refused
// to everybody who comes later.
const refusals = "ax"

var refusalKeywords = []string{"forwardagent", "forwardx11"}

func concernsSession(o hostconfig.Option) bool {
	key, value := o.Keyword()
	return strings.IndexByte(session+refusals, o.Letter) >= 0 || slices.Contains(sessionKeywords, key) ||
		value == "no" && slices.Contains(refusalKeywords, key)
}

// shared is the call without what concerns its own session alone. It is kept, with
// an environment that it shares with others.
func (c Call) shared() (Call, error) {
	options, err := hostconfig.Options(c.Args)
	if err != nil {
		return Call{}, err
	}
	c.Args = hostconfig.Words(slices.DeleteFunc(options, concernsSession))
	c.Env = hostconfig.NewEnvironment(c.Env).List()
	return c, nil
}

// passing are variables that differ from one program to the next, and at which no
// configuration looks.
var passing = []string{"_", "OLDPWD", "PWD", "SHLVL"}

// key tells calls apart that may be answered differently.
func (c Call) key() string {
	var b strings.Builder
	add := func(s string) {
		b.WriteString(s)
		b.WriteByte(0)
	}
	add(c.Destination)
	add(c.Dir)
	for _, arg := range c.Args {
		add(arg)
	}
	add("")
	for _, entry := range c.Env {
		if name, _, _ := strings.Cut(entry, "="); !slices.Contains(passing, name) {
			add(entry)
		}
	}
	return b.String()
}
