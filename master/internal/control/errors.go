package control

import "errors"

var (
	// errSlaveLeft ends the work on a request whose slave is gone.
	errSlaveLeft = errors.New("the slave left")

	// errDrop ends a slave's connection without an answer, as OpenSSH does
	// with what it cannot understand.
	errDrop = errors.New("connection dropped")

	// errDone ends a slave's connection after its answer.
	errDone = errors.New("connection done")
)
