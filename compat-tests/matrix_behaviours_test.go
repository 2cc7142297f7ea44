package compat

// A behaviour is a row of the matrix: something that a user does at a slave, and exactly what must come of it.
type behaviour struct {
	name  string
	steps []step
	do    func(c *cell) mark            // for what a script on the slave cannot do; nil otherwise
	not   func(c *cell) (reason string) // why it cannot be had in a cell; empty where it can
	then  func(c *cell) []step          // what is asserted where it cannot be had; nil: nothing
}

// A step is a script that bash runs on the slave, and its result. Where a server serves one session a connection, each
// step has a master of its own.
//
// A script finds $host, where to go; $at, the master's own host, and $port, free there; $me, the slave's name; $dir, a folder of the
// cell's own, where it begins; $old, the option that makes scp speak its old protocol; big and small, files of noise.
type step struct {
	script string
	want   Result
}

// behaviours are all rows, in order. The last ones end the master.
var behaviours = []behaviour{
	{name: "`-O check`", do: checks},
	{name: "command, exit status", steps: []step{
		{`ssh $host 'echo out; echo err >&2; exit 7'`, Result{Stdout: "out\n", Stderr: "err\n", Code: 7}},
		// A server that ends the connection with the session makes the master say so.
		{`ssh $host 'kill -TERM $$' 2>err; echo $?; sed '/closed by remote host/d' err`, Result{Stdout: "255\n"}},
		{`ssh $host 'echo "[$1]"' '"two words"'`, Result{Stdout: "[] two words\n"}},
	}},
	{name: "stdin, stdout, stderr: any bytes", steps: []step{
		{`ssh $host 'f=$(mktemp); cat >$f; cat $f; cat $f >&2; rm $f' <$small >out 2>err && cmp $small out && cmp $small err && echo same`, Result{Stdout: "same\n"}},
	}, not: mayBeCut},
	{name: "16 MiB to the host", steps: []step{
		{`a=$(ssh $host sha256sum <$big) b=$(sha256sum <$big) && [ "$a" = "$b" ] && echo same`, Result{Stdout: "same\n"}},
	}},
	{name: "16 MiB there and back", steps: []step{
		{`ssh $host cat <$big | cmp - $big && echo same`, Result{Stdout: "same\n"}},
	}, not: mayBeCut},
	{name: "a shell that reads stdin", steps: []step{
		{`printf 'echo in a shell\nexit 5\n' | ssh -T $host`, Result{Stdout: "in a shell\n", Code: 5}},
	}},
	{name: "`-tt`: window size and its change", do: resizes},
	{name: "a killed slave", steps: []step{
		// Dropbear now and then ends the input of a command while another session ends, under stock ssh's master too.
		{`mkfifo f; exec 4<>f; hold() { ssh $host "echo begun >killed.$me; cat; echo ended >killed.$me" <f 4>&- & }; hold
until ssh $host "grep -q begun killed.$me" 2>/dev/null; do sleep 0.1; [ $server != dropbear ] || kill -0 $! 2>/dev/null || hold; done
kill -KILL $!; wait $! 2>/dev/null; echo $?; until ssh $host "grep ended killed.$me"; do sleep 0.1; done; ssh $host "rm killed.$me"`, Result{Stdout: "137\nended\n"}},
	}, not: oneSession},
	{name: "six sessions side by side", steps: []step{
		{`ssh $host "mkdir side.$me"
for i in 1 2 3 4 5 6; do ssh $host ": >side.$me/$i; until test \$(ls side.$me | wc -l) = 6; do sleep 0.1; done; exit $i" & p[$i]=$!; done
for i in 1 2 3 4 5 6; do wait ${p[$i]}; echo -n $?; done; ssh $host "rm -r side.$me"`, Result{Stdout: "123456"}},
	}, not: oneSession},
	{name: "`scp`, old protocol", steps: []step{
		{`scp $old -q -p $small $host:scp.$me`, Result{}},
		{`scp $old -q -p $host:scp.$me back && cmp back $small && echo same`, Result{Stdout: "same\n"}},
		{`scp $old -q $host:none-such . 2>/dev/null`, Result{Code: 1}},
	}},
	{name: "`scp`, SFTP", steps: []step{
		{`scp -s -q -p $small $host:scps.$me`, Result{}},
		{`scp -s -q -p $host:scps.$me back && cmp back $small && echo same`, Result{Stdout: "same\n"}},
	}, not: func(c *cell) string { return since(c, 807, "8.7", "`scp -s`") }},
	{name: "`sftp -b`", steps: []step{
		{`printf "put $small sftp.$me\nget sftp.$me back\nrm sftp.$me\n" | sftp -q -b - $host >/dev/null && cmp back $small && echo same`, Result{Stdout: "same\n"}},
		{`echo 'get none-such' | sftp -q -b - $host >/dev/null 2>&1`, Result{Code: 1}},
	}},
	{name: "`rsync`", steps: []step{
		{`mkdir -p tree/a; cp $small tree/a/; echo x >'tree/a b'; rsync -a --delete tree/ $host:tree.$me/`, Result{}},
		{`rsync -a $host:tree.$me/ copy/ && diff -r tree copy && echo same`, Result{Stdout: "same\n"}},
	}},
	{name: "`-W`", steps: []step{
		{`ssh -W 127.0.0.1:22 $host </dev/null | head -n 1 | cmp - ../banner.$server && echo same`, Result{Stdout: "same\n"}},
		{`ssh -W 127.0.0.1:1 $host </dev/null 2>/dev/null`, Result{Code: 255}},
	}, not: noForwards, then: func(*cell) []step {
		return []step{{`ssh -W 127.0.0.1:22 $host </dev/null`, Result{Stderr: "Stdio forwarding request failed: Session open refused by peer\r\n", Code: 255}}}
	}},
	{name: "`-O forward -L`, `-O cancel`", steps: []step{
		{`ssh -O forward -L 0.0.0.0:$port:127.0.0.1:22 $host && head -n 1 </dev/tcp/$at/$port | cmp - ../banner.$server && echo same`, Result{Stdout: "same\n"}},
		{`ssh -O cancel -L 0.0.0.0:$port:127.0.0.1:22 $host && { exec 3</dev/tcp/$at/$port; } 2>&1 | grep -om1 'refused$'`, Result{Stdout: "refused\n"}},
	}, not: noForwards},
	{name: "`-O forward -R`", steps: []step{
		// From the host to the master's host, and by -L back to the host's own server.
		{`ssh -O forward -L 0.0.0.0:$port:127.0.0.1:22 $host && ssh -O forward -R $port:127.0.0.1:$port $host &&
ssh $host "bash -c 'head -n 1 </dev/tcp/127.0.0.1/$port'" | cmp - ../banner.$server && echo same`, Result{Stdout: "same\n"}},
	}, not: noForwards},
	{name: "`-O cancel -R`", steps: []step{
		{cancelRemote, Result{Stdout: "refused\n"}},
	}, not: func(c *cell) string {
		if c.server.host == "dropbear" {
			return "it goes on listening, with `ssh -M` too"
		}
		return noForwards(c)
	}, then: func(c *cell) []step {
		if c.server.once {
			return nil
		}
		return []step{{cancelRemote, Result{Code: 1}}} // no connection is refused
	}},
	{name: "`-O forward -D`, `-O cancel`", steps: []step{
		// SOCKS5: no authentication, then 127.0.0.1 port 22.
		{`ssh -O forward -D 0.0.0.0:$port $host && exec 3<>/dev/tcp/$at/$port && printf '\5\1\0' >&3 && head -c 2 <&3 | od -An -tu1 &&
printf '\5\1\0\1\177\0\0\1\0\26' >&3 && head -c 2 <&3 | od -An -tu1 && head -c 8 <&3 >/dev/null && head -n 1 <&3 | cmp - ../banner.$server && echo same`,
			Result{Stdout: "   5   0\n   5   0\nsame\n"}},
		{`ssh -O cancel -D 0.0.0.0:$port $host && { exec 3</dev/tcp/$at/$port; } 2>&1 | grep -om1 'refused$'`, Result{Stdout: "refused\n"}},
	}, not: noForwards},
	{name: "a session with `-L` of its own", steps: []step{
		{`ssh -L 0.0.0.0:$port:127.0.0.1:22 $host 'echo in; exit 4'; echo $?; head -n 1 </dev/tcp/$at/$port | cmp - ../banner.$server && ssh -O cancel -L 0.0.0.0:$port:127.0.0.1:22 $host`, Result{Stdout: "in\n4\n"}},
	}, not: noForwards},
	{name: "`-O proxy`", steps: []step{
		{`echo through | ssh -O proxy $host 'cat; echo err >&2; exit 6'`, Result{Stdout: "through\n", Stderr: "err\n", Code: 6}},
	}, not: mayBeCut, then: func(*cell) []step {
		return []step{{`echo through | ssh -O proxy $host 'cat; exit 6' 2>/dev/null; test $? = 6 -o $? = 255`, Result{Stdout: "through\n"}}}
	}},
	{name: "`-O conninfo`", steps: []step{
		{`ssh -O conninfo $host | grep -c -e "^Connection information for .* pid $pid" -e '^  tcp .* -> .*:22'`, Result{Stdout: "2\n"}},
	}, not: noInfo, then: invalid("conninfo")},
	{name: "`-O channels`", steps: []step{
		{`ssh -O channels $host | grep -c -e '^The following connections are open:' -e ' mux-control '`, Result{Stdout: "2\n"}},
	}, not: noInfo, then: invalid("channels")},
	{name: "`-O stop` beside a session", steps: []step{
		{`mkfifo s; : >o; ssh $host 'echo up; read x; echo "$x"; exit 9' <s >o & exec 4>s; until grep -q up o; do sleep 0.05; done
ssh -O stop $host; test -e /control/$host || echo gone; echo late >&4; wait $!; echo $?; cat o`,
			Result{Stdout: "gone\n9\nup\nlate\n", Stderr: "Stop listening request sent.\r\n"}},
	}},
	{name: "`-O exit`", steps: []step{
		{`ssh -O exit $host`, Result{Stderr: "Exit request sent.\r\n"}},
	}},
}

// cancelRemote takes back the forwards of `-O forward -R` and tries the host's port again.
const cancelRemote = `ssh -O cancel -R $port:127.0.0.1:$port $host && ssh -O cancel -L 0.0.0.0:$port:127.0.0.1:22 $host &&
ssh $host "bash -c '{ exec 3</dev/tcp/127.0.0.1/$port; } 2>&1 | grep -om1 refused\$'"`

// ends tells whether a behaviour ends the master.
func (b *behaviour) ends() bool {
	return b.name == "`-O stop` beside a session" || b.name == "`-O exit`"
}

func since(c *cell, first int, release, what string) string {
	if c.slave.release < first {
		return what + " is in " + release + " and later"
	}
	return ""
}

func oneSession(c *cell) string {
	if c.server.once {
		return "one session a connection"
	}
	return ""
}

// mayBeCut: a master ends with its link, and whoever ends that right behind a session's last bytes may be faster than the
// slave that has to read them.
func mayBeCut(c *cell) string {
	if c.server.once {
		return "it ends the connection with the session, and the end of the output may be lost"
	}
	return ""
}

func noForwards(c *cell) string {
	if c.server.once {
		return "no port forwarding"
	}
	return ""
}

func noInfo(c *cell) string { return since(c, 1003, "10.3", "it") }

func invalid(command string) func(*cell) []step {
	return func(*cell) []step {
		return []step{{`ssh -O ` + command + ` $host`, Result{Stderr: "Invalid multiplex command.\r\n", Code: 255}}}
	}
}
