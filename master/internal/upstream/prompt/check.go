package prompt

// A Checker is a [Prompter] that can tell beforehand whether anybody could be
// asked, so that no host sends a code to a phone for nothing.
type Checker interface {
	// Check returns nil when somebody could be asked now, and otherwise an
	// [ErrNoPrompt] that says why not. It shows nothing and reads nothing.
	Check() error
}

// Check returns nil when p could ask somebody now, as far as p can tell, and
// otherwise an [ErrNoPrompt].
func Check(p Prompter) error {
	switch p := p.(type) {
	case nil, Nobody:
		return ErrNoPrompt
	case Checker:
		return p.Check()
	}
	return nil
}

// A NobodyError is an [ErrNoPrompt] in words for the person who was not asked.
type NobodyError struct {
	Why    string // as in "this ssh has no terminal to ask on"
	Remedy string // as in "run ssh host in a terminal once"; "" is none
	Shown  bool   // the question was shown, and taken away before there was an answer
}

// Error returns the reason and the remedy.
func (e *NobodyError) Error() string {
	if e.Remedy == "" {
		return e.Why
	}
	return e.Why + ": " + e.Remedy
}

// Is makes it an [ErrNoPrompt].
func (e *NobodyError) Is(target error) bool { return target == ErrNoPrompt }
