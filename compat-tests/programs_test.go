package compat

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRsyncBigTree mirrors many files in both directions and then again after changes, told apart by their checksums.
func TestRsyncBigTree(t *testing.T) {
	program(t, "rsync")
	forEachMaster(t, Setup{Plain: true}, func(t *testing.T, m *Master) {
		dir := t.TempDir()
		here, far, back := filepath.Join(dir, "here")+"/", filepath.Join(dir, "far")+"/", filepath.Join(dir, "back")+"/"
		bigTree(t, here)
		base := []string{"rsync", "-a", "--checksum", "--delete", "--timeout=20", "-e", "ssh -F " + m.Server.Config}
		mirror := func() {
			t.Helper()
			ok(t, Command{Args: append(base, here, Target+":"+far)})
			ok(t, Command{Args: append(base, Target+":"+far, back)})
			ok(t, Command{Args: []string{"diff", "-r", here, back}})
		}
		mirror()
		require.NoError(t, os.RemoveAll(filepath.Join(here, "7")))
		write(t, filepath.Join(here, "3", "3"), 0o600, "other content")
		write(t, filepath.Join(back, "not in the original"), 0o600, "")
		mirror()
		nothing := ok(t, Command{Args: append(base, "-i", "--dry-run", here, Target+":"+far)})
		require.Empty(t, nothing.Stdout, "nothing is left to do")
	})
}

// bigTree has 1,000 files in 25 folders, and one file of 16 MB.
func bigTree(t testing.TB, root string) {
	for i := range 25 {
		dir := filepath.Join(root, strconv.Itoa(i))
		require.NoError(t, os.MkdirAll(dir, 0o755))
		for j := range 40 {
			write(t, filepath.Join(dir, strconv.Itoa(j)), 0o644, strings.Repeat(fmt.Sprintf("%d/%d\n", i, j), 10*j))
		}
	}
	bigFile(t, root)
}

// TestSSHFS mounts the far side and works on it as on any folder.
func TestSSHFS(t *testing.T) {
	requireFuse(t)
	forEachMaster(t, Setup{Plain: true}, func(t *testing.T, m *Master) {
		far := t.TempDir()
		mounted := mountSSHFS(t, m, far)
		root := tree(t, t.TempDir())
		ok(t, Command{Args: []string{"cp", "-r", root, mounted}})
		ok(t, Command{Args: []string{"diff", "-r", root, filepath.Join(far, "tree")}})
		big := bigFile(t, far)
		requireSame(t, big, filepath.Join(mounted, "big"))
		require.NoError(t, os.Rename(filepath.Join(mounted, "big"), filepath.Join(mounted, "tree", "moved")))
		require.NoError(t, os.RemoveAll(filepath.Join(mounted, "tree", "a b")))
		require.True(t, exists(filepath.Join(far, "tree", "moved")))
		require.False(t, exists(filepath.Join(far, "tree", "a b")))
		_, err := os.ReadFile(filepath.Join(mounted, "none"))
		require.ErrorIs(t, err, os.ErrNotExist)
		info, err := os.Stat(filepath.Join(mounted, "tree", "moved"))
		require.NoError(t, err)
		require.EqualValues(t, 16<<20, info.Size())
	})
}

// requireFuse skips, also where CI is set, what no container without the device can do.
func requireFuse(t testing.TB) {
	t.Helper()
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("sshfs needs /dev/fuse: %v", err)
	}
	require.NoError(t, device.Close())
	program(t, "sshfs")
	program(t, "fusermount3")
}

// mountSSHFS mounts the far folder with sshfs in the foreground and waits until it is there.
func mountSSHFS(t testing.TB, m *Master, far string) string {
	t.Helper()
	at := filepath.Join(shortDir(t), "mount")
	require.NoError(t, os.Mkdir(at, 0o700))
	words, err := os.Create(filepath.Join(m.Dir, "sshfs.log"))
	require.NoError(t, err)
	defer words.Close()
	cmd := exec.Command("sshfs", "-f", "-F", m.Server.Config, "-o", "cache=no", Target+":"+far, at)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(), words, words
	write(t, filepath.Join(far, "mark"), 0o600, "")
	p := start(t, cmd)
	t.Cleanup(func() { unmount(t, p, at) })
	eventually(t, func() bool { return !p.Running() || exists(filepath.Join(at, "mark")) }, "nothing was mounted")
	if said := read(t, words.Name()); !p.Running() {
		if strings.Contains(said, "mount failed: Operation not permitted") || strings.Contains(said, "mount failed: Permission denied") {
			t.Skipf("mounting is forbidden here: %s", said)
		}
		require.FailNow(t, "sshfs ended", "%s", said)
	}
	return at
}

func unmount(t testing.TB, p *Process, at string) {
	if p.Running() {
		ok(t, Command{Args: []string{"fusermount3", "-u", at}})
		require.Equal(t, 0, p.Wait(t))
	}
}

// A playbook of what Ansible does over a connection: its modules over the terminal that it asks for (-tt) and through the
// stdin of a python (pipelining), files by each of its three ways.
const playbook = `
- hosts: all
  gather_facts: false
  tasks:
    - ping:
    - copy: {src: "{{here}}/big", dest: "{{far}}/sftp"}
    - shell: "cat > {{far}}/shell; echo out; exit 3"
      args: {stdin: "in", executable: /bin/sh}
      register: ended
      failed_when: ended.rc != 3 or ended.stdout != "out"
    - script: "{{here}}/script words"
      register: said
      failed_when: said.stdout_lines != ["words of a script"]
    - fetch: {src: "{{far}}/sftp", dest: "{{here}}/fetched", flat: true}
- hosts: all
  gather_facts: false
  vars: {ansible_ssh_transfer_method: scp}
  tasks:
    - copy: {src: "{{here}}/big", dest: "{{far}}/scp"}
- hosts: all
  gather_facts: false
  vars: {ansible_ssh_transfer_method: piped, ansible_pipelining: true}
  tasks:
    - ping:
    - copy: {src: "{{here}}/big", dest: "{{far}}/piped"}
`

// TestAnsible runs it with the options that Ansible gives ssh by itself, and our ControlPath.
func TestAnsible(t *testing.T) {
	program(t, "ansible-playbook")
	forEachMaster(t, Setup{Plain: true}, func(t *testing.T, m *Master) {
		here, far := t.TempDir(), t.TempDir()
		big := bigFile(t, here)
		write(t, filepath.Join(here, "script"), 0o700, "#!/bin/sh\necho $1 of a script\n")
		r := ansible(t, m, playbook, "here="+here, "far="+far)
		require.Contains(t, r.Stdout, "failed=0", r.Stdout)
		for _, name := range []string{filepath.Join(here, "fetched"), filepath.Join(far, "sftp"), filepath.Join(far, "scp"), filepath.Join(far, "piped")} {
			requireSame(t, big, name)
		}
		require.Equal(t, "in\n", read(t, filepath.Join(far, "shell")))
		require.Equal(t, m.PID(), m.CheckPID(t), "the master is the one that was there")
		require.Equal(t, 1, m.Server.Logins())
		m.End(t)
	})
}

// TestAnsibleResetsConnection: reset_connection asks with -O check, and then with -O stop. A master without sessions ends
// on that and takes its socket away, so that the next task logs in again; that login becomes the master, as Ansible's
// ControlMaster=auto has it.
func TestAnsibleResetsConnection(t *testing.T) {
	program(t, "ansible-playbook")
	forEachMaster(t, Setup{Plain: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		const reset = "[{hosts: all, gather_facts: false, tasks: [{ping: }, {meta: reset_connection}, {ping: }]}]"
		r := ansible(t, m, reset)
		require.Contains(t, r.Stdout, "ok=2 ", r.Stdout)
		m.adopt(t)
		m.Wait(t)
		require.NotEqual(t, m.PID(), m.CheckPID(t))
		require.Equal(t, 2, m.Server.Logins(), "one before the reset, one after")
		last := m.CheckPID(t)
		require.Equal(t, 0, m.Ask(t, "exit").Code)
		gone(t, last)
		require.False(t, exists(m.Control), "the socket is still there")
	})
}

// ansible runs a playbook to its end, which must be a success.
func ansible(t testing.TB, m *Master, plays string, vars ...string) Result {
	t.Helper()
	dir := t.TempDir()
	inventory := fmt.Sprintf("%s ansible_python_interpreter=%s ansible_ssh_common_args='-F %s'\n", Target, systemPython(t), m.Server.Config)
	args := []string{"ansible-playbook", "-i", write(t, filepath.Join(dir, "hosts"), 0o600, inventory)}
	for _, v := range vars {
		args = append(args, "-e", v)
	}
	return ok(t, Command{
		Args: append(args, write(t, filepath.Join(dir, "play.yml"), 0o600, plays)),
		Dir:  dir, Timeout: 2 * time.Minute,
		Env: []string{
			"HOME=" + dir, "LC_ALL=C.UTF-8", "ANSIBLE_NOCOLOR=1", "ANSIBLE_LOCAL_TEMP=" + dir, "ANSIBLE_RETRY_FILES_ENABLED=0",
			"ANSIBLE_SSH_ARGS=-o ControlMaster=auto -o ControlPersist=60s -o ControlPath=" + m.Control,
		},
	})
}

// systemPython is the one that Debian's Ansible depends on, whatever else PATH leads to.
func systemPython(t testing.TB) string {
	if exists("/usr/bin/python3") {
		return "/usr/bin/python3"
	}
	return program(t, "python3")
}
