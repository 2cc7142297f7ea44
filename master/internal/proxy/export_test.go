package proxy

// Packet and its coding, for the tests.
type Packet = packet

var (
	Decode = decode
	Append = func(m Packet) []byte { return appendPacket(nil, &m) }
)
