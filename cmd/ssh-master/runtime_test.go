package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProcessors(t *testing.T) {
	for have, used := range map[int]int{1: 1, 2: 1, 3: 2, 4: 4, 8: 4, 128: 4} {
		require.Equal(t, used, processors(have), "of %d", have)
	}
}

func TestGarbageAllowed(t *testing.T) {
	for live, percent := range map[uint64]int{0: 400, 1 << 20: 400, 4 << 20: 400, 8 << 20: 200, 16 << 20: 100, 1 << 30: 50} {
		require.Equal(t, percent, allowed(live), "%d bytes", live)
	}
}
