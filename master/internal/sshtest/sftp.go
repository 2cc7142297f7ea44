package sshtest

import (
	"io"

	"github.com/pkg/sftp"
)

// serveSFTP serves file transfers in the folder home until the client ends them.
func serveSFTP(s *Session, home string) (status uint32) {
	server, err := sftp.NewServer(unclosed{s, s}, sftp.WithServerWorkingDirectory(home))
	if err == nil {
		err = server.Serve()
	}
	if err != nil {
		io.WriteString(s.Stderr(), "sftp: "+err.Error()+"\n")
		return 1
	}
	return 0
}

// unclosed keeps the library from closing the session before its exit status was sent.
type unclosed struct {
	io.Reader
	io.Writer
}

// Close makes no difference to the session: an error ends Serve all the same.
func (unclosed) Close() error { return nil }
