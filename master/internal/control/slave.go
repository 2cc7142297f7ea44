package control

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"sshmaster/master/internal/quiet"
	"sshmaster/master/internal/session"
	"sshmaster/muxproto"
)

// A slave is one connection to the control socket.
type slave struct {
	srv  *Server
	conn *muxproto.Conn
	log  *slog.Logger

	number  int            // in the list of channels
	running sync.WaitGroup // counts the passenger, at most one

	mu              sync.Mutex
	passenger       passenger // what runs with this slave's descriptors, or nil
	passengerNumber int
	proxied         *session.Traffic // of a slave that speaks SSH itself
	errand          Errand
	watch           *quiet.Watch // while it is parked
	resume          func()
	cutOff          bool

	// The one who serves.
	greeted bool
	stays   bool // there is no parking
}

// A passenger is what runs with descriptors that a slave passed.
type passenger interface {
	Close()
	Describe() string
	Moved() (in, out uint64)
}

// serve speaks with the slave until it leaves, breaks the protocol, or what it
// came for is over, and returns when none of its descriptors is open.
//
// While the slave of a session says nothing there is no goroutine, and parked is
// true: then resume is called when that is over.
func (s *slave) serve(ctx context.Context, resume func()) (parked bool) {
	if err := s.greet(); err != nil {
		s.log.Debug("slave: no hello", "error", err)
		s.leave()
		return false
	}
	for {
		err := s.request(ctx)
		switch {
		case err == nil:
		case err == errQuiet:
			if s.park(resume) {
				return true
			}
			s.stays = true
		default:
			s.log.Debug("slave: connection ends", "reason", err)
			s.leave()
			return false
		}
	}
}

// greet exchanges greetings, once.
func (s *slave) greet() error {
	if s.greeted {
		return nil
	}
	s.greeted = true
	return s.hello()
}

// hello exchanges greetings (PROTOCOL.mux section 1). The master's is sent at
// once, as slaves may wait for it.
func (s *slave) hello() error {
	if err := s.reply(&muxproto.Hello{Version: muxproto.Version, Extensions: []muxproto.Extension{helloInfo}}); err != nil {
		return err
	}
	m, err := s.conn.ReadRequest()
	if err != nil {
		return err
	}
	h, ok := m.(*muxproto.Hello)
	if !ok || h.Version != muxproto.Version {
		return errDrop
	}
	return nil
}

// request reads one request and carries it out.
func (s *slave) request(ctx context.Context) error {
	m, err := s.read()
	var unknown *muxproto.UnknownTypeError
	if errors.As(err, &unknown) {
		s.log.Debug("slave: unknown request", "type", unknown.Type)
		return s.reply(&muxproto.Failure{RequestID: unknown.RequestID, Reason: "unsupported request"})
	}
	if err != nil {
		return err
	}
	if s.log.Enabled(ctx, slog.LevelDebug) { // to describe it takes a while
		s.log.Debug("slave: request", "message", muxproto.Describe(m))
	}
	return s.dispatch(ctx, m)
}

// read reads one request. While a session runs, a slave that has nothing to say
// is the error errQuiet; reading goes on where it stopped.
func (s *slave) read() (muxproto.Message, error) {
	if s.current() == nil {
		return s.conn.ReadRequest()
	}
	if !s.stays {
		s.conn.SetReadDeadline(time.Now().Add(quiet.After))
	}
	m, err := s.conn.ReadRequest()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.conn.SetReadDeadline(time.Time{})
		err = errQuiet
	}
	return m, err
}

// reply writes messages in one piece, with a bound on how long a slave may
// leave them unread.
func (s *slave) reply(messages ...muxproto.Message) error {
	s.conn.SetWriteDeadline(time.Now().Add(replyTime))
	return s.conn.Write(messages...)
}

// fail refuses a request for a reason that the slave shows to its user.
func (s *slave) fail(id uint32, reason string) error {
	return s.reply(&muxproto.Failure{RequestID: id, Reason: reason})
}

// deny refuses a request because the user said no.
func (s *slave) deny(id uint32) error {
	return s.reply(&muxproto.PermissionDenied{RequestID: id, Reason: "Permission denied"})
}

// leave ends what the slave had running and closes its connection. A slave
// that is still there sees its exit status first, and the end only when all of
// its output was written.
func (s *slave) leave() {
	if p := s.current(); p != nil {
		p.Close()
	}
	s.running.Wait()
	s.conn.Shutdown()
	closeSoon(s.conn)
}

func (s *slave) current() passenger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passenger
}

func (s *slave) seat(p passenger, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passenger, s.passengerNumber = p, number
}

// board makes p the passenger of this slave, tells the slave its number, and
// starts it. Its end ends the connection as well.
func (s *slave) board(request uint32, p passenger, start func(id uint32, over func())) error {
	number := s.srv.numbers.Take()
	s.seat(p, number) // first: who has read the answer also finds it in the list of channels
	if err := s.reply(&muxproto.SessionOpened{RequestID: request, SessionID: uint32(number)}); err != nil {
		s.seat(nil, 0)
		s.srv.numbers.Free(number)
		p.Close()
		return err
	}
	end := s.srv.cfg.Busy()
	s.running.Add(1)
	start(uint32(number), func() {
		s.cut()
		s.srv.numbers.Free(number)
		end()
		s.running.Done()
	})
	return nil
}
