//go:build !race

package stdio_test

// raceDetector is 1 when the tests run with it.
const raceDetector = 0
