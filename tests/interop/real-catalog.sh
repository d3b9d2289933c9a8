#!/bin/bash
# Genuine catalogs, which cannot be part of this tree. IMGBUILD_REAL_DATA names a folder with any of:
#   *.cab *.msu *.cat   packages and catalogs
#   *.pem *.crt         anchors; without any, the topmost authorities the catalogs bring themselves
# (that proves all signatures and stamps, but not whose they are).
set -euo pipefail
export LC_ALL=C.UTF-8

judge=$IB_BUILD/tool_trust_catalog
if [ -z "${IMGBUILD_REAL_DATA:-}" ]; then
	echo "SKIPPED: IMGBUILD_REAL_DATA is not set, no genuine catalog was looked at"
	exit 77
fi
for tool in 7zz openssl perl; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -x "$judge" ] || { echo "skipped: tool_trust_catalog is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

find "$IMGBUILD_REAL_DATA" -type f \( -iname '*.cab' -o -iname '*.msu' \) -print0 |
	while IFS= read -r -d '' package; do
		d=$(mktemp -d "$work/p.XXXX")
		7zz x -y "-o$d" "$package" >/dev/null || echo "note: 7zz cannot expand all of $package"
	done
mapfile -d '' -t catalogs < <(find "$IMGBUILD_REAL_DATA" "$work" -type f -iname '*.cat' -print0 | sort -z)
[ ${#catalogs[@]} -gt 0 ] || { echo "SKIPPED: no catalog below IMGBUILD_REAL_DATA"; exit 77; }

# Every certificate anywhere in the files that may issue others; DER SEQUENCEs are found by their start.
authorities() {
	perl -0777 -ne 'while (/\x30\x82(..)(?=\x30\x82..\xa0\x03\x02\x01\x02)/gs) {
		$n = unpack("n", $1) + 4; $d = substr($_, $-[0], $n);
		next if length $d < $n || $seen{$d}++;
		open P, "|-", "openssl x509 -inform DER 2>/dev/null"; print P $d; close P; }' "$@"
}
mapfile -d '' -t anchors < <(find "$IMGBUILD_REAL_DATA" -type f \( -iname '*.pem' -o -iname '*.crt' \) -print0 | sort -z)
if [ ${#anchors[@]} = 0 ]; then
	echo "note: no anchors given, taking the authorities in the catalogs"
	authorities "${catalogs[@]}" >"$work/all"
	(cd "$work" && csplit -szf one- all '/-----BEGIN/' '{*}')
	for f in "$work"/one-*; do
		if openssl x509 -in "$f" -noout -ext basicConstraints 2>/dev/null | grep >/dev/null CA:TRUE; then
			cat "$f" >>"$work/anchors"
			openssl x509 -in "$f" -noout -subject -issuer
		fi
	done
	anchors=("$work/anchors")
fi
"$judge" "${anchors[@]}" -- "${catalogs[@]}" | tee "$work/log" | grep -v '^  ' || true
good=$(grep -c '^ok ' "$work/log" || true)
[ "$good" = ${#catalogs[@]} ] || fail "$good of ${#catalogs[@]} catalogs are accepted"

# The mum beside each update.cat is a member; a catalog with one of its digests changed is refused.
for cat in "${catalogs[@]}"; do
	mum=${cat%.cat}.mum
	[ -f "$mum" ] || continue
	sha=$(sha256sum <"$mum" | cut -d' ' -f1)
	"$judge" "${anchors[@]}" -- "$cat" | grep >/dev/null " $sha\$" || fail "$(basename "$mum") is not in its catalog"
	perl -0777 -pe 'BEGIN { $h = pack "H*", shift } $r = $h; substr($r, 3, 1) ^= "\x01"; s/\Q$h\E/$r/' "$sha" "$cat" >"$work/changed.cat"
	status=0
	"$judge" "${anchors[@]}" -- "$work/changed.cat" >/dev/null || status=$?
	[ $status = 4 ] || fail "a changed $(basename "$cat") is not refused"
done
echo "ok: $good catalogs"
