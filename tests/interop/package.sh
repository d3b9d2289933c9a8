#!/bin/bash
# What lib/package sees in packages, judged by 7zz, cabextract, gcab and sha256sum: the lab's packages,
# cabinets made by gcab, and - when IMGBUILD_REAL_DATA names a folder with it - a genuine Feature on Demand.
set -euo pipefail
export LC_ALL=C.UTF-8

info=$IB_BUILD/tool_package_info
lab=$IB_BUILD/imglab
for tool in 7zz cabextract gcab openssl; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -x "$info" ] || { echo "skipped: tool_package_info is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
done_any=no

fail() { echo "FAILED: $*" >&2; exit 1; }

# status WANT ARGUMENT...: runs the tool, its lines go to out, its errors to err
status() {
	local want=$1 got=0
	shift
	"$info" "$@" >out 2>err || got=$?
	[ $got = "$want" ] || { cat err; fail "status $got, not $want: $*"; }
}

# value WORD: what stands behind it in out
value() { sed -n "s/^$1 //p" out; }

# count_members FILE: members of a cabinet and of the cabinets in it, as 7zz counts them
count_members() {
	local n
	n=$(7zz l -ba -slt "$1" | grep -c '^Path = ')
	rm -rf inner && 7zz x -y -oinner "$1" '*.cab' '-x!WSUSSCAN.cab' >/dev/null
	for c in inner/*.cab; do
		[ -f "$c" ] && n=$((n + $(7zz l -ba -slt "$c" | grep -c '^Path = ')))
	done
	echo "$n"
}

lab_packages() {
	"$lab" packages -o lab >/dev/null
	"$lab" certs -o certs >/dev/null
	for f in lab/*.msu lab/*.cab; do
		[[ $f != *-setup.cab ]] || continue # plain files for sources/, no package
		status 0 -p -a certs/lab-root.pem "$f"
		[ "$(value members)" = "$(count_members "$f")" ] || fail "$f: members"
		[ "$(value unchecked)" = 0 ] || fail "$f: all manifests are plain"
		! grep -q '^missing' out || fail "$f: $(grep '^missing' out)"
		# every file, its size as 7zz unpacks it
		rm -rf flat && mkdir flat
		case $f in
		*.msu) 7zz x -y -oflat "$(ls inner/*.cab)" >/dev/null ;;
		*) 7zz x -y -oflat "$f" >/dev/null ;;
		esac
		(cd flat && find . -mindepth 2 -type f -printf 'file %P %s\n') | tr / '\\' | sort >want
		grep '^file' out | sort >got
		diff want got || fail "$f: files"
		# an expanded folder is the same package
		grep -v '^container' out >cab.out
		status 0 -p -a certs/lab-root.pem flat
		sort cab.out | grep -v -e '^members' -e '^file' >a
		sort out | grep -v -e '^members' -e '^file' -e '^container' >b
		diff a b || fail "$f: the folder differs"
	done
	status 4 -a certs/unknown-root.pem lab/Lab-OpenTools*.cab
	for bad in manifest unknown unsigned; do
		status 4 -a certs/lab-root.pem lab/refused/*-$bad.msu
	done
	status 0 -a certs/lab-root.pem lab/refused/*-payload.msu
	status 4 -p lab/refused/*-payload.msu
	grep -q "file 'ntoskrnl.exe' of component .* has SHA-256 .* its manifest says" err || fail "which file is wrong"

	# the same files in a cabinet that somebody else wrote
	for zip in '' -z; do
		(cd flat && find . -type f -printf '%P\n' | sort | xargs gcab -c $zip ../again.cab)
		status 0 -p -a certs/lab-root.pem again.cab
		grep '^file' out | sort | diff got - || fail "gcab $zip"
	done
	done_any=yes
}

# All certificates in a catalog, time stamp included, as PEM: its own chain as anchors proves the mathematics
embedded() {
	openssl asn1parse -inform DER -in "$1" | sed -nE 's/^ *([0-9]+):d=[ 0-9]+hl=([0-9]+) l= *([0-9]+) cons: SEQUENCE.*/\1 \2 \3/p' |
		while read -r at head len; do
			[ "$len" -gt 700 ] && [ "$len" -lt 3000 ] || continue
			head -c $((at + head + len)) "$1" | tail -c $((head + len)) >one.der
			openssl x509 -inform DER -in one.der 2>/dev/null || true
		done
}

genuine() {
	local f=$1
	status 0 -p "$f"
	[ "$(value root)" = 'OpenSSH-Server-Package~31bf3856ad364e35~amd64~~10.0.20348.1' ] || fail "identity"
	[ "$(value members)" = "$(cabextract -l "$f" 2>/dev/null | grep -cE '^ *[0-9]+ \|')" ] || fail "members"
	[ "$(value '  capability')" = 'OpenSSH.Server 1.0' ] || fail "capability"
	value '  parent' | cut -d~ -f1 | tr '\n' ' ' >parents
	[ "$(cat parents)" = 'Microsoft-NanoServer-Edition-Core-Package Microsoft-Windows-Client-Features-Package Microsoft-Windows-Server-Features-Package ' ] ||
		fail "parents"
	[ "$(grep -c '^mum ' out)" = 4 ] && [ "$(grep -c '^manifest .* deployment$' out)" = 3 ] || fail "descriptions"
	[ "$(grep -c '^unread ' out)" = 3 ] || fail "compressed manifests"
	cabextract -q -d genuine "$f" 2>/dev/null
	embedded genuine/update.cat >own.pem
	status 0 -a own.pem "$f"
	[ "$(value catalogs) $(value members-verified) $(value unchecked)" = '4 7 3' ] || fail "trust"
	local dictionary=$IMGBUILD_REAL_DATA/msdelta/tests/fixtures/base_manifest.bin
	if [ -f "$dictionary" ]; then
		status 0 -p -a own.pem -d "$dictionary" "$f"
		! grep '^unread' out || fail "manifests that were not read"
		[ "$(value catalogs) $(value members-verified) $(value unchecked)" = '4 10 0' ] || fail "trust, all of it"
		! grep '^missing' out || fail "files that were not found"
		(cd genuine && find . -mindepth 2 -type f -printf 'file %P %s\n') | tr / '\\' | sort >want
		grep '^file' out | sort >got
		diff want got || fail "files of the genuine package"
		echo "genuine: $(wc -l <got) files, $(grep -c '^manifest' out) manifests, none unread"
	else
		echo "left out: no dictionary, so the genuine package's compressed manifests are not read"
	fi
	sed 's/KB777778/KB777779/' -i genuine/update.mum genuine/OpenSSH-Server-Package*.mum
	status 4 -a own.pem genuine
	done_any=yes
}

if [ -x "$lab" ]; then
	lab_packages
else
	echo "imglab is not built: its packages are not tried"
fi
real=$(ls "${IMGBUILD_REAL_DATA:-/nonexistent}"/OpenSSH-Server-Package~31bf3856ad364e35~amd64~~.cab 2>/dev/null || true)
if [ -n "$real" ]; then
	genuine "$real"
else
	echo "IMGBUILD_REAL_DATA is not set: no genuine package is tried"
fi
[ $done_any = yes ] || { echo "skipped: no package to look at"; exit 77; }
echo ok
