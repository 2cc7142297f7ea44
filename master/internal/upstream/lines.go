package upstream

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// maxLine bounds one line of a helper's output; a longer one is cut in pieces.
const maxLine = 4096

// eachLine calls f with each line of a server's text, made harmless, without
// its newline. A final newline does not make another line.
func eachLine(text string, f func(line string)) {
	text = strings.TrimSuffix(cleanLines(text), "\n")
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		f(line)
	}
}

// copyLines calls f with each line of r, made harmless, until r ends.
func copyLines(r io.Reader, f func(line string)) {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := br.ReadSlice('\n')
		if len(line) > 0 {
			eachLine(string(line), f)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
