package sshtest

import (
	"net"
	"strconv"

	"golang.org/x/crypto/ssh"
)

// listenTCP serves tcpip-forward (RFC 4254 §7.1), always on 127.0.0.1 as sshd does with GatewayPorts no. The reply
// carries the port when the client left it open.
func (c *Conn) listenTCP(payload []byte) (ok bool, reply []byte) {
	var wish tcpListen
	if ssh.Unmarshal(payload, &wish) != nil {
		return false, nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(wish.Port))))
	if err != nil {
		return false, nil
	}
	port := uint32(l.Addr().(*net.TCPAddr).Port)
	if !c.listen(hostPort(wish.Host, port), l, func(nc net.Conn) (string, []byte) {
		origin := nc.RemoteAddr().(*net.TCPAddr)
		return "forwarded-tcpip", ssh.Marshal(tcpOpen{wish.Host, port, origin.IP.String(), uint32(origin.Port)})
	}) {
		return false, nil
	}
	if wish.Port == 0 {
		reply = ssh.Marshal(struct{ Port uint32 }{port})
	}
	return true, reply
}

func (c *Conn) cancelTCP(payload []byte) bool {
	var wish tcpListen
	return ssh.Unmarshal(payload, &wish) == nil && c.cancel(hostPort(wish.Host, wish.Port))
}

// listenUnix serves streamlocal-forward@openssh.com (PROTOCOL §2.4). An existing path is refused.
func (c *Conn) listenUnix(payload []byte) bool {
	var wish unixListen
	if ssh.Unmarshal(payload, &wish) != nil {
		return false
	}
	l, err := net.Listen("unix", wish.Path)
	return err == nil && c.listen(wish.Path, l, func(net.Conn) (string, []byte) {
		return "forwarded-streamlocal@openssh.com", ssh.Marshal(unixForwarded{Path: wish.Path})
	})
}

func (c *Conn) cancelUnix(payload []byte) bool {
	var wish unixListen
	return ssh.Unmarshal(payload, &wish) == nil && c.cancel(wish.Path)
}

// listen keeps a listener under the name that cancels it, and opens a channel to the client for each connection to it:
// open names the channel's type and extra data. It owns l and says no to a name that is taken.
func (c *Conn) listen(name string, l net.Listener, open func(net.Conn) (string, []byte)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listeners[name] != nil || c.ended {
		l.Close()
		return false
	}
	c.listeners[name] = l
	c.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.forward(nc, open) })
		}
	})
	return true
}

func (c *Conn) cancel(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.listeners[name]
	if l == nil {
		return false
	}
	delete(c.listeners, name)
	l.Close()
	return true
}

// forward carries one connection that came in on the server's side to the client. It owns nc.
func (c *Conn) forward(nc net.Conn, open func(net.Conn) (string, []byte)) {
	name, extra := open(nc)
	ch, reqs, err := c.ssh.OpenChannel(name, extra)
	if err != nil {
		nc.Close()
		return
	}
	c.splice(ch, reqs, nc, 0)
}
