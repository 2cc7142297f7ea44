//go:build !linux

package process

// ReadStat tells nothing.
func ReadStat(int) (Stat, error) { return Stat{}, ErrNotTold }

// CommandLine tells nothing.
func CommandLine(int) ([]string, error) { return nil, ErrNotTold }

// Program tells nothing.
func Program(int) (string, error) { return "", ErrNotTold }
