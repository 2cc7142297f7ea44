package hostkeys

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
)

// maxFile bounds what is read of one known_hosts file, in bytes.
const maxFile = 256 << 20

// A numbered line knows where it stands.
type numbered struct {
	Line
	file   string
	number int
}

// scan calls visit for each line of r that names hosts. Lines too long, and
// lines that cannot be taken apart, are logged and skipped.
func scan(ctx context.Context, log *slog.Logger, file string, r io.Reader, visit func(numbered)) error {
	in := bufio.NewReaderSize(io.LimitReader(r, maxFile), maxLine)
	for number := 1; ; number++ {
		if number%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		text, whole, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !whole {
			log.Debug("hostkeys: line is too long, skipped", "file", file, "line", number)
		} else if line, bad := ParseLine(text); bad != nil {
			log.Debug("hostkeys: line cannot be read, skipped", "file", file, "line", number, "error", bad)
		} else if line.Hosts != "" {
			visit(numbered{line, file, number})
		}
		if err != nil {
			return nil
		}
	}
}

// readLine returns the next line without its newline. A line that does not fit
// the buffer is read to its end and dropped.
func readLine(in *bufio.Reader) (text string, whole bool, err error) {
	part, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return strings.TrimSuffix(string(part), "\n"), true, err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	return "", false, err
}

// scanFile scans a file. One that is missing or cannot be read is skipped.
func (c *Checker) scanFile(ctx context.Context, path string, visit func(numbered)) error {
	f, err := os.Open(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.log.Debug("hostkeys: file cannot be read, skipped", "file", path, "error", err)
		}
		return nil
	}
	defer f.Close()
	if err := scan(ctx, c.log, path, f, visit); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.log.Debug("hostkeys: file read in part", "file", path, "error", err)
	}
	return nil
}
