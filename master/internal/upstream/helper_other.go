//go:build !linux

package upstream

import "os/exec"

// awaitExit returns when the command has exited and says whether it was buried.
// There is no portable way to leave it unburied, so what is left of its group
// when it exited by itself stays.
func awaitExit(cmd *exec.Cmd) bool {
	_ = cmd.Wait()
	return true
}
