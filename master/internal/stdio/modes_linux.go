package stdio

import "golang.org/x/sys/unix"

// vdisable is _POSIX_VDISABLE.
const vdisable = 0

func getTermios(fd int) (*unix.Termios, error) {
	return unix.IoctlGetTermios(fd, unix.TCGETS)
}

var modeChars = []modeChar{
	{1, unix.VINTR}, {2, unix.VQUIT}, {3, unix.VERASE}, {4, unix.VKILL}, {5, unix.VEOF},
	{6, unix.VEOL}, {7, unix.VEOL2}, {8, unix.VSTART}, {9, unix.VSTOP}, {10, unix.VSUSP},
	{12, unix.VREPRINT}, {13, unix.VWERASE}, {14, unix.VLNEXT}, {18, unix.VDISCARD},
}

var modeFlags = []modeFlag{
	{30, iflag, unix.IGNPAR}, {31, iflag, unix.PARMRK}, {32, iflag, unix.INPCK}, {33, iflag, unix.ISTRIP},
	{34, iflag, unix.INLCR}, {35, iflag, unix.IGNCR}, {36, iflag, unix.ICRNL}, {37, iflag, unix.IUCLC},
	{38, iflag, unix.IXON}, {39, iflag, unix.IXANY}, {40, iflag, unix.IXOFF}, {41, iflag, unix.IMAXBEL},
	{42, iflag, unix.IUTF8},

	{50, lflag, unix.ISIG}, {51, lflag, unix.ICANON}, {52, lflag, unix.XCASE}, {53, lflag, unix.ECHO},
	{54, lflag, unix.ECHOE}, {55, lflag, unix.ECHOK}, {56, lflag, unix.ECHONL}, {57, lflag, unix.NOFLSH},
	{58, lflag, unix.TOSTOP}, {59, lflag, unix.IEXTEN}, {60, lflag, unix.ECHOCTL}, {61, lflag, unix.ECHOKE},
	{62, lflag, unix.PENDIN},

	{70, oflag, unix.OPOST}, {71, oflag, unix.OLCUC}, {72, oflag, unix.ONLCR}, {73, oflag, unix.OCRNL},
	{74, oflag, unix.ONOCR}, {75, oflag, unix.ONLRET},

	{90, cflag, unix.CS7}, {91, cflag, unix.CS8}, {92, cflag, unix.PARENB}, {93, cflag, unix.PARODD},
}

// speeds decodes the one speed that TCGETS reports, in the control flags, for
// both directions.
func speeds(t *unix.Termios) (in, out uint32) {
	baud := uint32(9600)
	for _, s := range bauds {
		if t.Cflag&unix.CBAUD == s.code {
			baud = s.baud
		}
	}
	return baud, baud
}

var bauds = []struct{ code, baud uint32 }{
	{unix.B0, 0}, {unix.B50, 50}, {unix.B75, 75}, {unix.B110, 110}, {unix.B134, 134}, {unix.B150, 150},
	{unix.B200, 200}, {unix.B300, 300}, {unix.B600, 600}, {unix.B1200, 1200}, {unix.B1800, 1800},
	{unix.B2400, 2400}, {unix.B4800, 4800}, {unix.B9600, 9600}, {unix.B19200, 19200}, {unix.B38400, 38400},
	{unix.B57600, 57600}, {unix.B115200, 115200}, {unix.B230400, 230400},
}
