#!/bin/bash
# Our verdict on the lab's catalogs, which an independent encoder wrote: the good ones are accepted at
# the time in their stamps, and what was changed, is unsigned or by a stranger is refused.
set -euo pipefail
export LC_ALL=C.UTF-8

lab=$IB_BUILD/imglab judge=$IB_BUILD/tool_trust_catalog
command -v 7zz >/dev/null || { echo "skipped: 7zz is not installed"; exit 77; }
[ -x "$lab" ] || { echo "skipped: imglab is not built"; exit 77; }
[ -x "$judge" ] || { echo "skipped: tool_trust_catalog is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }

"$lab" certs --seed 7 -o certs
"$lab" packages --seed 7 -o packages

# expand PACKAGE: its folder of catalogs and mums
expand() {
	local d=x/$(basename "$1")
	mkdir -p "$d"
	case $1 in
	*.msu) 7zz x -y "-o$d/outer" "$1" >/dev/null && 7zz x -y "-o$d" "$d"/outer/*-x64.cab >/dev/null ;;
	*) 7zz x -y "-o$d" "$1" >/dev/null ;;
	esac
	echo "$d"
}

# 1. good ones: verified, stamped, and the mum beside them is a member under both digests
n=0
for p in packages/*.msu packages/*.cab; do
	[[ $p != *-setup.cab ]] || continue # signed itself, it has no catalog
	d=$(expand "$p")
	for cat in "$d"/*.cat; do
		"$judge" certs/lab-root.pem -- "$cat" >log || { cat log; fail "$cat of $p"; }
		grep -q 'stamp=1 ' log || { cat log; fail "$cat has no time stamp"; }
		n=$((n + 1))
	done
	"$judge" certs/lab-root.pem -- "$d/update.cat" >log
	grep -q "sha256 $(sha256sum <"$d/update.mum" | cut -d' ' -f1)" log || fail "update.mum of $p by SHA-256"
	grep -q "sha1 $(sha1sum <"$d/update.mum" | cut -d' ' -f1)" log || fail "update.mum of $p by SHA-1"
done
[ $n -ge 4 ] || fail "only $n catalogs"
good=$cat

# refused STATUS TEXT ANCHOR CATALOG
refused() {
	local status=0
	"$judge" "$3" -- "$4" >log || status=$?
	[ $status = "$1" ] || { cat log; fail "$4: status $status, not $1"; }
	grep -q "$2" log || { cat log; fail "$4: not refused for '$2'"; }
}

# 2. another root; no root of the signer
refused 4 'not known' certs/unknown-root.pem "$good"
for p in packages/refused/*unknown*.msu; do
	refused 4 'not known' certs/lab-root.pem "$(expand "$p")/update.cat"
	"$judge" certs/lab-root.pem certs/unknown-root.pem -- "x/$(basename "$p")/update.cat" >/dev/null || fail "$p with its root"
done

# 3. a member changed, the end cut off
sha=$(sha256sum <"$(dirname "$good")/update.mum" | cut -d' ' -f1)
perl -0777 -pe 'BEGIN { $h = pack "H*", shift } $r = $h; substr($r, 3, 1) ^= "\x01"; s/\Q$h\E/$r/' "$sha" "$good" >changed.cat
cmp -s "$good" changed.cat && fail "the digest of the mum is not in the catalog"
refused 4 'changed after it was signed' certs/lab-root.pem changed.cat
head -c -1 "$good" >cut.cat
refused 3 'not a catalog' certs/lab-root.pem cut.cat
echo "ok: $n catalogs"
