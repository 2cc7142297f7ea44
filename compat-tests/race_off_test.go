//go:build !race

package compat

// raceEnabled tells whether this test binary was built with the race detector; the tested binary then is, too.
const raceEnabled = false
