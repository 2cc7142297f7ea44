//go:build !unix

package hostconfig

import "io/fs"

// uid is unknown on systems without numeric users.
func uid() string { return "" }

// trusted is never true where ownership cannot be judged.
func trusted(fs.FileInfo) bool { return false }
