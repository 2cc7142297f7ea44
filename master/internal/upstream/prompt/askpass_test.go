package prompt_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/upstream/prompt"
)

// script writes an executable shell script and returns its path.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "askpass")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700))
	return path
}

func environment(askpass string, more ...string) []string {
	return append([]string{"PATH=/usr/bin:/bin", "SSH_ASKPASS=" + askpass}, more...)
}

func TestAskpass(t *testing.T) {
	password := prompt.Question{Text: "me@host's password: "}
	confirm := prompt.Question{Text: "Allow?", Confirm: true}
	for name, c := range map[string]struct {
		script   string
		question prompt.Question
		want     string
		err      error
		says     string
	}{
		"first line":              {`echo secret; echo more`, password, "secret", nil, ""},
		"carriage return":         {`printf 'secret\r\n'`, password, "secret", nil, ""},
		"no newline":              {`printf secret`, password, "secret", nil, ""},
		"empty":                   {`echo`, password, "", nil, ""},
		"the question":            {`echo "$#:$1"`, password, "1:me@host's password: ", nil, ""},
		"no hint":                 {`echo "hint:$SSH_ASKPASS_PROMPT"`, password, "hint:", nil, ""},
		"its environment":         {`echo "$EXTRA"`, password, "here", nil, ""},
		"cancelled":               {`echo secret; exit 1`, password, "", prompt.ErrCancelled, ""},
		"cancelled with a reason": {`echo cannot open display >&2; exit 1`, password, "", prompt.ErrCancelled, "cannot open display"},
		"too long":                {`head -c 100000 /dev/zero | tr '\0' x`, password, "", prompt.ErrNoPrompt, "too long"},
		"confirmed":               {`test "$SSH_ASKPASS_PROMPT" = confirm`, confirm, "yes", nil, ""},
		"confirmed in words":      {`echo YES`, confirm, "yes", nil, ""},
		"denied in words":         {`echo no`, confirm, "no", nil, ""},
		"denied":                  {`exit 1`, confirm, "no", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := prompt.NewAskpass(environment(script(t, c.script), "EXTRA=here"))
			answer, err := p.Prompt(t.Context(), c.question)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.want, answer)
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
			}
		})
	}
}

func TestAskpassMissing(t *testing.T) {
	_, err := prompt.NewAskpass(environment("/nonexistent/askpass")).Prompt(t.Context(), prompt.Question{Text: "?"})
	require.ErrorIs(t, err, prompt.ErrNoPrompt)
}

func TestAskpassIsKilledWithTheContext(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	p := prompt.NewAskpass(environment(script(t, `: >`+started+`; exec sleep 600`)))
	ctx, cancel := context.WithCancel(t.Context())
	replies := ask(ctx, p, prompt.Question{Text: "?"})
	exists(t, started)
	cancel()
	require.ErrorIs(t, get(t, replies).err, context.Canceled)
}

func TestAskpassNotice(t *testing.T) {
	shown := filepath.Join(t.TempDir(), "shown")
	p := prompt.NewAskpass(environment(script(t, `echo "$SSH_ASKPASS_PROMPT:$1" >`+shown+`.new; mv `+shown+`.new `+shown+`; exec sleep 600`)))
	done := p.Notify(t.Context(), "touch the key")
	exists(t, shown)
	done()
	text, err := os.ReadFile(shown)
	require.NoError(t, err)
	require.Equal(t, "none:touch the key\n", string(text))
}

func exists(t *testing.T, path string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := os.Stat(path)
		return err == nil
	}, patience, time.Millisecond)
}

// Who is asked, by ssh's rules: see "read_passphrase" and ssh(1), SSH_ASKPASS.
func TestWhoIsAsked(t *testing.T) {
	const none = "nobody"
	for name, c := range map[string]struct {
		env     string
		tty     bool
		confirm bool
		want    string
	}{
		"terminal first":              {"DISPLAY=:0", true, false, "terminal"},
		"display, no terminal":        {"DISPLAY=:0", false, false, "askpass"},
		"wayland, no terminal":        {"WAYLAND_DISPLAY=w", false, false, "askpass"},
		"neither":                     {"", false, false, none},
		"empty display":               {"DISPLAY=", false, false, none},
		"force":                       {"SSH_ASKPASS_REQUIRE=force", true, false, "askpass"},
		"force without terminal":      {"SSH_ASKPASS_REQUIRE=force", false, false, "askpass"},
		"prefer":                      {"SSH_ASKPASS_REQUIRE=Prefer DISPLAY=:0", true, false, "askpass"},
		"prefer without display":      {"SSH_ASKPASS_REQUIRE=prefer", true, false, "terminal"},
		"never":                       {"SSH_ASKPASS_REQUIRE=never DISPLAY=:0", false, false, none},
		"never with terminal":         {"SSH_ASKPASS_REQUIRE=never DISPLAY=:0", true, false, "terminal"},
		"confirm with display":        {"DISPLAY=:0", true, true, "askpass"},
		"confirm without display":     {"", true, true, "terminal"},
		"confirm without anything":    {"", false, true, none},
		"confirm, never, no terminal": {"SSH_ASKPASS_REQUIRE=never DISPLAY=:0", false, true, none},
	} {
		t.Run(name, func(t *testing.T) {
			options := prompt.Options{TTY: "/dev/null", Env: environment(script(t, `echo yes`), strings.Fields(c.env)...)}
			var s *screen
			if c.tty {
				s = newScreen(t)
				options.TTY = s.path
			}
			replies := ask(t.Context(), prompt.New(options), prompt.Question{Text: "Allow? ", Confirm: c.confirm})
			if c.want == "terminal" {
				s.waitFor("Allow? ", 1)
				s.enter("yes\n")
			}
			r := get(t, replies)
			if c.want == none {
				require.ErrorIs(t, r.err, prompt.ErrNoPrompt)
				return
			}
			require.Equal(t, reply{answer: "yes"}, r)
			if s != nil {
				require.Equal(t, c.want == "terminal", strings.Contains(s.text(), "Allow? "))
			}
		})
	}
}
