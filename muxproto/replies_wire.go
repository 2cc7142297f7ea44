package muxproto

// The encoding of each reply, in the order of its fields.

// MsgType is TypeOK.
func (*OK) MsgType() Type { return TypeOK }

func (m *OK) appendBody(dst []byte) []byte { return appendU32(dst, m.RequestID) }
func (m *OK) decodeBody(c *cursor)         { m.RequestID = c.u32() }

// MsgType is TypePermissionDenied.
func (*PermissionDenied) MsgType() Type { return TypePermissionDenied }

func (m *PermissionDenied) appendBody(dst []byte) []byte {
	return appendString(appendU32(dst, m.RequestID), m.Reason)
}

func (m *PermissionDenied) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.Reason = c.string()
}

// MsgType is TypeFailure.
func (*Failure) MsgType() Type { return TypeFailure }

func (m *Failure) appendBody(dst []byte) []byte {
	return appendString(appendU32(dst, m.RequestID), m.Reason)
}

func (m *Failure) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.Reason = c.string()
}

// MsgType is TypeExitMessage.
func (*ExitMessage) MsgType() Type { return TypeExitMessage }

func (m *ExitMessage) appendBody(dst []byte) []byte {
	return appendU32(appendU32(dst, m.SessionID), m.Status)
}

func (m *ExitMessage) decodeBody(c *cursor) {
	m.SessionID = c.u32()
	m.Status = c.u32()
}

// MsgType is TypeAlive.
func (*Alive) MsgType() Type { return TypeAlive }

func (m *Alive) appendBody(dst []byte) []byte {
	return appendU32(appendU32(dst, m.RequestID), m.PID)
}

func (m *Alive) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.PID = c.u32()
}

// MsgType is TypeSessionOpened.
func (*SessionOpened) MsgType() Type { return TypeSessionOpened }

func (m *SessionOpened) appendBody(dst []byte) []byte {
	return appendU32(appendU32(dst, m.RequestID), m.SessionID)
}

func (m *SessionOpened) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.SessionID = c.u32()
}

// MsgType is TypeRemotePort.
func (*RemotePort) MsgType() Type { return TypeRemotePort }

func (m *RemotePort) appendBody(dst []byte) []byte {
	return appendU32(appendU32(dst, m.RequestID), m.Port)
}

func (m *RemotePort) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.Port = c.u32()
}

// MsgType is TypeTTYAllocFail.
func (*TTYAllocFail) MsgType() Type { return TypeTTYAllocFail }

func (m *TTYAllocFail) appendBody(dst []byte) []byte { return appendU32(dst, m.SessionID) }
func (m *TTYAllocFail) decodeBody(c *cursor)         { m.SessionID = c.u32() }

// MsgType is TypeProxyReply.
func (*ProxyReply) MsgType() Type { return TypeProxyReply }

func (m *ProxyReply) appendBody(dst []byte) []byte { return appendU32(dst, m.RequestID) }
func (m *ProxyReply) decodeBody(c *cursor)         { m.RequestID = c.u32() }

// MsgType is TypeInfoReply.
func (*InfoReply) MsgType() Type { return TypeInfoReply }

func (m *InfoReply) appendBody(dst []byte) []byte {
	dst = appendU32(dst, m.RequestID)
	dst = appendBool(dst, m.OK)
	return appendString(dst, m.Text)
}

func (m *InfoReply) decodeBody(c *cursor) {
	m.RequestID = c.u32()
	m.OK = c.bool()
	m.Text = c.string()
}
