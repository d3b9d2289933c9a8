#!/usr/bin/env bash
# lib/publish against a real OpenSSH server, judged by sha256sum, cmp and OpenSSH's own sftp.
set -euo pipefail
export LC_ALL=C.UTF-8
send=$IB_BUILD/tool_publish_send
[ -x "$send" ] || { echo "skipped: $send is not built"; exit 77; }
for tool in sftp ssh-keygen ssh-agent; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -x /usr/sbin/sshd ] || { echo "skipped: OpenSSH's server is not installed"; exit 77; }
work=$(mktemp -d)
chmod 755 "$work"
agent=
mounted=
finish() {
	"$IB_SRC/ci/sftp-server" stop "$work/s" || true
	"$IB_SRC/ci/sftp-server" stop "$work/rsa" || true
	[ -z "$agent" ] || kill "$agent" 2>/dev/null || true
	[ -z "$mounted" ] || umount "$mounted" || true
	rm -rf "$work"
}
trap finish EXIT
cd "$work"
unset SSH_AUTH_SOCK
export SFTP_SERVER_OWNER=$$

fail() { echo "FAILED: $*" >&2; [ ! -s out ] || cat out >&2; exit 1; }

# status WANT TEXT ARGUMENT…: runs the driver, all it says goes to out
status() {
	local want=$1 text=$2 got=0
	shift 2
	timeout 120 "$send" timeout=10 "$@" > out 2>&1 || got=$?
	[ $got = "$want" ] || fail "status $got, not $want: $*"
	[ -z "$text" ] || grep -qF -- "$text" out || fail "'$text' is not said: $*"
}

same() { cmp -s "$1" "$2" || fail "'$1' and '$2' differ"; }
absent() { [ ! -e "$1" ] || fail "'$1' is there"; }
fingerprint() { ssh-keygen -lf "$1" | cut -d' ' -f2; }

server_up() {
	mkdir -p s/upload
	ssh-keygen -q -t ed25519 -N '' -C lab -f s/user_key
	ssh-keygen -q -t rsa -b 3072 -N '' -C lab -f user_rsa
	ssh-keygen -q -t ecdsa -N '' -C lab -f user_ecdsa
	ssh-keygen -q -t ed25519 -N 'right' -C lab -f locked
	ssh-keygen -q -t rsa -b 2048 -m PEM -N 'right' -C lab -f locked_pem
	ssh-keygen -q -t ed25519 -N '' -C lab -f stranger
	cat s/user_key.pub user_rsa.pub user_ecdsa.pub locked.pub locked_pem.pub > s/authorized_keys
	ssh-keygen -q -t rsa -b 3072 -N '' -C lab -f s/host_rsa
	ssh-keygen -q -t ecdsa -b 384 -N '' -C lab -f s/host_ecdsa
	# New session keys every 16 MiB: an upload must live through it.
	cat > s/sshd_config.more <<-CONF
		HostKey $work/s/host_rsa
		HostKey $work/s/host_ecdsa
		RekeyLimit 16M
	CONF
	eval "$("$IB_SRC/ci/sftp-server" start "$work/s" 0)"
	port=${SFTP_URL##*127.0.0.1:}
	port=${port%%/*}
	user=${SFTP_URL#sftp://}
	user=${user%%@*}
	up=$work/s/upload
	echo "[127.0.0.1]:$port $(cat s/host_key.pub)" > known
	good=(host-key="$SFTP_HOST_KEY" key="$SFTP_KEY" "$SFTP_URL")
}

openssh() { sftp -q -b - -F none -i "$SFTP_KEY" -o IdentitiesOnly=yes -o UserKnownHostsFile=known -P "$port" "$user@127.0.0.1:$up" > sftp.log 2>&1; }

make_files() {
	: > f0
	printf x > f1
	head -c 300000 /dev/urandom > f300k
	head -c 73400323 /dev/urandom > f70m
	head -c 100000 /dev/urandom > other
}

transfers() {
	for f in f0 f1 f300k f70m; do
		status 0 '' "${good[@]}" put other "a/b c/ü/$f" # what is there before
		ln "$up/a/b c/ü/$f" "old.$f"
		status 0 "$(stat -c %s $f)" "${good[@]}" put $f "a/b c/ü/$f" stat "a/b c/ü/$f" get "a/b c/ü/$f" back
		same $f "$up/a/b c/ü/$f"
		same $f back
		same other "old.$f" # the old file was replaced, not written over
		absent "$up/a/b c/ü/$f.part"
		echo "get \"a/b c/ü/$f\" $work/back.sftp" | openssh || fail "sftp get: $(cat sftp.log)"
		same $f back.sftp
		echo "put $work/$f from-sftp" | openssh || fail "sftp put: $(cat sftp.log)"
		status 0 '' "${good[@]}" get from-sftp back.ours
		same $f back.ours
	done
	status 0 '' "${good[@]}" remove from-sftp remove from-sftp
	absent "$up/from-sftp"
	status 3 "there is no '$up/from-sftp'" "${good[@]}" stat from-sftp
	status 3 "there is no '$up/from-sftp'" "${good[@]}" get from-sftp x
	status 2 'no name below' "${good[@]}" put f1 ../x
	# a download that is left in the middle, and a refusal, leave the connection usable
	status 0 73400323 "${good[@]}" try get "a b c/ü/f70m" x try get "a/b c/ü/f70m" /dev/full stat "a/b c/ü/f70m"
	grep -qF "cannot write '/dev/full'" out || fail "the download was not left"
	absent "$work/s/x"
	status 0 '' "${good[@]}" space
	[ "$(cat out)" -gt 0 ] || fail "space"
}

# A byte far before the part's end is changed: only a resumed upload carries it over.
resume() {
	local part=$up/r.part
	head -c 30000000 f70m > "$part"
	printf '\377\376\375' | dd of="$part" bs=1 seek=100 conv=notrunc status=none
	chmod 666 "$part"
	status 0 '' "${good[@]}" put f70m r
	cmp f70m "$up/r" > /dev/null && fail "the upload was not resumed"
	[ "$(cmp -l f70m "$up/r" | wc -l)" -le 3 ] || fail "resumed at the wrong place"
	for size in 1 1048576 30000000 73400323; do # a part of something else
		head -c $size /dev/urandom > "$part"
		chmod 666 "$part"
		status 0 '' "${good[@]}" put f70m r
		same f70m "$up/r"
	done
	for size in 0 1 999999 73400323; do # a good one
		head -c $size f70m > "$part"
		chmod 666 "$part"
		status 0 '' "${good[@]}" put f70m r
		same f70m "$up/r"
	done
	cat f70m f1 > "$part" # a longer one
	chmod 666 "$part"
	status 0 '' "${good[@]}" put f70m r
	same f70m "$up/r"
}

strangers() {
	local wrong=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
	status 5 "pinned is $wrong" host-key=$wrong key="$SFTP_KEY" "$SFTP_URL" put f1 nothing
	grep -qF "$SFTP_HOST_KEY" out || fail "the server's own fingerprint is not shown"
	absent "$up/nothing"
	status 5 'Connection refused' host-key="$SFTP_HOST_KEY" key="$SFTP_KEY" "sftp://$user@127.0.0.1:1/x"
	status 5 'no-such-host.invalid' host-key="$SFTP_HOST_KEY" key="$SFTP_KEY" "sftp://$user@no-such-host.invalid/x"
	status 5 "let user 'stranger' in" host-key="$SFTP_HOST_KEY" key="$SFTP_KEY" "sftp://stranger@127.0.0.1:$port$up"
	status 5 'in with the key' host-key="$SFTP_HOST_KEY" key=stranger "$SFTP_URL"
	status 3 'locked and no passphrase' host-key="$SFTP_HOST_KEY" key=locked "$SFTP_URL"
	status 3 'locked and no passphrase' host-key="$SFTP_HOST_KEY" key=locked_pem "$SFTP_URL"
	status 3 'passphrase does not open' host-key="$SFTP_HOST_KEY" key=locked passphrase=wrong "$SFTP_URL"
	status 3 'passphrase does not open' host-key="$SFTP_HOST_KEY" key=locked_pem passphrase=wrong "$SFTP_URL"
	status 3 'cannot read the private key' host-key="$SFTP_HOST_KEY" key=nowhere "$SFTP_URL"
	cp f300k nokey && chmod 600 nokey
	status 3 'is no private key' host-key="$SFTP_HOST_KEY" key=nokey "$SFTP_URL"
	cp "$SFTP_KEY" open && chmod 644 open
	status 3 'open to other users (mode 0644)' host-key="$SFTP_HOST_KEY" key=open "$SFTP_URL"
	status 5 'in with the password' host-key="$SFTP_HOST_KEY" password=x "$SFTP_URL"
	status 2 'neither a key nor a password' host-key="$SFTP_HOST_KEY" "$SFTP_URL"
}

friends() {
	for key in user_rsa user_ecdsa; do
		status 0 1 host-key="$SFTP_HOST_KEY" key=$key "$SFTP_URL" put f1 $key stat $key
	done
	for key in locked locked_pem; do
		status 0 1 host-key="$SFTP_HOST_KEY" key=$key passphrase=right "$SFTP_URL" put f1 $key stat $key
	done
	for host in host_rsa host_ecdsa; do # pinned though the server shows ed25519 first
		status 0 1 host-key="$(fingerprint s/$host.pub)" key="$SFTP_KEY" "$SFTP_URL" put f1 $host stat $host
	done
	mkdir -p rsa
	ssh-keygen -q -t rsa -b 3072 -N '' -C lab -f rsa/host_key # a server that has nothing else
	# ... and none of OpenSSH's extensions
	echo 'ForceCommand internal-sftp -P posix-rename,fsync,statvfs,limits' > rsa/sshd_config.more
	(
		eval "$("$IB_SRC/ci/sftp-server" start "$work/rsa" 0)"
		status 0 1 host-key="$SFTP_HOST_KEY" key="$SFTP_KEY" "$SFTP_URL" put f1 x stat x put other x stat x get x back space
		grep -qF 'unknown' out || fail "the extensions are there"
		same other back
		status 5 "shows $SFTP_HOST_KEY, pinned" host-key="$(fingerprint s/host_key.pub)" key="$SFTP_KEY" "$SFTP_URL"
	)
	"$IB_SRC/ci/sftp-server" stop "$work/rsa"
}

agent() {
	status 5 'a key of the agent' host-key="$SFTP_HOST_KEY" key=agent "$SFTP_URL"
	eval "$(ssh-agent -a "$work/agent.sock")" > /dev/null
	agent=$SSH_AGENT_PID
	ssh-add -q "$SFTP_KEY"
	status 0 1 host-key="$SFTP_HOST_KEY" key=agent "$SFTP_URL" put f1 by-agent stat by-agent
	if command -v strace > /dev/null; then
		# Nobody's configuration takes part, and an agent only when it is asked for.
		ASAN_OPTIONS=detect_leaks=0 HOME=$work/home SSH_AUTH_SOCK=$work/agent.sock strace -f -e trace=file,connect -o trace "$send" "${good[@]}" stat by-agent > out ||
			fail "under strace"
		! grep -E '\.ssh|/etc/ssh|agent\.sock|known_hosts' trace || fail "a file of the user's was touched"
	else
		echo "strace is not installed: which files are read is not checked"
	fi
	unset SSH_AUTH_SOCK
}

sessions() {
	local child
	for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		echo "$child"
		sessions "$child"
	done
}

server_dies() {
	local pid got=0
	truncate -s 8G f8g
	timeout 60 "$send" timeout=10 "${good[@]}" put f8g dies > out 2>&1 &
	pid=$!
	for _ in $(seq 100); do
		[ -s "$up/dies.part" ] && break
		sleep 0.02
	done
	# shellcheck disable=SC2046
	kill -9 $(sessions "$(cat s/pid)")
	wait $pid || got=$?
	[ $got = 5 ] || fail "status $got when the server died"
	grep -qF 'connection' out || fail "what is said when the server died"
	absent "$up/dies"
	[ -s "$up/dies.part" ] || fail "no part to resume"
	rm -f f8g "$up/dies.part"
}

full_target() {
	mkdir -p "$up/small" "$up/closed"
	chmod 555 "$up/closed"
	if [ "$(id -u)" != 0 ] || [ "$user" = root ]; then
		echo "not root: a full file system is not tried"
	elif mount -t tmpfs -o size=8m,mode=777 none "$up/small" 2>/dev/null; then
		mounted=$up/small
		for url in "$SFTP_URL/small" "file://$up/small"; do
			status 0 '' host-key="$SFTP_HOST_KEY" key="$SFTP_KEY" "$url" space
			[ "$(cat out)" = $((8 << 20)) ] || fail "space in a tmpfs of 8 MiB"

			status 5 '' host-key="$SFTP_HOST_KEY" key="$SFTP_KEY" "$url" put f70m x
			status 0 1 host-key="$SFTP_HOST_KEY" key="$SFTP_KEY" "$url" try put f70m x remove x.part put f1 y stat y
			absent "$up/small/x"
			rm -f "$up/small"/*
		done
	else
		echo "mounting is not allowed here: a full file system is not tried"
	fi
	[ "$(id -u)" != 0 ] || chown nobody "$up/closed"
	status 5 "$up/closed/x" "${good[@]}" put f1 closed/x
	status 5 "make the folder '$up/closed/d'" "${good[@]}" put f1 closed/d/x
	status 5 '' "${good[@]}" put f1 plain put f1 plain/x
	chmod 755 "$up/closed"
}

local_folder() {
	local l="file://$work/local%20one"
	for f in f0 f1 f300k f70m; do
		status 0 "$(stat -c %s $f)" "$l" put other a/$f put $f a/$f stat a/$f get a/$f back
		same $f "local one/a/$f"
		same $f back
	done
	status 3 '' "$l" stat b
	status 0 '' "$l" remove a/f0 remove a/f0 space
	[ "$(find 'local one' -type f | wc -l)" = 3 ] || fail "parts were left"
}

make_files
server_up
for part in transfers resume strangers friends agent server_dies full_target local_folder; do
	from=$(date +%s%N)
	$part
	echo "$part $((($(date +%s%N) - from) / 1000000)) ms"
done
echo ok
