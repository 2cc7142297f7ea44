package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"unicode"

	"sshmaster/master"
)

// The words that a person sees, and their rules: every line of ours begins with
// "ssh-master: " unless OpenSSH's own line stands there without a prefix and
// somebody looks for it; an error names what failed, on what, why, and what to
// do; one line each.

// version of the program, as the host and ssh-master -V see it.
const version = "0.1.0"

const usage = `usage: ssh-master [-46AaCfgKkMNnqTtVvXxYy] [-B bind_interface]
                  [-b bind_address] [-c cipher_spec] [-D [bind_address:]port]
                  [-E log_file] [-F configfile] [-I pkcs11] [-i identity_file]
                  [-J destination] [-L address] [-l login_name] [-m mac_spec]
                  [-O ctl_cmd] [-o option] [-P tag] [-p port] [-R address]
                  [-S ctl_path] [-w local_tun[:remote_tun]]
                  [--replace] destination
       ssh-master [-fqvy] [-E log_file]
       ssh-master -O ensure [--replace] [destination]
       ssh-master -O list [--json] [-S ctl_path] [destination]`

// help is what --help prints.
func help() string {
	return usage + `

Holds one connection to destination and lets ssh, scp, sftp, rsync and git
share it through a control socket, as ssh -M -N does.

Without a destination it does so for every host, as each is wanted; three lines
in ~/.ssh/config have ssh itself start that.

  ssh-master -f host              connect, then go into the background
  ssh host                        attaches, with ControlPath in ~/.ssh/config
  ssh-master -O check host        is a master running?
  ssh-master -O list host         who uses it, and what for; -O top: live
  ssh-master -O exit host         end it; -O drain: once nobody uses it

Options are ssh's own; those that only concern a session are accepted and do
nothing. -O takes check, exit, stop, drain, forward, cancel, conninfo, channels,
list, top, rotate, ensure and reload.
See ssh-master(1).
`
}

// versionLine is what -V prints: the program, then what it is built on.
func versionLine() string {
	line := "ssh-master_" + version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return line
	}
	line += ", " + info.GoVersion
	for _, dep := range info.Deps {
		if dep.Path == "golang.org/x/crypto" {
			line += ", x/crypto " + dep.Version
		}
	}
	return line
}

// words is what a person is told of err. The program's name stands before it,
// but not before what is known from ssh: why a host could not be reached, and
// what is refused in ssh's own words.
func words(err error) string {
	var unreachable *master.DialError
	var refused *refusal
	if errors.As(err, &unreachable) || errors.As(err, &refused) {
		return err.Error()
	}
	return "ssh-master: " + strings.TrimPrefix(err.Error(), "hostconfig: ")
}

// say writes a line to standard error.
func say(format string, args ...any) {
	fmt.Fprint(os.Stderr, harmless(fmt.Sprintf(format, args...))+"\r\n")
}

// harmless makes a text fit for a terminal: what could command it becomes a
// question mark.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsGraphic(r) {
			return r
		}
		return '?'
	}, text)
}

// capital begins a system's error message as ssh does: "Connection refused".
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
