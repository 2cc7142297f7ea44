package master_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// heap is how many bytes are in use, on the heap and on stacks.
func heap() int {
	runtime.GC()
	runtime.GC() // what the first one has freed of finalizers and caches
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// A master without links costs a descriptor, two goroutines and a few kilobytes, and
// gives all of it back.
func TestManyMasters(t *testing.T) {
	const many = 500
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	host, dir, set := resolve(t, srv, "ControlPersist=600"), filepath.Dir(controlPath(t)), newSet(t)
	env := os.Environ()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(cancel)
	startAt := func(path string) *master.Master {
		m, err := master.New(master.Options{Host: host, Control: path, OnDemand: true, Set: set, Env: append([]string(nil), env...)})
		require.NoError(t, err)
		require.NoError(t, m.Start(t.Context()))
		serving.Go(func() { require.NoError(t, m.Serve(ctx)) })
		return m
	}
	first := startAt(filepath.Join(dir, "first"))
	require.NoError(t, os.Remove(first.Path()))
	require.Eventually(t, func() bool { _, live, _ := master.Holder(first.Path(), ""); return live }, patience, tick) // what is shared is there
	require.Eventually(t, first.Idle, patience, tick)

	goroutines, descriptors, bytes := runtime.NumGoroutine(), sshtest.RestedDescriptors(t), heap()
	var all []*master.Master
	for i := range many {
		all = append(all, startAt(filepath.Join(dir, fmt.Sprint(i))))
	}
	require.LessOrEqual(t, runtime.NumGoroutine()-goroutines, 2*many)
	require.Equal(t, many, sshtest.Descriptors(t)-descriptors)
	each := (heap() - bytes) / many
	t.Logf("%d bytes each", each)
	require.Less(t, each, 16<<10)

	for _, m := range []*master.Master{all[0], all[many/2], all[many-1]} {
		require.True(t, m.Idle())
		c, err := muxproto.Dial(t.Context(), m.Path())
		require.NoError(t, err)
		pid, err := c.Alive(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, os.Getpid(), pid)
		c.Close()
	}
	for _, m := range all {
		m.Drain()
		require.NoFileExists(t, m.Path())
	}
	runtime.KeepAlive(all)
}
