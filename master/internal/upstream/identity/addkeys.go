package identity

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh/agent"

	"sshmaster/master/internal/upstream/prompt"
)

// addToAgent is AddKeysToAgent: it gives a key that was just read to the agent,
// unless there is none. That it could not be is worth a word, not the login.
func (a *Auth) addToAgent(ctx context.Context, k *key, private crypto.PrivateKey) {
	mode := a.c.AddKeysToAgent.Mode
	if mode == "" || mode == "no" {
		return
	}
	if a.agent == nil {
		a.log.Debug("no authentication agent, not adding key " + k.name)
		return
	}
	comment := a.keys.comments[k.path]
	if comment == "" {
		comment = k.name
	}
	if mode == "ask" && !a.mayAdd(ctx, k.name, comment) {
		a.log.Debug("not adding key " + k.name + " to the agent: not wanted")
		return
	}
	err := a.agent.add(ctx, agent.AddedKey{
		PrivateKey:       private,
		Comment:          comment,
		LifetimeSecs:     uint32(a.c.AddKeysToAgent.Lifetime / time.Second),
		ConfirmBeforeUse: mode == "confirm",
	})
	if err != nil {
		a.log.Warn(fmt.Sprintf("key %s could not be added to the agent: %v", k.name, err))
		return
	}
	a.log.Debug("identity added to agent: " + k.name)
}

// mayAdd asks. Whoever does not answer does not agree; only a cancelled
// question ends the login.
func (a *Auth) mayAdd(ctx context.Context, name, comment string) bool {
	answer, err := a.c.Prompter.Prompt(ctx, prompt.Question{
		Text:    fmt.Sprintf("Add key %s (%s) to agent?", cleanLine(name), comment),
		Confirm: true,
	})
	if errors.Is(err, prompt.ErrCancelled) {
		a.stop = err
	}
	return err == nil && answer == "yes"
}
