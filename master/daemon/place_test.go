package daemon

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	p, err := Find([]string{"HOME=/nobody", "HOME=/home/me"})
	require.NoError(t, err)
	require.Regexp(t, `^/home/me/\.ssh/master/daemon-[^./]+$`, p.Socket)
	require.Equal(t, p.Socket+".lock", p.Lock)

	p, err = Find([]string{"HOME=/home/me", SocketVariable + "=/run/x"})
	require.NoError(t, err)
	require.Equal(t, Place{"/run/x", "/run/x.lock", "/run/x.log"}, p)

	_, err = Find([]string{SocketVariable + "=x"})
	require.ErrorContains(t, err, "no absolute path")
}

func TestPrepare(t *testing.T) {
	home := t.TempDir()
	p, err := Find([]string{"HOME=" + home})
	require.NoError(t, err)
	require.NoError(t, p.Prepare())
	require.NoError(t, p.Prepare())
	dir := filepath.Dir(p.Socket)
	for _, made := range []string{dir, filepath.Dir(dir)} {
		info, err := os.Stat(made)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), made)
	}
	require.NoError(t, os.Chmod(dir, 0o770))
	require.ErrorContains(t, p.Prepare(), "chmod go-w")
	if os.Getuid() == 0 {
		require.NoError(t, os.Chmod(dir, 0o700))
		require.NoError(t, os.Chown(dir, 1, -1))
		require.ErrorContains(t, p.Prepare(), "another user")
	}
}
