// Package guest knows a slave that waits for its session as a person who can be
// told things and asked things.
//
// Between NEW_SESSION and SESSION_OPENED a slave does nothing but wait, without
// a limit: its terminal is in lines, and ^C ends it. That is the time in which
// a master may say on its stderr why it has to wait, and ask for the password
// or the code that a new link needs.
//
// # Which terminal
//
// The first of the passed stdin, stderr and stdout that is a terminal, or else,
// as ssh itself would open /dev/tty, the controlling terminal of the slave's
// process. Either is opened anew: no flag of a passed descriptor changes, and
// nothing is read but the answer to a question. The modes, which belong to the
// terminal, are changed for a question and set back after it.
//
// Nobody is asked who is not there: a slave in the background of its terminal,
// or a stopped one. That is looked at before a question, while it is open, and
// before each key is read, so that the shell's keys stay the shell's.
//
// # Without a terminal
//
// ssh's rules for SSH_ASKPASS hold, in the environment of the slave.
//
// # Whose process
//
// A slave's controlling terminal and environment are found by its process
// number, and used only where the process could do by itself what is done for
// it: the same user, rights, namespaces and root, no sandbox that this process
// is not in. Otherwise what is asked is the passed terminal alone, and the
// environment is the master's own. (Linux; other systems do not tell.)
package guest
