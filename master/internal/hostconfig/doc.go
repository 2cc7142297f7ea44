// Package hostconfig says what is to be done for one host: everything that the
// user's `ssh -G` and ssh-master's own options say of it, decoded, expanded
// and judged.
//
// [Resolve] runs the user's own ssh with -G and the user's own arguments,
// environment and folder. ssh reads the configuration, so Match, Include,
// canonicalization and the defaults of the installed release are exact. What
// -G leaves undone is done here: tokens (%h, ~, ${ENV}) in the options that
// ssh expands later, file names joined by spaces, and whether a value is the
// user's or a default.
//
// # Tables
//
// Three tables are the only lists there are:
//
//   - the fields of [Host] are the ssh_config keywords, each with its type;
//   - [Keywords] says what this program does with each keyword, and
//     [Host.Check] judges a host by it: no option is passed over in silence;
//   - the fields of [Own] are ssh-master's own keywords, each with its
//     default and one line of documentation.
//
// # Own options
//
// Own keywords are written like ssh's: `-o SlaveTimeout=5` on the command
// line, or in Host blocks of ~/.ssh/master_config. The command line wins, then
// the first block that matches. They are taken out of the arguments before ssh
// sees them.
//
// # Without ssh
//
// Where no ssh is installed (a container that holds only the master), the
// configuration files are read by package ssh_config, OpenSSH's defaults are
// filled in here, and [Host.Warnings] names each line that could not be judged:
// Match with anything but host and all. Such a block is left out, never guessed.
//
// References: ssh(1), ssh_config(5) (its TOKENS section lists the expansions).
package hostconfig
