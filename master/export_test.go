package master

// Within gives tests the text of a status on the control socket.
func (s Status) Within(limit int) (string, error) { return s.within(limit) }

// LookAt gives tests the name of a process, of its parent, and of its terminal.
func LookAt(pid int) (program, parent, terminal string) {
	p := lookAt(pid)
	return p.program, p.parent, p.terminal
}
