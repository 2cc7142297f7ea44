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
	warmUp()
	os.Exit(m.Run())
}

// warmUp has the runtime open the descriptors that it keeps, before any test
// counts descriptors.
func warmUp() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	r.Close()
	w.Close()
}

// helpers is filled beside the tests that need them.
var helpers = map[string]func(){}
