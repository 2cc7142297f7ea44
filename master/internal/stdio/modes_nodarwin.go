//go:build dragonfly || freebsd || netbsd || openbsd

package stdio

var ownInputFlags []modeFlag
