package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Chosen by compat-tests/BENCHMARKS.md.
const (
	// garbage is how much of the heap in use may be garbage before it is
	// collected, in percent. x/crypto allocates for every packet that it reads:
	// a download at Go's default takes a third more processor time than at 200,
	// and at 200 a tenth more than at 400.
	garbage = 400

	// fewCores is up to where one processor is better than several: the server,
	// or whoever feeds the master, then keeps the other one, and the link's
	// goroutines hand over to each other without waking a thread. It saves a
	// quarter of a download's processor time.
	fewCores = 2

	// enoughCores is what a link can use.
	enoughCores = 4
)

// suitMachine sets the runtime up for moving bytes on this machine. Whoever sets
// GOGC or GOMAXPROCS knows better.
func suitMachine() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processors(runtime.GOMAXPROCS(0)))
	}
}

// processors is how many of those that the machine, or the container, has are
// used at a time.
func processors(have int) int {
	switch {
	case have <= fewCores:
		return 1
	case have < enoughCores:
		return 2
	}
	return enoughCores
}
