#!/bin/bash
# The lab's packages, judged by 7zz, cabextract, xmllint and sha256sum: reproducible, readable,
# complete, and wrong only where they are meant to be.
set -euo pipefail
export LC_ALL=C.UTF-8

lab=$IB_BUILD/imglab
for tool in 7zz cabextract xmllint openssl; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -x "$lab" ] || { echo "skipped: imglab is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }

# 1. same seed, same bytes, whatever the time zone; another seed, others
"$lab" packages --seed 3 -o one
TZ=Asia/Shanghai "$lab" packages --seed 3 -o two
"$lab" packages --seed 4 -o three
diff -r one two || fail "two runs differ"
for f in one/*.msu one/*.cab; do
	cmp -s "$f" "three/$(basename "$f")" && fail "$f does not depend on the seed"
done

# 2. every cabinet can be read by two others, and unpacked
for f in one/*.msu one/*.cab one/refused/*.msu; do
	7zz t "$f" >log || { cat log; fail "7zz on $f"; }
	cabextract -q -t "$f" >log 2>&1 || { cat log; fail "cabextract on $f"; }
	d=x/$(basename "$f")
	mkdir -p "$d"
	case $f in
	*.cab) 7zz x -y "-o$d" "$f" >/dev/null ;;
	*.msu)
		7zz x -y "-oouter/$d" "$f" >/dev/null
		[ "$(ls "outer/$d" | sed -E 's/^.*(-pkgProperties\.txt|WSUSSCAN\.cab|x64\.cab|x64\.xml)$/\1/' | sort | tr '\n' ' ')" = \
			"-pkgProperties.txt WSUSSCAN.cab x64.cab x64.xml " ] || fail "members of $f"
		for inner in "outer/$d"/*.cab; do
			cabextract -q -t "$inner" >log 2>&1 || { cat log; fail "cabextract on $inner of $f"; }
		done
		xmllint --noout "outer/$d"/*.xml
		7zz x -y "-o$d" "outer/$d"/*-x64.cab >/dev/null ;;
	esac
	case $f in *-setup.cab) # plain files, no package
		[ -f "$d/setup.exe" ] || fail "$f has no setup.exe"
		rm -r "$d"
		continue ;;
	esac
	[ -f "$d/update.mum" ] || fail "$f has no update.mum"
	xmllint --noout "$d"/*.mum "$d"/*.manifest || fail "XML of $f"
done
grep -aq 'opentool.exe' one/Lab-OpenTools* && grep -aqF '\opentool.exe' one/Lab-OpenTools* ||
	fail "names in cabinets have no backslashes"

# cumulative updates are LZX, the others MSZIP
for kb in 5001384:LZX:21 5005568:LZX:21 5006672:LZX:21 5005112:MSZip; do
	7zz l -slt outer/x/windows10.0-kb${kb%%:*}-x64.msu/*-x64.cab | grep "^Method = ${kb#*:}" > /dev/null || fail "method of $kb"
done

# 3. payload: what manifests promise (SHA-256, base64) against what lies there
promised() { # lines "hex  keyform/file"
	for m in "$1"/*.manifest; do
		tr -d '\r' <"$m" | sed -nE 's/^ *<file name="([^"]*)".*/F \1/p; s/.*<dsig:DigestValue>(.*)<\/dsig:DigestValue>.*/D \1/p' |
			awk -v key="$(basename "$m" .manifest)" '$1 == "F" { file = $2 } $1 == "D" { print $2, key "/" file }'
	done >base64
	paste -d' ' <(cut -d' ' -f1 base64 | base64 -d | od -An -v -tx1 -w32 | tr -d ' ') <(sed 's/^[^ ]*/ /; s/^  */ /' base64) | sort
}
found() { (cd "$1" && find . -mindepth 2 -type f -printf '%P\0' | xargs -0r sha256sum) | sort; }
# 4. catalogs: each mum's and manifest's SHA-256 is a tag in one of them
listed() { for c in "$1"/*.cat; do
	openssl asn1parse -inform DER -in "$c" | sed -nE 's/.*HEX DUMP\]:([0-9A-F]{64})$/\L\1/p'
done | sort -u; }
hashes() { (cd "$1" && sha256sum ./*.mum ./*.manifest) | cut -c1-64 | sort -u; }

for d in x/*.msu x/*.cab; do
	promised "$d" >promised
	found "$d" >found
	[ -s promised ] || fail "$d promises nothing"
	differing=$(diff promised found | grep -c '^<' || true)
	case $d in *-payload.msu) want=1 ;; *) want=0 ;; esac
	[ "$differing" = $want ] || fail "$d: $differing payload files differ from their manifests, not $want"
	case $d in
	*-unsigned.msu)
		! ls "$d"/*.cat >/dev/null 2>&1 || fail "$d has catalogs"
		continue ;;
	*-manifest.msu) want=1 ;;
	*) want=0 ;;
	esac
	listed "$d" >listed
	hashes "$d" >hashes
	missing=$(comm -23 hashes listed | wc -l)
	[ "$missing" = $want ] || fail "$d: $missing mums and manifests are in no catalog, not $want"
done

# 5. September: what makes it worth installing
nine=x/windows10.0-kb5005568-x64.msu
components=$(ls $nine | grep -cE '_17763.2183_|_10\.0\.17763\.2183_.*\.manifest$')
[ "$components" -ge 90 ] || fail "only $components components at 17763.2183"
for kind in '^wow64_' '^x86_' '_en-us_' '_10\.0\.17763\.1911_'; do
	ls $nine | grep -E "$kind" >/dev/null || fail "September has no component like $kind"
done
grep -q 'installerAssembly.*version="10.0.17763.2170"' $nine/update.mum || fail "September asks for no servicing stack"
ls $nine/amd64_microsoft-windows-lab-exchange_*/labnew.dll >/dev/null || fail "September brings no labnew.dll"
! ls $nine/amd64_microsoft-windows-lab-exchange_*/labold.dll 2>/dev/null || fail "September does not drop labold.dll"
grep -q 'name="UBR" valueType="REG_DWORD" value="0x00000887"' $nine/*core-versioninfo*.manifest || fail "September does not move UBR"
monitor=$(ls $nine/amd64_microsoft-windows-lab-healthmonitor_*.manifest)
for shape in '<serviceData name="LabHealthMonitor"' '<link destination=' '<directory ' '<firewallRule ' \
	'valueType="REG_QWORD" value="0A88000000000000"' 'valueType="REG_NONE"' 'valueType="REG_MULTI_SZ"' \
	'valueType="00020001"' 'valueType="REG_BINARY"' 'valueType="REG_EXPAND_SZ"'; do
	grep -qF "$shape" "$monitor" || fail "the new component has no $shape"
done
grep -q '<detectUpdate>' $nine/package_*.mum || fail "no update follows a feature"

# 6. the others
grep -q 'selfUpdate="true"' x/windows10.0-kb5005112-x64.msu/update.mum || fail "the servicing stack does not say what it is"
grep -q 'name="Package_for_RollupFix" version="17763.2237' x/windows10.0-kb5006672-x64.msu/update.mum || fail "October's identity"
grep -q 'capabilityIdentity name="Lab.OpenTools" version="1.0"' x/Lab-OpenTools*/update.mum || fail "no capability"
cmp x/Lab-OpenTools*.cab/update.mum x/Lab-OpenTools*.cab/Lab-OpenTools-FoD-Package*.mum || fail "the feature's two mums differ"
grep -q 'version="10.0.19041.1"' x/windows10.0-kb5005565-x64.msu/update.mum || fail "the other build's parent"
echo "ok: $components components in September"
