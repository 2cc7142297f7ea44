package stdio

import "golang.org/x/sys/unix"

var ownInputFlags = []modeFlag{{42, iflag, unix.IUTF8}}
