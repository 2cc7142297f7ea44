//go:build !linux

package master

// A slaveProcess is what the system tells of a slave's process: nothing here.
type slaveProcess struct{ program, parent, terminal string }

func lookAt(int) slaveProcess { return slaveProcess{} }
