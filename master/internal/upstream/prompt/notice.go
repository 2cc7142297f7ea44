package prompt

import "context"

// A Notifier is a [Prompter] that can also say something without asking: that
// a token waits to be touched, or what a host has to say between two
// questions.
type Notifier interface {
	// Notify shows text, which ends without a newline, until done is called.
	// It does not wait for anybody. Where nothing can be shown it does
	// nothing; done is never nil.
	Notify(ctx context.Context, text string) (done func())
}

// Notify shows text through p if p is able to, and says whether it was. done is
// never nil.
func Notify(ctx context.Context, p Prompter, text string) (done func(), shown bool) {
	if n, ok := p.(Notifier); ok {
		return n.Notify(ctx, text), true
	}
	return func() {}, false
}
