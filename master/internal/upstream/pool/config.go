package pool

import (
	"log/slog"
	"time"

	"sshmaster/master/internal/upstream/prompt"
)

// Askers are whom a login may ask: everybody who waits for it.
type Askers interface {
	prompt.Prompter

	// Join adds somebody, until leave is called.
	Join(p prompt.Prompter) (leave func())

	// Asking says whether a question is open.
	Asking() bool
}

// Config is what a [Pool] needs to know. It is not changed after [New].
type Config struct {
	// Dial makes a link.
	Dial Dial

	// Host names the host in sentences.
	Host string

	// Max is how many links there may be, MaxLinks; Warm how many spares each
	// used one has, WarmSessions.
	Max, Warm int

	// Hold bounds how long somebody waits while nothing moves, HoldTimeout.
	// While a person is asked, time stands still.
	Hold time.Duration

	// Idle is how long a further link stays without a use; 0 is a minute.
	Idle time.Duration

	// LastChance is how long a suspected link may be silent beside one that works
	// before it is given up; 0 is half of Hold, and at most a quarter of a minute.
	LastChance time.Duration

	// Asks are whom logins ask. Who waits joins them.
	Asks Askers

	// Wanted says whether a link is needed although nobody waits for one. Nil
	// is never.
	Wanted func() bool

	// Home is called, on a goroutine of its own, when there is a link for global
	// requests, and again when they go to another one: whatever the host was
	// asked for has to be asked for again. Former is the link that they went to
	// before where that one lives on, else nil. Nil does nothing.
	Home func(former Link)

	// Log gets what happens. Nil discards it.
	Log *slog.Logger
}

// Bounds of the pool's own.
const (
	// settling is how long a host may take to answer at a link that is silent
	// otherwise, beyond two round trips, before it is suspected.
	settling = time.Second

	// longAnswer is how long an answer may have taken to be a measure of the next.
	longAnswer = 2 * time.Second

	// lastChance bounds the default of LastChance, idleTime is that of Idle.
	lastChance = 15 * time.Second
	idleTime   = time.Minute

	// asksAgain is how long a link must have been silent before a person is
	// asked to log in once more beside it.
	asksAgain = 10 * time.Second

	// noMore is how long no further link is tried after one could not be had.
	noMore = time.Minute

	// tellTime is when somebody who waits is told why.
	tellTime = 2 * time.Second

	// firstPause and lastPause bound the time between two dials that failed;
	// it doubles.
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second

	// lonelyPause is its upper bound while nobody waits.
	lonelyPause = 30 * time.Second
)

func (c Config) complete() Config {
	if c.Max < 1 {
		c.Max = 1
	}
	if c.Idle == 0 {
		c.Idle = idleTime
	}
	if c.LastChance == 0 {
		c.LastChance = min(lastChance, c.Hold/2)
	}
	if c.Wanted == nil {
		c.Wanted = func() bool { return false }
	}
	if c.Home == nil {
		c.Home = func(Link) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
