package muxproto_test

// An invocation is a command whose conversation with a master is recorded.
type invocation struct {
	name   string
	args   string // separated by |; S is the control socket, F the configuration, D a folder
	env    []string
	stdin  string // what it reads from a pipe, if nothing else is said
	file   bool   // standard input is a file
	tty    bool   // all three are a terminal
	master string // which of masters; "own" is one like the ordinary, for this alone
	fixed  bool   // it needs ports or paths that others on the machine may be using
}

// masters are the options of the masters that slaves are recorded with.
var masters = map[string][]string{
	"":          {"-M"},
	"own":       {"-M"},
	"ask":       {"-MM"},
	"nopty":     {"-M", "-p", "NOPTY"},
	"nosession": {"-M", "-p", "NOSESSION"},
}

// Fixed places, for they are part of frames. They are outside of what systems
// choose ports from.
const (
	echoPort  = 61022
	takenPort = 61099
	echoPath  = "/tmp/golden-echo"
)

// leftBehind are the paths of forwards in the table.
var leftBehind = []string{"/tmp/golden-a", "/tmp/golden-b", "/tmp/golden-r", "/tmp/golden-s"}

var invocations = []invocation{
	{name: "exec", args: "ssh|-F|F|-S|S|target|exit 7"},
	{name: "exec-255", args: "ssh|-F|F|-S|S|target|exit 255"},
	{name: "exec-stdin", args: "ssh|-F|F|-S|S|target|read line; echo $line", stdin: "hello\n"},
	{name: "exec-file", args: "ssh|-F|F|-S|S|target|cat", stdin: "hello\n", file: true},
	{name: "exec-null", args: "ssh|-F|F|-S|S|-n|target|true"},
	{name: "exec-bytes", args: "ssh|-F|F|-S|S|target|: \xff\xfe\t'quoted'\nexit 1"},
	{name: "exec-signal", args: "ssh|-F|F|-S|S|target|kill -9 $$"},
	{name: "shell", args: "ssh|-F|F|-S|S|target", stdin: "exit 3\n"},
	{name: "no-command", args: "ssh|-F|F|-S|S|-N|target"},
	{name: "tty-forced", args: "ssh|-F|F|-S|S|-tt|target|exit 4"},
	{name: "tty", args: "ssh|-F|F|-S|S|-t|target|exit 5", tty: true},
	{name: "tty-shell", args: "ssh|-F|F|-S|S|target", stdin: "exit 6\n", tty: true},
	{name: "tty-no", args: "ssh|-F|F|-S|S|-T|target|exit 5", tty: true},
	{name: "tty-term", args: "ssh|-F|F|-S|S|-tt|-o|SetEnv=TERM=vt52|target|exit 0"},
	{name: "tty-refused", args: "ssh|-F|F|-S|S|-tt|target|exit 8", master: "nopty"},
	{name: "escape-none", args: "ssh|-F|F|-S|S|-tt|-e|none|target|exit 0"},
	{name: "escape-other", args: "ssh|-F|F|-S|S|-tt|-e|^]|target|exit 0"},
	{name: "env", args: "ssh|-F|F|-S|S|-o|SendEnv=CT_*|target|test $CT_A-${CT_B-unset}-$OTHER = 1--", env: []string{"CT_A=1", "CT_B=", "OTHER=x"}},
	{name: "setenv", args: "ssh|-F|F|-S|S|-o|SendEnv=CT_*|-o|SetEnv=CT_C=set EMPTY=|target|test $CT_A-$CT_C = 1-set", env: []string{"CT_A=1"}},
	{name: "agent", args: "ssh|-F|F|-S|S|-A|target|true", env: []string{"SSH_AUTH_SOCK=/nonexistent"}},
	{name: "x11", args: "ssh|-F|F|-S|S|-X|target|true", env: []string{"DISPLAY=:99"}},
	{name: "x11-trusted", args: "ssh|-F|F|-S|S|-Y|target|true", env: []string{"DISPLAY=:99"}},
	{name: "subsystem", args: "ssh|-F|F|-S|S|-s|target|sftp"},
	{name: "subsystem-refused", args: "ssh|-F|F|-S|S|-s|target|netconf"},
	{name: "refused", args: "ssh|-F|F|-S|S|target|true", master: "nosession"},
	{name: "sftp", args: "sftp|-F|F|-o|ControlPath=S|-b|-|target", stdin: "ls /etc/os-release\n"},
	{name: "scp", args: "scp|-F|F|-o|ControlPath=S|target:/etc/os-release|D/got"},
	{name: "scp-legacy", args: "scp|-O|-F|F|-o|ControlPath=S|target:/etc/os-release|D/got"},
	{name: "scp-legacy-upload", args: "scp|-O|-F|F|-o|ControlPath=S|/etc/os-release|target:/dev/null"},
	{name: "scp-legacy-recursive", args: "scp|-O|-r|-p|-F|F|-o|ControlPath=S|target:/nonexistent|D/got"},
	{name: "stdio", args: "ssh|-F|F|-S|S|-W|127.0.0.1:61022|target", stdin: "hello\n", fixed: true},
	{name: "stdio-v6", args: "ssh|-F|F|-S|S|-W|[::1]:61022|target", stdin: "hello\n", fixed: true},
	{name: "stdio-path", args: "ssh|-F|F|-S|S|-W|/tmp/golden-echo|target", stdin: "hello\n", fixed: true},
	{name: "stdio-refused", args: "ssh|-F|F|-S|S|-W|127.0.0.1:1|target"},
	{name: "check", args: "ssh|-F|F|-S|S|-O|check|target"},
	{name: "exit", args: "ssh|-F|F|-S|S|-O|exit|target", master: "own"},
	{name: "stop", args: "ssh|-F|F|-S|S|-O|stop|target", master: "own"},
	{name: "conninfo", args: "ssh|-F|F|-S|S|-O|conninfo|target", master: "own"},
	{name: "channels", args: "ssh|-F|F|-S|S|-O|channels|target", master: "own"},
	{name: "proxy", args: "ssh|-F|F|-S|S|-O|proxy|target|exit 5"},
	{name: "local", master: "own", fixed: true, args: "ssh|-F|F|-S|S|-O|forward|-L|61080:h:80|-L|*:61081:h:80|-L|localhost:61082:[::1]:80|" +
		"-L|127.0.0.1:61083:h:80|-L|:61084:h:80|-L|[::1]:61085:h:80|target"},
	{name: "local-path", master: "own", fixed: true, args: "ssh|-F|F|-S|S|-O|forward|-L|/tmp/golden-a:h:80|-L|/tmp/golden-b:/b|-L|61086:/b|target"},
	{name: "local-taken", args: "ssh|-F|F|-S|S|-O|forward|-L|127.0.0.1:61099:h:80|target", fixed: true},
	{name: "remote", master: "own", fixed: true, args: "ssh|-F|F|-S|S|-O|forward|-R|61060:h:80|-R|*:61061:h:80|-R|localhost:61062:[::1]:80|" +
		"-R|127.0.0.1:61063:h:80|-R|:61064:h:80|-R|0:h:80|target"},
	{name: "remote-path", master: "own", fixed: true, args: "ssh|-F|F|-S|S|-O|forward|-R|/tmp/golden-r:h:80|-R|/tmp/golden-s:/l|-R|61065:/l|target"},
	{name: "remote-dynamic", master: "own", fixed: true, args: "ssh|-F|F|-S|S|-O|forward|-R|61066|-R|0|target"},
	{name: "remote-taken", args: "ssh|-F|F|-S|S|-O|forward|-R|61099:h:80|target", fixed: true},
	{name: "dynamic", master: "own", fixed: true, args: "ssh|-F|F|-S|S|-O|forward|-D|61088|-D|127.0.0.1:61089|-D|*:61090|target"},
	{name: "session-forwards", master: "own", fixed: true, args: "ssh|-F|F|-S|S|-L|61091:h:80|-R|0:h:80|-D|61092|target|true"},
	{name: "session-configured", master: "own", fixed: true, args: "ssh|-F|F|-S|S|-o|RemoteForward=61094 h:80|-o|DynamicForward=61095|-o|LocalForward=61093 h:80|target|true"},
	{name: "cancel-unknown", args: "ssh|-F|F|-S|S|-O|cancel|-L|61080:h:80|-R|61081:h:81|-R|0:h:82|-D|61088|target"},
	{name: "denied", args: "ssh|-F|F|-S|S|target|true", master: "ask"},
	{name: "denied-stdio", args: "ssh|-F|F|-S|S|-W|127.0.0.1:1|target", master: "ask"},
	{name: "denied-forward", args: "ssh|-F|F|-S|S|-O|forward|-L|61080:h:80|target", master: "ask"},
	{name: "denied-exit", args: "ssh|-F|F|-S|S|-O|exit|target", master: "ask"},
	{name: "denied-stop", args: "ssh|-F|F|-S|S|-O|stop|target", master: "ask"},
	// These belong together: one master, whose forwards are opened, opened
	// again and cancelled.
	{name: "some", args: "ssh|-F|F|-S|S|-O|forward|-L|61096:h:80|-R|61097:h:80|-R|0:h:81|-D|61098|target", fixed: true},
	{name: "some-again", args: "ssh|-F|F|-S|S|-O|forward|-L|61096:h:80|-R|61097:h:80|-R|0:h:81|-D|61098|target", fixed: true},
	{name: "some-other", args: "ssh|-F|F|-S|S|-O|forward|-L|61096:other:80|target", fixed: true},
	{name: "some-cancelled", args: "ssh|-F|F|-S|S|-O|cancel|-L|61096:h:80|-R|61097:h:80|-R|0:h:81|-D|61098|target", fixed: true},
}
