package stocklink

import "syscall"

// lifeline lets ssh end with us, even if we are killed while it logs in.
func lifeline() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
