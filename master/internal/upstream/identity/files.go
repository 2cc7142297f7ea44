package identity

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/crypto/ssh"
)

// certificates reads CertificateFile.
func (r *keyring) certificates() []*key {
	var list []*key
	for _, path := range r.a.c.CertificateFiles {
		if k := r.certificate(path, ""); k != nil {
			list = append(list, k)
		}
	}
	return list
}

// certificate reads the certificate in file, which lies beside the private key at
// path, or "" for one that was configured by itself; nil when there is none to
// use.
func (r *keyring) certificate(file, path string) *key {
	public, _, err := readPublic(expandHome(file, r.a.c.Home))
	if err != nil && path != "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		r.a.log.Debug("certificate " + file + ": " + err.Error())
		if path == "" {
			r.a.blame(blame{rank: rankFile, cause: fmt.Sprintf("CertificateFile %s cannot be read: %v", file, err), remedy: "correct CertificateFile"})
		}
		return nil
	}
	cert, ok := public.(*ssh.Certificate)
	if !ok || cert.CertType != ssh.UserCert {
		r.a.log.Debug("ignoring certificate " + file + ": not a user certificate")
		return nil
	}
	if err := checkLength(public, r.a.c.RequiredRSASize); err != nil {
		r.a.log.Warn("certificate " + file + " is ignored: " + err.Error())
		return nil
	}
	return &key{name: cmp.Or(path, file), path: path, certFile: file, public: public, explicit: true}
}

// files reads the public halves of IdentityFile, and the certificates beside
// them unless some are configured.
func (r *keyring) files() []*key {
	var list []*key
	for _, file := range r.a.c.IdentityFiles {
		if file.Path == "none" || file.Path == "" {
			continue
		}
		if k := r.file(file); k != nil {
			list = append(list, k)
		}
		if len(r.a.c.CertificateFiles) > 0 {
			continue
		}
		if k := r.certificate(file.Path+"-cert.pub", file.Path); k != nil {
			k.explicit = !file.Default
			list = append(list, k)
		}
	}
	return list
}

// file reads the public half of one IdentityFile, as far as it is known
// without the private one; nil when the file cannot be used.
func (r *keyring) file(file File) *key {
	path := expandHome(file.Path, r.a.c.Home)
	k := &key{name: file.Path, path: file.Path, explicit: !file.Default}
	public, comment, err := loadPublic(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.missing(file)
		return nil
	case err != nil:
		r.a.log.Debug("identity file " + file.Path + ": public half not known: " + err.Error())
		return k
	}
	k.public = public
	r.comments[file.Path] = cleanLine(comment)
	r.a.log.Debug("identity file " + file.Path + " type " + typeName(public))
	if err := checkLength(public, r.a.c.RequiredRSASize); err != nil {
		r.tooShort(file.Path, err)
		return nil
	}
	return k
}

// missing tells of a file that does not exist, if somebody named it.
func (r *keyring) missing(file File) {
	if file.Default {
		return
	}
	r.a.log.Debug("no such identity: " + file.Path)
	r.a.blame(blame{rank: rankFile,
		cause:  "IdentityFile " + file.Path + " does not exist",
		remedy: "correct IdentityFile"})
}

// tooShort tells of a file with an RSA key below the limit.
func (r *keyring) tooShort(path string, err error) {
	r.a.log.Warn("key " + path + " is ignored: " + err.Error())
	r.a.blame(blame{rank: rankFile, cause: "key " + path + ": " + err.Error(), remedy: "make a longer key (ssh-keygen)"})
}
