//go:build !linux

package stocklink

import "syscall"

// lifeline is nothing: if we are killed while ssh logs in, it stays. Once it is
// attached to, it ends with our connections.
func lifeline() *syscall.SysProcAttr { return nil }
