#!/usr/bin/env bash
# How fast lib/publish uploads, beside OpenSSH's sftp with the same cipher: on loopback, and through a relay that
# delays every byte by 10 ms each way. Prints MiB/s and ratios, login included; not a test.
#   tests/bench/publish.sh [BUILD [MIB]]      build/release, 1024
# Files lie in memory (/dev/shm) when there is room, so that the disk is not what is measured; TMPDIR=… chooses.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(realpath "${1:-$here/build/release}")
send=$build/tool_publish_send
mib=${2:-1024}
[ -x "$send" ] || { echo "publish: $send is not built" >&2; exit 2; }
if [ -z "${TMPDIR:-}" ] && [ "$(df --output=avail -BM /dev/shm | tail -n 1 | tr -dc 0-9)" -gt $((mib * 5)) ]; then
	export TMPDIR=/dev/shm
fi
work=$(mktemp -d)
chmod 755 "$work"
relay=
trap '[ -z "$relay" ] || kill "$relay"; "$here/ci/sftp-server" stop "$work/s"; rm -rf "$work"' EXIT
export SFTP_SERVER_OWNER=$$
cipher=aes256-gcm@openssh.com # the first one both sides have

# rate MIB COMMAND…: MiB/s
rate() {
	local n=$1 from
	shift
	from=$(date +%s%N)
	"$@" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	echo $((n * 1000000000 / ($(date +%s%N) - from)))
}

by_sftp() {
	echo "$1" | sftp -q -b - -F none -c $cipher -i "$SFTP_KEY" -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes \
		-o UserKnownHostsFile="$work/known" -P "$port" "$user@127.0.0.1"
}

by_us() { "$send" host-key="$SFTP_HOST_KEY" key="$SFTP_KEY" "$SFTP_URL" "$@"; }

rounds() {
	local n=$1 title=$2 ours theirs
	head -c $((n << 20)) /dev/urandom > "$work/file"
	for round in 1 2 3; do
		theirs=$(rate "$n" by_sftp "put -f $work/file $upload/theirs")
		ours=$(rate "$n" by_us put "$work/file" ours)
		cmp "$work/file" "$upload/ours"
		echo "$title put $n MiB, round $round: sftp $theirs MiB/s, imgbuild $ours MiB/s, ratio $((ours * 100 / theirs)) %"
	done
	theirs=$(rate "$n" by_sftp "get $upload/theirs /dev/null")
	ours=$(rate "$n" by_us get ours /dev/null)
	echo "$title get $n MiB: sftp $theirs MiB/s, imgbuild $ours MiB/s, ratio $((ours * 100 / theirs)) %"
}

eval "$("$here/ci/sftp-server" start "$work/s" 0)"
port=${SFTP_URL##*127.0.0.1:}
port=${port%%/*}
user=${SFTP_URL#sftp://}
user=${user%%@*}
upload=$work/s/upload
echo "[127.0.0.1]:$port $(cat "$work/s/host_key.pub")" > "$work/known"
rounds "$mib" loopback

# The server behind 20 ms of round trip.
cat > "$work/relay.py" <<'PY'
import queue, socket, sys, threading, time

def pump(a, b):
    waiting = queue.Queue(2000)
    def send():
        while True:
            due, data = waiting.get()
            time.sleep(max(0, due - time.monotonic()))
            if not data:
                b.shutdown(socket.SHUT_WR)
                return
            b.sendall(data)
    threading.Thread(target=send, daemon=True).start()
    while True:
        data = a.recv(1 << 16)
        waiting.put((time.monotonic() + 0.01, data))
        if not data:
            return

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    a, _ = listener.accept()
    b = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    for s in (a, b):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=pump, args=(a, b), daemon=True).start()
    threading.Thread(target=pump, args=(b, a), daemon=True).start()
PY
mkfifo "$work/port"
python3 "$work/relay.py" "$port" > "$work/port" &
relay=$!
read -r delayed < "$work/port" || { echo "20 ms: skipped, python3 cannot run the relay"; exit 0; }
SFTP_URL=${SFTP_URL/:$port/:$delayed}
port=$delayed
echo "[127.0.0.1]:$port $(cat "$work/s/host_key.pub")" > "$work/known"
rounds $((mib / 8)) "20 ms"
