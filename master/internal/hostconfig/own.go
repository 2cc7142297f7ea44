package hostconfig

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Own holds ssh-master's own options. Each field is a keyword; its tags hold
// the default, the choices where it has some (oneof), and its line of
// documentation. To add an option, add a field.
type Own struct {
	SlaveTimeout time.Duration `default:"10s" doc:"how long a slave may take to hand over what its request announced"`
	HoldTimeout  time.Duration `default:"30s" doc:"how long a slave is held while there is no connection or no free session; time in which somebody types does not count"`
	LazyConnect  bool          `default:"no" doc:"connect when the first slave needs it, not at the start"`
	MaxLinks     int           `default:"4" doc:"how many connections there may be to the host, where no person is needed to log in"`
	WarmSessions int           `default:"1" doc:"how many sessions are opened ahead of need on each connection that is used"`
	ExitMode     string        `default:"now" oneof:"now drain" doc:"what -O exit does: end at once, or listen no more and end with the last session"`
	KillRemote   bool          `default:"no" doc:"signal what a slave that was killed leaves running at the host"`
	Transport    string        `default:"auto" oneof:"auto native openssh" doc:"who makes the connection: ssh-master itself, the installed ssh, or that one where an option needs it"`
}

// An OwnOption describes a field of Own for help and manual.
type OwnOption struct {
	Keyword string
	Type    string // time, flag, number, word, or the choices with | between
	Default string
	Doc     string // one line, lower case, no full stop
}

// ownFields maps a lower-case keyword to its field of Own.
var ownFields = fieldsOf(reflect.TypeFor[Own]())

// OwnOptions lists the own options in the order of Own's fields.
func OwnOptions() []OwnOption {
	t := reflect.TypeFor[Own]()
	var all []OwnOption
	for i := range t.NumField() {
		f := t.Field(i)
		all = append(all, OwnOption{
			Keyword: f.Name,
			Type:    typeName(f),
			Default: f.Tag.Get("default"),
			Doc:     f.Tag.Get("doc"),
		})
	}
	return all
}

// typeName names a field's type for a person.
func typeName(f reflect.StructField) string {
	if words := f.Tag.Get("oneof"); words != "" {
		return strings.ReplaceAll(words, " ", "|")
	}
	switch f.Type {
	case reflect.TypeFor[time.Duration]():
		return "time"
	case reflect.TypeFor[bool]():
		return "flag"
	case reflect.TypeFor[int]():
		return "number"
	}
	return "word"
}

// A setting is one own option as somebody gave it.
type setting struct {
	key, value string
	where      string // for a message: "-o" or file and line
}

// takeOwn takes the own keywords out of args.
func takeOwn(args []Option) (ssh []Option, own []setting) {
	for _, a := range args {
		key, value := splitOption(a.Value)
		if _, ok := ownFields[strings.ToLower(key)]; a.Letter == 'o' && ok {
			own = append(own, setting{key, value, "-o"})
			continue
		}
		ssh = append(ssh, a)
	}
	return ssh, own
}

// ownFrom returns the own options for a list of settings, of which the first
// for a keyword counts; defaults fill the rest.
func ownFrom(given []setting) (Own, error) {
	var own Own
	v := reflect.ValueOf(&own).Elem()
	set := make(map[string]bool)
	for _, s := range given {
		key := strings.ToLower(s.key)
		f, ok := ownFields[key]
		if !ok {
			return Own{}, fmt.Errorf("hostconfig: %s: %s is no option of ssh-master", s.where, printable(s.key))
		}
		into := v.Field(f.index)
		if set[key] {
			into = reflect.New(into.Type()).Elem() // checked all the same
		}
		if err := f.set(into, []string{s.value}); err != nil {
			return Own{}, fmt.Errorf("hostconfig: %s: %s %s %w", s.where, f.name, printable(s.value), err)
		}
		set[key] = true
	}
	for key, f := range ownFields {
		if set[key] {
			continue
		}
		tag := v.Type().Field(f.index).Tag.Get("default")
		if err := f.set(v.Field(f.index), []string{tag}); err != nil {
			panic("hostconfig: default of " + f.name + ": " + err.Error())
		}
	}
	return own, nil
}
