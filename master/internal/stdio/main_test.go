package stdio_test

import (
	"os"
	"testing"
)

// TestMain lets the test binary stand in for the programs that some tests
// need beside them.
func TestMain(m *testing.M) {
	if helper := helpers[os.Getenv("STDIO_TEST_HELPER")]; helper != nil {
		helper()
	}
	os.Exit(m.Run())
}

// helpers is filled beside the tests that need them.
var helpers = map[string]func(){}
