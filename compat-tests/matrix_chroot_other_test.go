//go:build !linux

package compat

import "testing"

func inChroots(t *testing.T, _ string) place {
	t.Helper()
	t.Fatal("hosts in chroots need Linux")
	return nil
}
