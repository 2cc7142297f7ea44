package hostconfig

import (
	"slices"
	"strings"
	"unique"
)

// An Environment keeps variables, NAME=value, for long: each that others have kept
// as well takes no memory of its own. Of several of a name the last counts.
type Environment []unique.Handle[string]

// NewEnvironment keeps a list of variables.
func NewEnvironment(list []string) Environment {
	e := make(Environment, len(list))
	for i, pair := range list {
		e[i] = unique.Make(pair)
	}
	return e
}

// List returns the variables as programs get them. It is never nil, which would mean
// the process's own.
func (e Environment) List() []string {
	list := make([]string, len(e))
	for i, pair := range e {
		list[i] = pair.Value()
	}
	return list
}

// Equal says whether the two are the same, in the same order.
func (e Environment) Equal(other Environment) bool { return slices.Equal(e, other) }

// Lookup returns a variable's value and whether it is set.
func (e Environment) Lookup(name string) (string, bool) {
	for _, pair := range slices.Backward(e) {
		if n, v, ok := strings.Cut(pair.Value(), "="); ok && n == name {
			return v, true
		}
	}
	return "", false
}

// Get returns a variable's value, "" when it is not set.
func (e Environment) Get(name string) string {
	v, _ := e.Lookup(name)
	return v
}
