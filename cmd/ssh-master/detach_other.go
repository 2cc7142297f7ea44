//go:build unix && !linux

package main

import "golang.org/x/sys/unix"

// replaceFD makes fd another name of the file that from names.
func replaceFD(from, fd int) error { return unix.Dup2(from, fd) }
