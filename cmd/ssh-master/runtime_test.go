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
