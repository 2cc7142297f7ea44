package prompt

// NewConfirmer returns the Prompter of questions that nobody at a terminal
// waits for, such as those of ControlMaster ask: the askpass program where the
// environment allows it (SSH_ASKPASS_REQUIRE, DISPLAY, WAYLAND_DISPLAY), and
// otherwise [Nobody].
func NewConfirmer(env []string) Prompter {
	if !readRules(env).allowed {
		return Nobody{}
	}
	return NewAskpass(env)
}
