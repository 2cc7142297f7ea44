package stocklink

import "syscall"

// lifeline lets ssh end with us, even if we are killed while it logs in. Nothing
// milder will do: releases of ssh that wait in poll(2), 9.2 is one, miss a SIGTERM
// that comes just before, and nobody would be left to send another one.
func lifeline() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
