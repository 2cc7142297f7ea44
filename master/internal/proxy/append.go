package proxy

import "encoding/binary"

const (
	// dataHeader and extendedHeader are the bytes before the data of a packet:
	// length, padding length, type, channel, (code,) length of the data.
	dataHeader     = 4 + 1 + 1 + 4 + 4
	extendedHeader = dataHeader + 4

	// stderr is the type of extended data that is standard error (RFC 4254
	// section 5.2).
	stderr = 1
)

// appendPacket appends m with its frame (PROTOCOL.mux section 9).
func appendPacket(b []byte, m *packet) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, m.kind)
	b = appendBody(b, m)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// appendBody appends what follows the type.
func appendBody(b []byte, m *packet) []byte {
	switch m.kind {
	case msgGlobalRequest:
		return append(appendBool(appendBytes(b, m.name), m.want), m.data...)
	case msgRequestSuccess, msgRequestFailure:
		return append(b, m.data...)
	case msgChannelOpen:
		return append(appendU32s(appendBytes(b, m.name), m.sender, m.window, m.max), m.data...)
	case msgOpenConfirmation:
		return append(appendU32s(b, m.channel, m.sender, m.window, m.max), m.data...)
	case msgOpenFailure:
		return appendBytes(appendBytes(appendU32s(b, m.channel, m.code), m.name), m.data)
	case msgWindowAdjust:
		return appendU32s(b, m.channel, m.window)
	case msgData:
		return appendBytes(appendU32s(b, m.channel), m.data)
	case msgExtendedData:
		return appendBytes(appendU32s(b, m.channel, m.code), m.data)
	case msgRequest:
		return append(appendBool(appendBytes(appendU32s(b, m.channel), m.name), m.want), m.data...)
	case msgPing, msgPong:
		return appendBytes(b, m.data)
	default:
		return appendU32s(b, m.channel)
	}
}

func appendU32s(b []byte, vs ...uint32) []byte {
	for _, v := range vs {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func appendBytes(b, v []byte) []byte {
	return append(appendU32s(b, uint32(len(v))), v...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendDataHeader appends everything of a data packet but its data, of which
// there are n bytes.
func appendDataHeader(b []byte, channel uint32, extended bool, n int) []byte {
	if extended {
		b = appendU32s(b, uint32(extendedHeader-4+n))
		b = append(b, 0, msgExtendedData)
		return appendU32s(b, channel, stderr, uint32(n))
	}
	b = appendU32s(b, uint32(dataHeader-4+n))
	b = append(b, 0, msgData)
	return appendU32s(b, channel, uint32(n))
}
