package main

import (
	"os"
	"strings"
	"syscall"
)

// fixedStacks has goroutines begin with small stacks, always. Of itself the runtime
// lets them begin with what those that it has met at the last collection used on
// average. In an idle master that is few, with deep stacks, and the goroutines of
// every session after it begin with 8 kB for what needs 2: a session that was idle
// took 36 kB in place of 20, when three of them were left to it (idle, in
// compat-tests/BENCHMARKS.md).
const fixedStacks = "adaptivestackstart=0"

// fixStacks sees to that. The runtime looks at GODEBUG once, so the program begins
// anew with it, as the same process, and takes it out again: it is not for programs
// that are started from here. Where that fails the stacks are as they are.
func fixStacks() {
	said, _ := os.LookupEnv("GODEBUG")
	if rest, begunAnew := strings.CutSuffix(said, fixedStacks); begunAnew {
		if rest = strings.TrimSuffix(rest, ","); rest != "" {
			os.Setenv("GODEBUG", rest)
		} else {
			os.Unsetenv("GODEBUG")
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	setting := fixedStacks
	if said != "" {
		setting = said + "," + fixedStacks
	}
	os.Setenv("GODEBUG", setting)
	_ = syscall.Exec(self, os.Args, os.Environ())
	os.Setenv("GODEBUG", said)
	if said == "" {
		os.Unsetenv("GODEBUG")
	}
}
