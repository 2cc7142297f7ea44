package quiet

import (
	"bytes"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, 20*time.Second, time.Millisecond, what)
}

// running counts the goroutines that wait here.
func running() int {
	buf := make([]byte, 1<<20)
	return bytes.Count(buf[:runtime.Stack(buf, true)], []byte("quiet.(*receiver).run"))
}

func TestReceiveFromMany(t *testing.T) {
	const many = 300
	var channels []chan int
	var mu sync.Mutex
	got := make(map[int]int)
	var all sync.WaitGroup
	for i := range many {
		c := make(chan int, 1)
		channels = append(channels, c)
		all.Add(1)
		Receive(c, func(v int, ok bool) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			if !ok {
				v = -1
			}
			got[i] = v
		})
	}
	require.LessOrEqual(t, running(), many/share+1)
	for i, c := range channels {
		if i%3 == 0 {
			close(c)
		} else {
			c <- i
		}
	}
	all.Wait()
	for i := range many {
		want := i
		if i%3 == 0 {
			want = -1
		}
		require.Equal(t, want, got[i])
	}
	requireNobodyReceives(t)
}

func requireNobodyReceives(t *testing.T) {
	t.Helper()
	eventually(t, "the end of the receivers", func() bool { return running() == 0 })
	receivers.mu.Lock()
	defer receivers.mu.Unlock()
	require.Nil(t, receivers.roomy)
}

// Whoever receives again and again gets everything, in order.
func TestReceiveAgain(t *testing.T) {
	const values = 1000
	var all sync.WaitGroup
	for range 5 {
		c, next := make(chan int), 0
		all.Add(1)
		var take func(v int, ok bool)
		take = func(v int, ok bool) {
			if !ok {
				require.Equal(t, values, next)
				all.Done()
				return
			}
			require.Equal(t, next, v)
			next++
			Receive(c, take)
		}
		Receive(c, take)
		go func() {
			defer close(c)
			for i := range values {
				c <- i
			}
		}()
	}
	all.Wait()
	requireNobodyReceives(t)
}

func TestReceiveOfAChannelThatIsClosed(t *testing.T) {
	c := make(chan *int)
	close(c)
	told := make(chan bool)
	Receive(c, func(v *int, ok bool) { told <- ok || v != nil })
	require.False(t, <-told)
}
