package stdio_test

import (
	"os"
	"testing"
)

// TestMain lets the test binary stand in for the programs that some tests
// need beside them.
func TestMain(m *testing.M) {
	switch os.Getenv("STDIO_TEST_HELPER") {
	case "sigpipe":
		helperSigpipe()
	case "devtty":
		helperDevTTY()
	}
	os.Exit(m.Run())
}
