package hostconfig

import (
	"reflect"
	"strings"
)

// A field is one keyword's place in Host or in Own.
type field struct {
	name  string // in ssh_config(5)'s spelling
	index int
	list  string   // how a list is written: comma, space, lines, files, forward, jump
	unit  string   // what a bare number of a duration counts: s or ms
	oneof []string // the choices, when there are only these
}

// hostFields maps a lower-case keyword to its field of Host.
var hostFields = fieldsOf(reflect.TypeFor[Host]())

// fieldsOf reads the tags of a struct. `ssh:"-"` and unexported fields are no
// keywords.
func fieldsOf(t reflect.Type) map[string]field {
	all := make(map[string]field, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("ssh")
		if !f.IsExported() || key == "-" {
			continue
		}
		if key == "" {
			key = strings.ToLower(f.Name)
		}
		all[key] = field{
			name:  f.Name,
			index: i,
			list:  f.Tag.Get("list"),
			unit:  f.Tag.Get("unit"),
			oneof: strings.Fields(f.Tag.Get("oneof")),
		}
	}
	return all
}

// repeats says whether the field takes several values: ssh prints one line for
// each, or (files) no ssh has joined them.
func (f field) repeats() bool { return f.list == "lines" || f.list == "forward" || f.list == "files" }

// aliases are older names of keywords, as older releases print them and as
// files may still spell them.
var aliases = map[string]string{
	"challengeresponseauthentication": "kbdinteractiveauthentication",
	"skeyauthentication":              "kbdinteractiveauthentication",
	"tisauthentication":               "kbdinteractiveauthentication",
	"dsaauthentication":               "pubkeyauthentication",
	"hostbasedkeytypes":               "hostbasedacceptedalgorithms",
	"pubkeyacceptedkeytypes":          "pubkeyacceptedalgorithms",
	"identityfile2":                   "identityfile",
	"keepalive":                       "tcpkeepalive",
	"smartcarddevice":                 "pkcs11provider",
}

// canonical returns a keyword in lower case and under its present name.
func canonical(key string) string {
	key = strings.ToLower(key)
	if now, ok := aliases[key]; ok {
		return now
	}
	return key
}
