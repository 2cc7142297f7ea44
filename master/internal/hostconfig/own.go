package hostconfig

import "time"

// Own holds ssh-master's own options. Each field is a keyword; its tags hold
// the default, the choices where it has some, and its line of documentation.
// To add an option, add a field.
type Own struct {
	SlaveTimeout time.Duration `default:"10s" doc:"how long a slave may take to hand over what its request announced"`
}
