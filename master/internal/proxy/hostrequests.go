package proxy

import "golang.org/x/crypto/ssh"

// maxQuestions is how many requests of the host may wait for the slave's answer
// on one channel.
const maxQuestions = 16

// relay passes the host's requests on until the host has closed the channel. It
// never waits for the slave: a channel whose requests nobody takes stops its
// whole link.
func (c *channel) relay(reqs <-chan *ssh.Request) {
	for req := range reqs {
		c.mu.Lock()
		passed := c.passOn(req)
		c.mu.Unlock()
		if req.WantReply && !passed {
			c.reply()
		}
	}
}

// passOn passes one request on. It returns false when the slave will not answer
// it, and the answer is known. The caller holds mu.
//
// A keepalive is answered here: sshd sends them on a channel of its choice, and a
// slave that sleeps must not cost the others their link.
func (c *channel) passOn(req *ssh.Request) bool {
	ours := req.Type == "keepalive@openssh.com" || len(c.questions) >= maxQuestions
	passed := !ours && !c.gone && !c.slaveClosed && c.slave.out.offer(packet{
		kind: msgRequest, channel: c.peer, name: []byte(req.Type), want: req.WantReply, data: req.Payload,
	})
	if req.WantReply {
		c.questions = append(c.questions, &question{req: req, answered: !passed})
	}
	return passed
}

// answered takes the slave's answer to the oldest request that has none.
func (c *channel) answered(ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.questions {
		if !q.answered {
			q.answered, q.ok = true, ok
			go c.reply() // may wait for the link, and the reader must not
			return
		}
	}
}

// reply gives the host the answers that are known, in the order of its requests.
func (c *channel) reply() {
	c.replying.Lock()
	defer c.replying.Unlock()
	for {
		c.mu.Lock()
		if len(c.questions) == 0 || !c.questions[0].answered {
			c.mu.Unlock()
			return
		}
		q := c.questions[0]
		c.questions = c.questions[1:]
		c.mu.Unlock()
		q.req.Reply(q.ok, nil)
	}
}
