package hostconfig

import "time"

// A Host is the configuration of one destination: a field for each ssh_config
// keyword in ssh_config(5)'s spelling, after all expansion.
//
// Choices keep ssh_config's words with true and on folded into "yes", false
// and off into "no". A zero value means that ssh printed nothing for the
// keyword and OpenSSH's default is "nothing" too.
type Host struct {
	// OriginalHost is the host as typed, without user and port: token %n.
	OriginalHost string `ssh:"host"`

	// Reaching the host.
	HostName           string        // token %h, lower case, canonicalized
	Port               int           // 1 to 65535
	User               string        // the remote user
	AddressFamily      string        `oneof:"any inet inet6"`
	BindAddress        string        // "" binds none
	BindInterface      string        // "" binds none
	ConnectTimeout     time.Duration `unit:"s"` // 0 is the system's own limit
	ConnectionAttempts int           // at least 1, one second apart
	TCPKeepAlive       bool
	IPQoS              IPQoS
	ProxyCommand       string // expanded, without "exec"; "" dials. With ProxyJump it is the `ssh -W` that ssh itself would run
	ProxyUseFdpass     bool
	ProxyJump          []Jump `list:"jump"` // in the order in which they are passed

	// The connection.
	ServerAliveInterval time.Duration `unit:"s"` // 0 sends none
	ServerAliveCountMax int
	Ciphers             []string `list:"comma"`
	MACs                []string `list:"comma"`
	KexAlgorithms       []string `list:"comma"`
	Compression         bool
	RekeyLimit          RekeyLimit
	VersionAddendum     string
	WarnWeakCrypto      string `oneof:"yes no no-pq-kex"`

	// The host's keys.
	HostKeyAlgorithms                []string `list:"comma"`
	HostKeyAlgorithmsSet             bool     `ssh:"-"` // the user chose: never reordered by what is known of the host
	CASignatureAlgorithms            []string `list:"comma"`
	RequiredRSASize                  int      // bits
	StrictHostKeyChecking            string   `oneof:"yes no ask accept-new"`
	UserKnownHostsFile               []string `list:"files"` // nil is none; the first is written to
	GlobalKnownHostsFile             []string `list:"files"` // nil is none
	RevokedHostKeys                  []string `list:"files"` // nil is none
	KnownHostsCommand                string   // as configured: see Host.ExpandKnownHostsWord
	HostKeyAlias                     string   // used verbatim as OpenSSH does; "" is none
	HashKnownHosts                   bool
	CheckHostIP                      bool
	NoHostAuthenticationForLocalhost bool
	UpdateHostKeys                   string `oneof:"yes no ask"`
	VerifyHostKeyDNS                 string `oneof:"yes no ask"`
	FingerprintHash                  string `oneof:"sha256 md5"`
	VisualHostKey                    bool

	// The user's proof.
	IdentityFile                 []string `list:"lines"` // expanded; nil is none
	IdentityFileDefault          bool     `ssh:"-"`      // all of IdentityFile are ssh's defaults: missing ones are nothing to tell
	CertificateFile              []string `list:"lines"` // expanded
	IdentitiesOnly               bool
	IdentityAgent                string // the agent's socket, SSH_AUTH_SOCK resolved; "" is no agent
	AddKeysToAgent               AddKeys
	PubkeyAuthentication         string   `oneof:"yes no unbound host-bound"`
	PubkeyAcceptedAlgorithms     []string `list:"comma"`
	PasswordAuthentication       bool
	KbdInteractiveAuthentication bool
	KbdInteractiveDevices        []string `list:"comma"`
	NumberOfPasswordPrompts      int
	PreferredAuthentications     []string `list:"comma"` // nil is ssh's own order
	BatchMode                    bool
	HostbasedAuthentication      bool
	HostbasedAcceptedAlgorithms  []string `list:"comma"`
	EnableSSHKeysign             bool
	PKCS11Provider               string
	SecurityKeyProvider          string // "internal", a library, or "" when its variable is unset

	// GSSAPI, as Debian's build has it.
	GSSAPIAuthentication      bool
	GSSAPIKeyExchange         bool
	GSSAPIDelegateCredentials bool
	GSSAPITrustDNS            bool     `ssh:"gssapitrustdns"`
	GSSAPIRenewalForcesRekey  bool     `ssh:"gssapirenewalforcesrekey"`
	GSSAPIKexAlgorithms       []string `list:"comma"`
	GSSAPIClientIdentity      string
	GSSAPIServerIdentity      string

	// Forwards.
	LocalForward          []Forward `list:"forward"`
	RemoteForward         []Forward `list:"forward"`
	DynamicForward        []Forward `list:"forward"`
	GatewayPorts          bool
	ClearAllForwardings   bool // already applied to the lists
	ExitOnForwardFailure  bool
	StreamLocalBindMask   uint32 // umask of forwarded sockets
	StreamLocalBindUnlink bool
	PermitRemoteOpen      []string `list:"space"` // "any", "none" or host:port patterns
	ForwardAgent          AgentForward
	ForwardX11            bool
	ForwardX11Trusted     bool
	ForwardX11Timeout     time.Duration `unit:"s"` // 0 is without limit
	XAuthLocation         string
	Tunnel                string `oneof:"no point-to-point ethernet"`
	TunnelDevice          string

	// The control socket.
	ControlMaster           string `oneof:"no yes ask auto autoask"`
	ControlMasterConfigured string `ssh:"-"` // the same without -M and -o: what other programs find; "" is unknown
	ControlPath             string // expanded; "" is none
	ControlPersist          Persist
	ForkAfterAuthentication bool

	// Sessions: the slave decides these for itself.
	RemoteCommand           string
	LocalCommand            string // as configured: see Host.LocalCommandLine
	PermitLocalCommand      bool
	RequestTTY              string `oneof:"no yes force auto"`
	SessionType             string `oneof:"default none subsystem"`
	StdinNull               bool
	SendEnv                 []string `list:"lines"`
	SetEnv                  []string `list:"lines"` // NAME=value
	EscapeChar              EscapeChar
	EnableEscapeCommandline bool
	ObscureKeystrokeTiming  time.Duration `unit:"ms"`    // 0 is off
	ChannelTimeout          []string      `list:"space"` // type=seconds

	// Names and words.
	CanonicalizeHostname        string `oneof:"no yes always"`
	CanonicalizeFallbackLocal   bool
	CanonicalizeMaxDots         int
	CanonicalDomains            []string `list:"space"`
	CanonicalizePermittedCNAMEs []string `list:"space"`
	IgnoreUnknown               string
	Tag                         string
	LogLevel                    string   // QUIET FATAL ERROR INFO VERBOSE DEBUG DEBUG2 DEBUG3
	LogVerbose                  []string `list:"space"`
	SyslogFacility              string

	// Home is the local user's home folder, as ssh finds it: token %d.
	Home string `ssh:"-"`

	// Own holds ssh-master's own options.
	Own Own `ssh:"-"`

	// Warnings are sentences about the resolution itself, for a person:
	// what could not be judged where no ssh is installed.
	Warnings []string `ssh:"-"`

	// Raw is what ssh printed: lower-case keyword to values, in order, nothing
	// expanded. Keywords that have no field are here only. Hosts share values, which
	// are not changed.
	Raw map[string][]string `ssh:"-"`

	base map[string][]string // what `ssh -F none -G` prints; nil when unknown
	tok  tokens
	env  Environment

	named agents // as the configuration says it, perhaps by variables

	asked   Query  // what Resolve was asked, but for Env
	program string // the ssh that answered; "" when none is installed
	file    string // its -F, absolute
}
