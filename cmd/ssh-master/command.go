package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"sshmaster/master"
)

// A command is one command line, understood.
type command struct {
	destination string
	sshArgs     []string // what `ssh -G` is asked with, in the user's order

	control    string // -O
	socket     string // -S
	background bool   // -f
	logFile    string // -E
	syslog     bool   // -y
	verbose    int    // -v
	quiet      bool   // -q
	json       bool   // --json
	replace    bool   // --replace
	help       bool
	version    bool
}

// forSSH says what becomes of each of ssh(1)'s options.
type forSSH int

const (
	resolved forSSH = iota // means something to the configuration: `ssh -G` sees it
	own                    // means something here alone
	ignored                // concerns a session, which a master does not have
	refused                // asks for what only ssh does
)

// options is ssh(1)'s option letters, the ones with an argument marked.
var options = []struct {
	letter  string
	arg     bool
	use     forSSH
	refusal string
}{
	{letter: "4"}, {letter: "6"}, {letter: "A"}, {letter: "a"}, {letter: "C"}, {letter: "g"},
	{letter: "K"}, {letter: "k"}, {letter: "M"}, {letter: "X"}, {letter: "x"}, {letter: "Y"},
	{letter: "N"}, {letter: "n"}, {letter: "T"}, {letter: "t"},
	{letter: "B", arg: true}, {letter: "b", arg: true}, {letter: "c", arg: true}, {letter: "D", arg: true},
	{letter: "e", arg: true}, {letter: "F", arg: true}, {letter: "I", arg: true}, {letter: "i", arg: true},
	{letter: "J", arg: true}, {letter: "L", arg: true}, {letter: "l", arg: true}, {letter: "m", arg: true},
	{letter: "o", arg: true}, {letter: "P", arg: true}, {letter: "p", arg: true}, {letter: "R", arg: true},
	{letter: "S", arg: true}, {letter: "w", arg: true},
	{letter: "2", use: ignored}, {letter: "s", use: ignored},
	{letter: "E", arg: true, use: own}, {letter: "O", arg: true, use: own}, {letter: "f", use: own},
	{letter: "q", use: own}, {letter: "V", use: own}, {letter: "v", use: own}, {letter: "y", use: own},
	{letter: "1", use: refused, refusal: "SSH protocol v.1 is no longer supported"},
	{letter: "G", use: refused, refusal: "ssh-master prints no configuration: use ssh -G"},
	{letter: "Q", arg: true, use: refused, refusal: "ssh-master answers no queries: use ssh -Q"},
	{letter: "W", arg: true, use: refused, refusal: "ssh-master forwards no stdio of its own: use ssh -W through its socket"},
}

// A usageError is a command line that cannot be understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// parse understands ssh(1)'s command line. Like ssh it takes options before
// and after the destination, clustered and with attached arguments.
func parse(args []string) (*command, error) {
	c := &command{}
	set := c.flags()
	if err := set.ParseAll(args, c.take); err != nil {
		return nil, asUsage(err)
	}
	if c.help || c.version {
		return c, nil
	}
	return c, c.positional(set.Args())
}

// flags declares the options. They have no long names but those of our own:
// pflag wants a name for each, and an unlikely one keeps it out of the way.
func (c *command) flags() *pflag.FlagSet {
	set := pflag.NewFlagSet("ssh-master", pflag.ContinueOnError)
	set.SetOutput(new(strings.Builder))
	set.Usage = func() {}
	for _, o := range options {
		if o.arg {
			set.StringArrayP(hidden+o.letter, o.letter, nil, "")
		} else {
			set.CountP(hidden+o.letter, o.letter, "")
		}
	}
	set.Bool("help", false, "")
	set.Bool("json", false, "")
	set.Bool("replace", false, "")
	return set
}

// hidden begins the long names that nobody types.
const hidden = "\x00"

// take deals with one option, in the order of the command line.
func (c *command) take(flag *pflag.Flag, value string) error {
	switch flag.Name {
	case "help":
		c.help = true
		return nil
	case "json":
		c.json = value == "true"
		return nil
	case "replace":
		c.replace = true
		return nil
	}
	for _, o := range options {
		if o.letter != flag.Shorthand {
			continue
		}
		switch o.use {
		case resolved:
			c.pass(o.letter, o.arg, value)
		case own:
			return c.takeOwn(o.letter, value)
		case refused:
			return c.refuse(o.letter, o.refusal)
		}
	}
	return nil
}

// refusal says in ssh's words, which stand without the program's name, what
// cannot be done.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// refuse is the answer to an option that only ssh has.
func (c *command) refuse(letter, text string) error {
	if letter == "W" && c.control != "" {
		text = "Cannot specify stdio forward with -O"
	}
	return refuse("%s", text)
}

// pass keeps an option for `ssh -G`.
func (c *command) pass(letter string, arg bool, value string) {
	c.sshArgs = append(c.sshArgs, "-"+letter)
	if arg {
		c.sshArgs = append(c.sshArgs, value)
	}
	if letter == "S" {
		c.socket = value
	}
}

func (c *command) takeOwn(letter, value string) error {
	switch letter {
	case "E":
		c.logFile = value
	case "O":
		if c.control != "" {
			return refuse("Multiplexing command already specified")
		}
		if _, ok := controls[value]; !ok {
			return refuse("%s", unknownControl(value))
		}
		c.control = value
	case "f":
		c.background = true
	case "q":
		c.quiet = true
	case "V":
		c.version = true
	case "v":
		c.verbose++
	case "y":
		c.syslog = true
	}
	return nil
}

// unknownControl words the refusal of an -O that is not offered here.
func unknownControl(name string) string {
	if name == "proxy" {
		return "ssh-master is no proxy slave: use ssh -O proxy"
	}
	return "Invalid multiplex command."
}

// positional takes the destination, and refuses the command that would follow.
func (c *command) positional(args []string) error {
	k := controls[c.control]
	everyAlone := k.every != nil && k.master == nil && k.host == nil
	switch {
	case c.json && c.control != "list":
		return &usageError{"--json goes with -O list alone"}
	case everyAlone && (len(args) > 0 || c.socket != ""):
		return refuse("-O %s concerns every host: give no destination and no socket", c.control)
	case len(args) > 1 && c.control == "":
		return refuse("ssh-master runs no command: start it without one, then run: ssh %s %s", args[0], strings.Join(args[1:], " "))
	case len(args) > 0:
		c.destination = args[0]
		return nil
	case c.socket != "" && k.master != nil:
		return nil // the socket says all there is to know
	case len(c.sshArgs) == 0 && (k.every != nil || c.control == "") && (!c.replace || k.host != nil):
		return nil // every host is meant
	}
	return &usageError{"a destination is missing"}
}

// asUsage turns pflag's errors into ssh's words.
func asUsage(err error) error {
	var refused *refusal
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &unknown):
		return &usageError{"unknown option -- " + unknown.GetSpecifiedName()}
	case errors.As(err, &missing):
		return &usageError{"option requires an argument -- " + missing.GetFlag().Shorthand}
	default:
		return &usageError{err.Error()}
	}
}

// resolve asks ssh what the user's configuration says of the destination.
func (c *command) resolve(ctx context.Context) (*master.Host, error) {
	return master.Resolve(ctx, master.Query{Args: c.sshArgs, Destination: c.destination})
}
