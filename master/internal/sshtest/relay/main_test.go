package main // a program has no other inside to test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRelay(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer target.Close()
	commands, toRelay := io.Pipe()
	fromRelay, answers := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(t.Context(), []string{"-target", target.Addr().String()}, commands, answers) }()
	said := bufio.NewReader(fromRelay)
	line, err := said.ReadString('\n')
	require.NoError(t, err)
	near, err := net.Dial("tcp", strings.TrimSpace(strings.TrimPrefix(line, "listening ")))
	require.NoError(t, err)
	defer near.Close()
	far, err := target.Accept()
	require.NoError(t, err)
	defer far.Close()
	for _, exchange := range [][2]string{
		{"accepted", "1"}, {"delay 1ms", "ok"}, {"narrow 1000000", "ok"}, {"freeze", "ok"}, {"thaw", "ok"}, {"freeze-present", "ok"},
		{"thaw", "ok"}, {"delay x", `time: invalid duration "x"`}, {"narrow x", `strconv.Atoi: parsing "x": invalid syntax`}, {"melt", `"melt" is no command`},
	} {
		fmt.Fprintln(toRelay, exchange[0])
		line, err := said.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, exchange[1]+"\n", line)
	}
	_, err = io.WriteString(near, "through")
	require.NoError(t, err)
	got := make([]byte, 7)
	_, err = io.ReadFull(far, got)
	require.NoError(t, err)
	require.Equal(t, "through", string(got))
	fmt.Fprintln(toRelay, "cut")
	_, err = said.ReadString('\n')
	require.NoError(t, err)
	_, err = near.Read(got)
	require.Error(t, err)
	require.NoError(t, toRelay.Close())
	require.NoError(t, <-ended)
}

func TestEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	commands, _ := io.Pipe()
	require.NoError(t, run(ctx, []string{"-target", "127.0.0.1:1"}, commands, io.Discard))
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"-target", "x", "y"}, {"-nonsense"}} {
		require.Error(t, run(t.Context(), args, strings.NewReader(""), io.Discard))
	}
	require.True(t, errors.Is(run(t.Context(), []string{"-h"}, nil, io.Discard), flag.ErrHelp))
}
