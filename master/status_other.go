//go:build !linux

package master

// A process is what the system tells of a slave's, which is nothing here.
type process struct{ program, parent, terminal string }

func lookAt(int) process { return process{} }
