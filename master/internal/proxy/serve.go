package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sshmaster/muxproto"
)

// A slave is one connection in PROXY mode.
type slave struct {
	cfg  Config
	log  *slog.Logger
	conn *muxproto.Conn
	out  *outlet
	held atomic.Int64 // memory that waits for the host, in bytes

	running sync.WaitGroup // counts what Serve waits for

	// listening is what the host listens on for the slave. It belongs to the
	// goroutine that answers global requests, and at the end to Serve.
	listening map[place]struct{}

	mu        sync.Mutex
	left      bool
	channels  []*channel // by number; nil where one is free
	count     int        // channels
	granted   int        // sum of the windows given to the slave, in bytes
	globals   []globalRequest
	answering bool // a goroutine answers globals
}

// Serve serves a slave that was told to go over to PROXY mode, from its first SSH
// packet on until it leaves, breaks the rules, or ctx ends. It closes conn. Its
// error is nil when the slave has left, wraps [ErrProtocol] for a fault of the
// slave's, and is ctx's cause otherwise.
//
// When Serve returns, no channel is being opened for the slave and its remote
// forwards are cancelled. Its open channels are being closed: what the slave sent
// is still passed on for a short while, and what the host sends until it closes
// them, too, is thrown away.
func Serve(ctx context.Context, conn *muxproto.Conn, cfg Config) error {
	cfg = cfg.complete()
	s := &slave{
		cfg: cfg, log: cfg.Log, conn: conn, out: newOutlet(conn),
		listening: make(map[place]struct{}),
	}
	conn.SetDeadline(time.Time{}) // what bounded the answer to PROXY
	serving, giveUp := context.WithCancel(ctx)
	defer giveUp()
	context.AfterFunc(serving, func() { conn.Close() })
	s.running.Go(s.out.run)

	err := s.read(serving)
	giveUp()
	conn.Close()
	s.out.close()
	s.leave()
	s.running.Wait()
	s.cancelAll(ctx)
	return s.reason(ctx, err)
}

// reason is why serving ended.
func (s *slave) reason(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrProtocol):
		return err
	case errors.Is(s.out.failure(), errDeaf):
		return errDeaf
	case errors.Is(err, muxproto.ErrTooLarge), errors.Is(err, muxproto.ErrMalformed):
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return nil // the connection has ended, in whatever way
	}
}

// read takes the slave's packets until there are no more.
func (s *slave) read(ctx context.Context) error {
	in := newChunk(maxPacket)
	defer func() { in.release() }()
	for {
		s.out.awaitRoom()
		p, err := s.conn.ReadPacket(in.mem)
		if err != nil {
			return err
		}
		m, err := decode(p)
		if err != nil {
			return err
		}
		taken, err := s.handle(ctx, &m, in)
		if err != nil {
			return err
		}
		if taken {
			in = newChunk(maxPacket)
		}
		if held := s.held.Load(); held > maxHeld {
			return fault("%d bytes of memory in use", held)
		}
	}
}

// handle carries out one packet, which lies in in's memory. It does not wait for
// the host, and returns true when it has taken the memory.
func (s *slave) handle(ctx context.Context, m *packet, in *chunk) (taken bool, err error) {
	switch m.kind {
	case msgGlobalRequest:
		return false, s.requested(ctx, m)
	case msgChannelOpen:
		return false, s.asked(ctx, m)
	case msgPing:
		s.out.post(packet{kind: msgPong, data: m.data})
		return false, nil
	case msgPong, msgRequestSuccess, msgRequestFailure:
		return false, nil // to nothing that was asked
	}
	c := s.find(m.channel)
	if c == nil {
		return false, fault("a packet of type %d for channel %d, which there is not", m.kind, m.channel)
	}
	return c.handle(m, in)
}

// handle carries out one packet of the channel's.
func (c *channel) handle(m *packet, in *chunk) (taken bool, err error) {
	c.mu.Lock()
	open, over := c.open, c.slaveClosed || c.closeSent && m.kind != msgClose
	c.mu.Unlock()
	opening := m.kind == msgOpenConfirmation || m.kind == msgOpenFailure
	switch {
	case open == opening, opening && c.offered == nil:
		return false, fault("a packet of type %d for channel %d, which is not that far", m.kind, m.channel)
	case over: // what crossed a CLOSE on its way
		return false, nil
	}
	switch m.kind {
	case msgOpenConfirmation:
		return false, c.confirmed(m)
	case msgOpenFailure:
		c.refuse(rejection(m.code), string(m.name))
	case msgWindowAdjust:
		return false, c.adjust(m.window)
	case msgData, msgExtendedData:
		return c.data(m, in)
	case msgEOF:
		c.sawEOF = true
		c.up.eof()
	case msgClose:
		c.closed()
	case msgRequest:
		c.up.request(request{name: string(m.name), want: m.want, payload: bytes.Clone(m.data)})
	case msgSuccess, msgFailure:
		c.answered(m.kind == msgSuccess)
	}
	return false, nil
}

// leave closes everything that the slave has open.
func (s *slave) leave() {
	s.mu.Lock()
	s.left = true
	channels := append([]*channel(nil), s.channels...)
	s.mu.Unlock()
	for _, c := range channels {
		if c != nil {
			c.leave()
		}
	}
}
