package stdio

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Opcodes of RFC 4254 section 8 that are not in the tables of the system.
const (
	opEnd         = 0
	opInputSpeed  = 128
	opOutputSpeed = 129
)

// disabledChar stands for a control character that is switched off.
const disabledChar = 255

// modeChar is one control character: its opcode and its place in c_cc.
type modeChar struct {
	op    byte
	index int
}

// modeFlag is one flag: its opcode, the word it is in, and its bits there. A
// flag is on when any of its bits is, also where the bits are a mask: CS8
// reports CS7 as well, as it does in OpenSSH.
type modeFlag struct {
	op   byte
	word func(*unix.Termios) uint64
	bits uint64
}

func iflag(t *unix.Termios) uint64 { return uint64(t.Iflag) }
func lflag(t *unix.Termios) uint64 { return uint64(t.Lflag) }
func oflag(t *unix.Termios) uint64 { return uint64(t.Oflag) }
func cflag(t *unix.Termios) uint64 { return uint64(t.Cflag) }

// encodeModes writes speeds, characters and flags, each an opcode and a
// 32-bit value, in the order in which OpenSSH writes them.
func encodeModes(t *unix.Termios) []byte {
	in, out := speeds(t)
	b := make([]byte, 0, 5*(2+len(modeChars)+len(modeFlags))+1)
	b = appendMode(b, opOutputSpeed, knownSpeed(out))
	b = appendMode(b, opInputSpeed, knownSpeed(in))
	for _, c := range modeChars {
		value := uint32(t.Cc[c.index])
		if value == vdisable {
			value = disabledChar
		}
		b = appendMode(b, c.op, value)
	}
	for _, f := range modeFlags {
		value := uint32(0)
		if f.word(t)&f.bits != 0 {
			value = 1
		}
		b = appendMode(b, f.op, value)
	}
	return append(b, opEnd)
}

func appendMode(b []byte, op byte, value uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, op), value)
}

// knownSpeed is the speed in baud. OpenSSH reports 9600 for speeds that it has
// no name for.
func knownSpeed(baud uint32) uint32 {
	switch baud {
	case 0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 7200, 9600,
		14400, 19200, 28800, 38400, 57600, 76800, 115200, 230400:
		return baud
	}
	return 9600
}
