package muxproto

// The encoding of each request, in the order of its fields.

// MsgType is TypeHello.
func (*Hello) MsgType() Type { return TypeHello }

func (m *Hello) appendBody(dst []byte) []byte {
	dst = appendU32(dst, m.Version)
	for _, x := range m.Extensions {
		dst = appendString(dst, x.Name)
		dst = appendString(dst, x.Value)
	}
	return dst
}

// decodeBody keeps every extension. A frame bounds how many there can be.
func (m *Hello) decodeBody(c *cursor) {
	m.Version = c.u32()
	for c.more() {
		m.Extensions = append(m.Extensions, Extension{Name: c.string(), Value: c.bytes()})
	}
}

// MsgType is TypeNewSession.
func (*NewSession) MsgType() Type { return TypeNewSession }

func (m *NewSession) appendBody(dst []byte) []byte {
	dst = appendU32(dst, m.RequestID)
	dst = appendString(dst, m.Reserved)
	dst = appendBool(dst, m.WantTTY)
	dst = appendBool(dst, m.WantX11)
	dst = appendBool(dst, m.WantAgent)
	dst = appendBool(dst, m.Subsystem)
	dst = appendU32(dst, m.EscapeChar)
	dst = appendString(dst, m.Term)
	dst = appendString(dst, m.Command)
	for _, e := range m.Env {
		dst = appendString(dst, e)
	}
	return dst
}

// decodeBody keeps every entry of the environment. A frame holds 65,536 empty
// ones at most, and what to send on is the master's to decide.
func (m *NewSession) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.Reserved = c.bytes()
	m.WantTTY = c.bool()
	m.WantX11 = c.bool()
	m.WantAgent = c.bool()
	m.Subsystem = c.bool()
	m.EscapeChar = c.u32()
	m.Term = c.string()
	m.Command = c.string()
	for c.more() {
		m.Env = append(m.Env, c.string())
	}
}

// MsgType is TypeAliveCheck.
func (*AliveCheck) MsgType() Type { return TypeAliveCheck }

func (m *AliveCheck) appendBody(dst []byte) []byte { return appendU32(dst, m.RequestID) }
func (m *AliveCheck) decodeBody(c *cursor)         { m.RequestID = c.u32() }

// MsgType is TypeTerminate.
func (*Terminate) MsgType() Type { return TypeTerminate }

func (m *Terminate) appendBody(dst []byte) []byte { return appendU32(dst, m.RequestID) }
func (m *Terminate) decodeBody(c *cursor)         { m.RequestID = c.u32() }

// MsgType is TypeOpenForward.
func (*OpenForward) MsgType() Type { return TypeOpenForward }

func (m *OpenForward) appendBody(dst []byte) []byte {
	return m.Forward.append(appendU32(dst, m.RequestID))
}

func (m *OpenForward) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.Forward.decode(c)
}

// MsgType is TypeCloseForward.
func (*CloseForward) MsgType() Type { return TypeCloseForward }

func (m *CloseForward) appendBody(dst []byte) []byte {
	return m.Forward.append(appendU32(dst, m.RequestID))
}

func (m *CloseForward) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.Forward.decode(c)
}

// MsgType is TypeStdioForward.
func (*NewStdioForward) MsgType() Type { return TypeStdioForward }

func (m *NewStdioForward) appendBody(dst []byte) []byte {
	dst = appendU32(dst, m.RequestID)
	dst = appendString(dst, m.Reserved)
	dst = appendString(dst, m.Host)
	return appendU32(dst, m.Port)
}

func (m *NewStdioForward) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.Reserved = c.bytes()
	m.Host = c.string()
	m.Port = c.u32()
}

// MsgType is TypeStopListening.
func (*StopListening) MsgType() Type { return TypeStopListening }

func (m *StopListening) appendBody(dst []byte) []byte { return appendU32(dst, m.RequestID) }
func (m *StopListening) decodeBody(c *cursor)         { m.RequestID = c.u32() }

// MsgType is TypeProxy.
func (*Proxy) MsgType() Type { return TypeProxy }

func (m *Proxy) appendBody(dst []byte) []byte { return appendU32(dst, m.RequestID) }
func (m *Proxy) decodeBody(c *cursor)         { m.RequestID = c.u32() }

// MsgType is TypeInfoRequest.
func (*InfoRequest) MsgType() Type { return TypeInfoRequest }

func (m *InfoRequest) appendBody(dst []byte) []byte {
	return appendString(appendU32(dst, m.RequestID), m.Name)
}

func (m *InfoRequest) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.Name = c.string()
}
