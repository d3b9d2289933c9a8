# Sourced by shell tests: the laboratory's world, made once a run, and short words for what every test does.
#
#   . "$IB_SRC/tests/lib.sh"
#   need 7zz wimverify           ends with 77 (skipped) when a program is missing
#   lab                          $media $keys $vars $profile, a base, its updates, certificates; read only
#   expect STATUS 'text' CMD…    runs CMD; its status and a text of its output must be these
#
# $work is a folder of the test's own, removed at its end; the test starts in it.
set -euo pipefail
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/sbin:/sbin

imgbuild=$IB_BUILD/imgbuild imglab=$IB_BUILD/imglab
ssu=windows10.0-kb5005112-x64.msu lcu=windows10.0-kb5005568-x64.msu
work=$(mktemp -d "${TMPDIR:-/tmp}/imgbuild-test.XXXXXX")
at_end=()
finish() {
	local status=$? step
	for step in "${at_end[@]}"; do eval "$step" || true; done
	cd / && rm -rf "$work"
	exit $status
}
trap finish EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "SKIPPED: $*"; exit 77; }
need() {
	local tool
	for tool; do command -v "$tool" > /dev/null || skip "$tool is not there"; done
}
for tool in "$imgbuild" "$imglab"; do [ -x "$tool" ] || skip "$tool is not built"; done

# expect STATUS TEXT COMMAND…: the status may be a pattern; what it printed is in ./said (both streams), ./said.out and ./said.err
expect() {
	local want=$1 text=$2 got=0
	shift 2
	"$@" > said.out 2> said.err < /dev/null || got=$?
	cat said.out said.err > said
	! grep -qE 'AddressSanitizer|LeakSanitizer|runtime error|CRITICAL' said || { cat said >&2; fail "'$*': a bug"; }
	[[ $got = $want ]] || { cat said >&2; fail "'$*': status $got, not $want"; }
	[ -z "$text" ] || grep -qF -- "$text" said || { cat said >&2; fail "'$*' does not say '$text'"; }
}
# says TEXT…: the last expect's output has each of them
says() {
	local text
	for text; do grep -qF -- "$text" said || { cat said >&2; fail "it does not say '$text'"; }; done
}
sha256() { sha256sum < "$1" | cut -c1-64; }
# One line per file: what must not change is compared by it.
snapshot() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0r sha256sum); }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# wait_for SECONDS COMMAND…: until it succeeds
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "waited in vain for: $*"
		sleep 0.02
	done
}

make_world() { # DIR
	local role
	mkdir -p "$1/updates/2021-09"
	"$imglab" base -o "$1"
	"$imglab" packages -o "$1/packages"
	"$imglab" drivers -o "$1/drivers"
	"$imglab" certs -o "$1/keys"
	cp "$1/packages/$ssu" "$1/packages/$lcu" "$1/updates/2021-09/"
	for role in technical security customer stranger; do
		openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/O=imgbuild lab/CN=$role" \
			-keyout "$1/keys/$role.key" -out "$1/keys/$role.pem" 2> /dev/null
		chmod 600 "$1/keys/$role.key"
	done
	(cd "$1" && 7zz x -y -tUdf lab-base.iso sources/install.wim sources/boot.wim > /dev/null)
	cat > "$1/vars.ini" <<-VARS
		[vars]
		media       = $1
		keys        = $1/keys
		base-sha256 = $(sha256 "$1/lab-base.iso")
		catalog     = $1/catalog
	VARS
}

# The world of this build folder's imglab: made by the test that comes first, the others wait for it.
lab() {
	media=$IB_BUILD/testlab
	keys=$media/keys vars=$media/vars.ini profile=$IB_SRC/profiles/lab-icbc.ini
	need 7zz openssl flock
	(
		flock 9
		if [ ! "$media/made" -nt "$imglab" ] || [ ! "$media/made" -nt "$IB_SRC/tests/lib.sh" ]; then
			rm -rf "$media"
			make_world "$media"
			touch "$media/made"
		fi
	) 9> "$IB_BUILD/testlab.lock"
}

# What must be true of a folder that builds go into, after a build that failed or was stopped.
no_leftovers() { # DIR
	local left
	left=$(find "$1" -maxdepth 1 -name '.work-*' ! -name '*.lock')
	[ -z "$left" ] || fail "left behind: $left"
}
build() { "$imgbuild" build "$profile" --vars "$vars" --progress=none "$@"; }

# wine_run LOG COMMAND...: a program in Wine. On a busy machine Wine at times does not start one that is there, which is no
# answer of the program's: it is tried three times.
wine_run() {
	local log=$1
	shift
	for _ in 1 2 3; do
		! timeout 300 "$@" > "$log" 2>&1 < /dev/null || return 0
		grep -q '^Application could not be started' "$log" || return 1
	done
	return 1
}
