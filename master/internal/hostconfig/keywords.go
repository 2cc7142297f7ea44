package hostconfig

// A Policy is what this program does with a keyword.
type Policy int

// Policies of the option table.
const (
	Honoured Policy = iota // done as ssh does it, here or by ssh -G
	Slave                  // the slave's business: ssh decides it for its own session
	Ignored                // of no effect here, for the reason that the row gives; told at debug
	Warned                 // told to the person once, by name; the link goes on without it
	Refused                // an error before anything is dialled
)

var policyNames = [...]string{"honoured", "the slave's", "ignored", "warned about", "refused"}

// String names the policy for a person.
func (p Policy) String() string { return policyNames[p] }

// A Keyword is one row of the option table.
type Keyword struct {
	Name   string // as in ssh_config(5); a field of Host
	Policy Policy

	// Why follows "Name value: " in a message: the reason, and what to do.
	Why string

	// When says whether the row's policy applies to a host. nil applies it to
	// a value that differs from ssh's own default. Honoured and Slave need none.
	When func(*Host) bool

	// ByStock says that a link made by stock ssh honours the keyword. NotByStock
	// is why such a link cannot do what a link of our own does; it is warned
	// about.
	ByStock    bool
	NotByStock string
}

// Methods are the authentication methods that a link can use. A host that
// prefers none of them is refused.
var Methods = []string{"publickey", "keyboard-interactive", "password"}

// noKerberos is a reason that several rows share.
const noKerberos = "Kerberos cannot be used here"

// noAttaching is what guides on the web do not tell of ControlMaster yes.
const noAttaching = "with it ssh never attaches to a socket that is there but logs in again each time; " +
	"write ControlMaster auto (or no), ControlPath ~/.ssh/control-%r@%h:%p.sock and ControlPersist 8h"

// Keywords is the option table: every keyword that a release of ssh prints,
// and what this version does with it. A keyword that comes into its own is one
// changed line.
var Keywords = []Keyword{
	// Reaching the host.
	{Name: "Host"},
	{Name: "HostName"},
	{Name: "Port"},
	{Name: "User"},
	{Name: "AddressFamily"},
	{Name: "BindAddress"},
	{Name: "BindInterface"},
	{Name: "ConnectTimeout"},
	{Name: "ConnectionAttempts"},
	{Name: "TCPKeepAlive"},
	{Name: "IPQoS"},
	{Name: "ProxyCommand"},
	{Name: "ProxyUseFdpass"},
	{Name: "ProxyJump"},

	// The connection.
	{Name: "ServerAliveInterval"},
	{Name: "ServerAliveCountMax"},
	{Name: "Ciphers"},
	{Name: "MACs"},
	{Name: "KexAlgorithms"},
	{Name: "Compression", Policy: Warned, ByStock: true, Why: "links are not compressed", When: func(h *Host) bool { return h.Compression }},
	{Name: "RekeyLimit", Policy: Ignored, ByStock: true, Why: "the server decides when keys are renewed"},
	{Name: "VersionAddendum", Policy: Ignored, ByStock: true, Why: "the version that is sent is ssh-master's own"},
	{Name: "WarnWeakCrypto", Policy: Ignored, ByStock: true, Why: "weak algorithms are not warned about"},

	// The host's keys.
	{Name: "HostKeyAlgorithms"},
	{Name: "CASignatureAlgorithms"},
	{Name: "RequiredRSASize"},
	{Name: "StrictHostKeyChecking"},
	{Name: "UserKnownHostsFile"},
	{Name: "GlobalKnownHostsFile"},
	{Name: "HostKeyAlias"},
	{Name: "HashKnownHosts"},
	{Name: "NoHostAuthenticationForLocalhost"},
	{Name: "RevokedHostKeys"},
	{Name: "KnownHostsCommand"},
	{Name: "CheckHostIP"},
	{Name: "UpdateHostKeys"},
	{Name: "VerifyHostKeyDNS", Policy: Warned, ByStock: true, Why: "DNS is not asked for host keys: treated as no", When: func(h *Host) bool { return h.VerifyHostKeyDNS != "no" }},
	{Name: "FingerprintHash"},
	{Name: "VisualHostKey", Policy: Ignored, ByStock: true, Why: "no picture of the key is drawn"},

	// The user's proof.
	{Name: "IdentityFile"},
	{Name: "CertificateFile"},
	{Name: "IdentitiesOnly"},
	{Name: "IdentityAgent"},
	{Name: "PubkeyAuthentication"},
	{Name: "PubkeyAcceptedAlgorithms"},
	{Name: "PreferredAuthentications", Policy: Refused, ByStock: true, Why: "a link can use none of these: name publickey, keyboard-interactive or password too", When: (*Host).prefersNothing},
	{Name: "AddKeysToAgent"},
	{Name: "PasswordAuthentication"},
	{Name: "KbdInteractiveAuthentication"},
	{Name: "KbdInteractiveDevices", Policy: Ignored, ByStock: true, Why: "the server chooses the devices"},
	{Name: "NumberOfPasswordPrompts"},
	{Name: "BatchMode"},
	{Name: "HostbasedAuthentication", Policy: Warned, ByStock: true, Why: "it cannot be done here: another method must do", When: func(h *Host) bool { return h.HostbasedAuthentication }},
	{Name: "HostbasedAcceptedAlgorithms", Policy: Ignored, ByStock: true, Why: "host-based authentication cannot be done here"},
	{Name: "EnableSSHKeysign", Policy: Ignored, ByStock: true, Why: "host-based authentication cannot be done here"},
	{Name: "PKCS11Provider", Policy: Warned, ByStock: true, Why: "tokens are used by way of the agent: load it with ssh-add -s"},
	{Name: "SecurityKeyProvider", Policy: Warned, ByStock: true, Why: "security keys are used by way of the agent: load them with ssh-add"},

	// GSSAPI. Debian's ssh_config turns it on for everybody.
	{Name: "GSSAPIAuthentication", Policy: Ignored, ByStock: true, Why: noKerberos + ": another method must do"},
	{Name: "GSSAPIKeyExchange", Policy: Warned, ByStock: true, Why: noKerberos + ": the host key is checked instead", When: func(h *Host) bool { return h.GSSAPIKeyExchange }},
	{Name: "GSSAPIDelegateCredentials", Policy: Warned, ByStock: true, Why: noKerberos + ": no credentials are passed on", When: func(h *Host) bool { return h.GSSAPIDelegateCredentials }},
	{Name: "GSSAPITrustDNS", Policy: Ignored, ByStock: true, Why: noKerberos},
	{Name: "GSSAPIRenewalForcesRekey", Policy: Ignored, ByStock: true, Why: noKerberos},
	{Name: "GSSAPIKexAlgorithms", Policy: Ignored, ByStock: true, Why: noKerberos},
	{Name: "GSSAPIClientIdentity", Policy: Ignored, ByStock: true, Why: noKerberos},
	{Name: "GSSAPIServerIdentity", Policy: Ignored, ByStock: true, Why: noKerberos},

	// Forwards.
	{Name: "LocalForward"},
	{Name: "RemoteForward"},
	{Name: "DynamicForward"},
	{Name: "GatewayPorts"},
	{Name: "ClearAllForwardings"},
	{Name: "ExitOnForwardFailure"},
	{Name: "StreamLocalBindMask"},
	{Name: "StreamLocalBindUnlink"},
	{Name: "PermitRemoteOpen"},
	{Name: "ForwardAgent"},
	{Name: "ForwardX11", NotByStock: "X11 is not forwarded over a link of stock ssh"},
	{Name: "ForwardX11Trusted"},
	{Name: "ForwardX11Timeout"},
	{Name: "XAuthLocation"},
	{Name: "Tunnel", Policy: Refused, Why: "tunnel devices are not supported: use ssh for it", When: func(h *Host) bool { return h.Tunnel != "no" }},
	{Name: "TunnelDevice", Policy: Ignored, Why: "there is no tunnel"},

	// The control socket.
	{Name: "ControlMaster", Policy: Warned, Why: noAttaching, When: (*Host).neverAttached},
	{Name: "ControlPath"},
	{Name: "ControlPersist"},
	{Name: "ForkAfterAuthentication"},

	// Sessions.
	{Name: "RemoteCommand", Policy: Slave},
	{Name: "RequestTTY", Policy: Slave},
	{Name: "SessionType", Policy: Slave},
	{Name: "StdinNull", Policy: Slave},
	{Name: "SendEnv", Policy: Slave},
	{Name: "SetEnv", Policy: Slave},
	{Name: "EscapeChar", Policy: Slave},
	{Name: "EnableEscapeCommandline", Policy: Ignored, Why: "OpenSSH has no command line in multiplexed sessions either"},
	{Name: "ObscureKeystrokeTiming", Policy: Ignored, Why: "keystrokes are not hidden among chaff"},
	{Name: "ChannelTimeout", Policy: Warned, Why: "idle channels are not closed"},
	{Name: "LocalCommand", Policy: Warned, Why: "it is not run by a master yet", When: func(h *Host) bool { return h.PermitLocalCommand && h.LocalCommand != "" }},
	{Name: "PermitLocalCommand"},

	// Names and words, which ssh -G has dealt with.
	{Name: "CanonicalizeHostname"},
	{Name: "CanonicalizeFallbackLocal"},
	{Name: "CanonicalizeMaxDots"},
	{Name: "CanonicalDomains"},
	{Name: "CanonicalizePermittedCNAMEs"},
	{Name: "IgnoreUnknown"},
	{Name: "Tag"},
	{Name: "LogLevel"},
	{Name: "LogVerbose", Policy: Ignored, Why: "there are no source files of ssh to be verbose about"},
	{Name: "SyslogFacility", Policy: Ignored, Why: "the log goes to stderr or to the file of -E"},
}
