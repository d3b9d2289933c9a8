#!/usr/bin/env bash
# Servers that break their word, each in one way: the right error, in time, never a crash or a hang.
set -euo pipefail
send=$IB_BUILD/tool_publish_send
hostile=$IB_BUILD/tool_publish_hostile
for f in "$send" "$hostile"; do
	[ -x "$f" ] || { echo "skipped: $f is not built"; exit 77; }
done
command -v ssh-keygen >/dev/null || { echo "skipped: ssh-keygen is not installed"; exit 77; }
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
ssh-keygen -q -t ed25519 -N '' -f key
pin=$(ssh-keygen -lf key.pub | cut -d' ' -f2)
head -c 3000000 /dev/zero > big
head -c 1000000 /dev/zero > same
failed=0

# try MODE STATUS TEXT COMMAND…: what the client says when the server misbehaves
try() {
	local mode=$1 want=$2 text=$3 status=0 port from=$SECONDS
	shift 3
	rm -f port && mkfifo port
	"$hostile" key "$mode" > port 2> server.log &
	server=$!
	read -r port < port
	timeout 20 "$send" host-key="$pin" password="${password:-right}" timeout=2 "sftp://u@127.0.0.1:$port/d" "$@" > out 2>&1 || status=$?
	kill $server 2>/dev/null || true
	wait $server 2>/dev/null || true
	server=
	if [ $status != "$want" ] || { [ -n "$text" ] && ! grep -qF -- "$text" out; } || [ $((SECONDS - from)) -gt 12 ] || LC_ALL=C grep -q $'[\001-\010\013-\037]' out; then
		echo "FAILED: $mode: status $status after $((SECONDS - from)) s, wanted $want and '$text':"
		cat out
		failed=1
	else
		printf '%-16s %s\n' "$mode" "$(tail -n 1 out | cut -c 1-150)"
	fi
}

try good 0 '1000000' stat x get x zeros put same y
cmp zeros same
try mute 5 'cannot connect'
try auth-silent 5 'did not answer for 2 s'
password=wrong try good 5 "does not let user 'u' in with the password"
try partial 5 'wants more than the password'
try no-channel 5 'did not answer for 2 s'
try deny-channel 5 'no session at'
try no-subsystem 5 'did not answer for 2 s'
try deny-subsystem 5 'no SFTP at'
try silent 5 'did not answer for 2 s'
try close 5 'closed the connection'
try huge 5 'a packet of 4294967299 bytes'
try over-limit 5 'a packet of 1048581 bytes'
try zero 5 'a packet of 4 bytes'
try no-version 5 'does not speak SFTP version 3'
try old-version 5 'does not speak SFTP version 3'
try half 5 'closed the connection'
try cut-extension 0 '1000000' stat x
try liar-limits 0 '18446744073709551615' space get x zeros
cmp zeros same
try flood 5 'does not speak SFTP version 3'
try wrong-id 5 'was not asked' stat x
try empty-status 5 "cannot look at '/d': the server's answer (type 101) is broken" stat x
try unknown-status 5 'status 77777' stat x
try escape 5 'cannot look at' stat x
try no-size 5 'does not say the size' stat x
try cut-attrs 5 'does not say the size' stat x
try giant 5 'read' get x out.x
try long-handle 5 'cannot open' get x out.x
try no-handle 0 '' get x zeros
try short-data 0 '' get x zeros
cmp zeros same
try long-data 5 'were asked for' get x out.x
try empty-data 5 'sent 0 bytes' get x out.x
try cut-data 5 "reading '/d/x'" get x out.x
try early-end 5 'end of file' get x out.x
try write-never 5 'did not answer for 2 s' put big y
try write-quota 5 'Disk quota exceeded' put big y
try write-wrong-id 5 'was not asked' put big y
try close-fails 5 'cannot close' put same y
try good 5 "has 1000000 bytes on the server, 3000000 were sent" put big y
[ $failed = 0 ] || exit 1
echo ok
