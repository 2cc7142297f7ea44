package master

import (
	"context"
	"strings"
	"sync"
	"unicode"

	"sshmaster/master/internal/upstream/prompt"
)

// confirmer asks about each request of a slave where ControlMaster is ask or
// autoask (-MM): by the askpass program, and never on a terminal, as
// ssh_config(5) says. Who cannot be asked has not allowed anything. It is nil
// where nothing is asked.
func (m *Master) confirmer() func(ctx context.Context, question string) bool {
	if m.host.ControlMaster != "ask" && m.host.ControlMaster != "autoask" {
		return nil
	}
	asks := m.askpass()
	return func(ctx context.Context, question string) bool {
		question = strings.Map(printable, question) // it quotes the slave
		answer, err := asks().Prompt(ctx, Question{Text: question, Confirm: true})
		if err != nil {
			m.log.Warn("nobody could be asked about a request of a slave: it is refused", "question", question, "error", err)
		}
		return err == nil && answer == "yes"
	}
}

// askpass returns who asks in the environment of the moment. As long as that does
// not change it is the same one, which asks one question at a time.
func (m *Master) askpass() func() Prompter {
	var mu sync.Mutex
	var last *surroundings
	var asks Prompter
	return func() Prompter {
		mu.Lock()
		defer mu.Unlock()
		if now := m.around.Load(); now != last {
			last, asks = now, prompt.NewConfirmer(now.List())
		}
		return asks
	}
}

// printable replaces what could do more to a terminal than be read.
func printable(r rune) rune {
	if unicode.IsControl(r) {
		return '?'
	}
	return r
}
