package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"sshmaster/master"
)

// Levels beyond slog's, for -vv and -vvv, and for saying nothing at all.
const (
	levelDebug2 = slog.LevelDebug - 1
	levelDebug3 = slog.LevelDebug - 2
	levelQuiet  = slog.LevelError + 100
)

// logLevels maps LogLevel of ssh_config(5). What a user has to know is logged
// at Warn, which ssh calls INFO.
var logLevels = map[string]slog.Level{
	"QUIET": levelQuiet, "FATAL": slog.LevelError, "ERROR": slog.LevelError, "INFO": slog.LevelWarn,
	"VERBOSE": slog.LevelInfo, "DEBUG": slog.LevelDebug, "DEBUG1": slog.LevelDebug, "DEBUG2": levelDebug2, "DEBUG3": levelDebug3,
}

// A logFile is where the program's messages go: standard error, a file (-E) or
// the system's log (-y).
type logFile struct {
	*slog.Logger
	handler *lines
	stays   bool // it outlives the terminal
}

// openLog opens what the command line asks for, at the level of -v, -q or the
// configuration.
func (c *command) openLog(host *master.Host) (*logFile, error) {
	h := &lines{level: c.level(host), out: os.Stderr, end: "\r\n"}
	switch {
	case c.logFile != "":
		f, err := os.OpenFile(c.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("Couldn't open logfile %s: %w", c.logFile, err)
		}
		h.out, h.end = f, "\n"
		// A fault of ours, which the runtime would tell a closed terminal.
		_ = debug.SetCrashOutput(f, debug.CrashOptions{})
	case c.syslog:
		w, err := syslog.New(syslog.LOG_USER|syslog.LOG_INFO, "ssh-master")
		if err != nil {
			return nil, fmt.Errorf("cannot reach the system's log: %w", err)
		}
		h.out, h.end = w, "\n"
	}
	return &logFile{slog.New(h), h, c.logFile != "" || c.syslog}, nil
}

func (c *command) level(host *master.Host) slog.Level {
	switch {
	case c.verbose > 0:
		return slog.LevelDebug - slog.Level(min(c.verbose, 3)-1)
	case c.quiet:
		return levelQuiet
	}
	if level, ok := logLevels[strings.ToUpper(host.LogLevel)]; ok {
		return level
	}
	return slog.LevelWarn
}

// lines is a [slog.Handler] that writes as ssh does: the message alone, with
// "debug1: " before what only -v shows.
type lines struct {
	level slog.Level
	out   io.Writer
	end   string // a terminal may be in raw mode: \r\n
	attrs string

	mu sync.Mutex
}

func (h *lines) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *lines) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	if r.Level < slog.LevelInfo {
		fmt.Fprintf(&b, "debug%d: ", 1+slog.LevelDebug-r.Level)
	}
	b.WriteString(harmless(r.Message))
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, a)
		return true
	})
	b.WriteString(h.end)
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.out, b.String())
	return err
}

func writeAttr(b *strings.Builder, a slog.Attr) {
	value := a.Value.Resolve().String()
	quoted := strconv.Quote(value)
	if value == "" || strings.ContainsAny(value, " =") || len(quoted) != len(value)+len(`""`) {
		value = quoted
	}
	fmt.Fprintf(b, " %s=%s", a.Key, value)
}

func (h *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		writeAttr(&b, a)
	}
	return &lines{level: h.level, out: h.out, end: h.end, attrs: h.attrs + b.String()}
}

func (h *lines) WithGroup(string) slog.Handler { return h }

// fail tells of the error for which the program ends, and returns its exit
// status.
func (l *logFile) fail(err error) int {
	l.Error(words(err))
	return exitFailure
}

// leaveTerminal drops the messages of a master that has left its terminal,
// unless they go to a place that stays.
func (l *logFile) leaveTerminal() {
	if l.stays {
		return
	}
	l.handler.mu.Lock()
	defer l.handler.mu.Unlock()
	l.handler.out = io.Discard
}
