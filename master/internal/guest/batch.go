package guest

import (
	"context"
	"strings"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/upstream/prompt"
)

// errBatch is why an ssh is not asked that was told to ask for nothing. What its
// configuration says of that, the master's own has said already.
var errBatch = &prompt.NobodyError{Why: "this ssh runs in BatchMode"}

// silent is the person of a slave that must not be asked.
type silent struct{}

// Prompt refuses.
func (silent) Prompt(context.Context, prompt.Question) (string, error) { return "", errBatch }

// Check says so beforehand.
func (silent) Check() error { return errBatch }

// inBatchMode says whether a command line of ssh's, the program first, asks for
// BatchMode. Of an option that is given twice the first counts.
func inBatchMode(words []string) bool {
	if len(words) == 0 {
		return false
	}
	options, _, err := hostconfig.CommandLine(words[1:])
	if err != nil {
		return false
	}
	for _, o := range options {
		if key, value := o.Keyword(); key == "batchmode" {
			return strings.EqualFold(value, "yes") || strings.EqualFold(value, "true")
		}
	}
	return false
}
