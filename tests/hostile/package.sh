#!/bin/bash
# Bad packages, made here: each must be refused with the right status, and its message must say what is wrong.
# 3 bad input, 4 a check failed.
set -euo pipefail
export LC_ALL=C.UTF-8

info=$IB_BUILD/tool_package_info
cab=$IB_BUILD/tool_archive_cab
for tool in "$info" "$cab"; do
	[ -x "$tool" ] || { echo "skipped: $(basename "$tool") is not built"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }

# refused WANT WORDS FILE [OPTION]: status, and words of the cause
refused() {
	local got=0
	"$info" ${4:-} "$3" >out 2>err || got=$?
	[ $got = "$1" ] || { cat err; fail "$3: status $got, not $1"; }
	[ "$1" = 0 ] || grep -qF "$2" err || { cat err; fail "$3: the cause does not say '$2'"; }
	! grep -qE 'Sanitizer|assertion|CRITICAL' err || { cat err; fail "$3"; }
}

identity() { # NAME VERSION
	echo "<assemblyIdentity name=\"$1\" version=\"$2\" processorArchitecture=\"amd64\" language=\"neutral\"" \
		"publicKeyToken=\"31bf3856ad364e35\" versionScope=\"nonSxS\" />"
}
mum() { # NAME VERSION BODY
	echo "<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\">$(identity "$1" "$2")<package>${3:-}</package></assembly>"
}
manifest() { # NAME BODY
	echo "<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\">$(identity "$1" 1.0.0.0)${2:-}</assembly>"
}

mum Lab-Package 1.0.0.0 >good.mum
echo text >text

# what is good, to begin with
"$cab" good.cab update.mum good.mum readme.txt text
refused 0 '' good.cab

# containers
size=$(stat -c %s good.cab)
for n in 0 3 4 35 36 60 $((size - 30)) $((size - 1)); do
	head -c "$n" good.cab >short.cab
	refused 3 "short.cab" short.cab
done
echo 'no cabinet at all' >text.cab
refused 3 'neither a cabinet nor an .msu' text.cab
printf 'MSWIM\0\0\0' >new.msu
refused 3 'smaller than a header' new.msu
refused 3 'missing.cab' missing.cab
for name in '..\up' 'a\..\..\b' 'C:\x' '\x' '/etc/passwd' 'a\\b' 'x:stream'; do
	"$cab" bad.cab update.mum good.mum "$name" text
	refused 3 'leads out of it' bad.cab
done
"$cab" bad.cab readme.txt text
refused 3 "no 'update.mum'" bad.cab
"$cab" two.msu SSU.cab good.cab LCU.cab good.cab
refused 0 '' two.msu
[ "$(grep -c '^root ' out)" = 2 ] || fail "two packages in one file"
"$cab" bad.msu x.cab text
refused 3 "'x.cab' is not a cabinet" bad.msu
head -c $((size - 1)) good.cab >short.cab
"$cab" bad.msu x.cab short.cab
refused 3 'x.cab' bad.msu
mkdir linked && cp good.mum linked/update.mum && ln -s /etc/passwd linked/x
refused 3 'neither a file nor a folder' linked

# an index larger than any
truncate -s 100M big
for form in 'express.psf.cix.xml' '_manifest_.cix.xml'; do
	"$cab" bad.cab update.mum good.mum "$form" big
	refused 3 'at most' bad.cab
done
rm big

# forms that are named
for form in 'x.psf' 'express.psf.cix.xml' '_manifest_.cix.xml'; do
	"$cab" bad.cab update.mum good.mum "$form" text
	refused 3 "$form" bad.cab
done

# descriptions
bad_mum() { # WORDS, text on stdin
	cat >bad.mum
	"$cab" bad.cab update.mum bad.mum
	refused 3 "$1" bad.cab
}
bad_mum 'DOCTYPE' <<<'<!DOCTYPE a [<!ENTITY x "y">]><assembly>&x;</assembly>'
bad_mum 'update.mum' <<<'<assembly>'
bad_mum 'update.mum' </dev/null
bad_mum "not an 'assembly'" <<<'<unattend/>'
mum Lab-Package 1.2.3.4.5 | bad_mum "version '1.2.3.4.5'"
mum Lab-Package 1.2.3.65536 | bad_mum "version '1.2.3.65536'"
mum Lab-Package '' | bad_mum "version ''"
mum '..\..\Lab' 1.0 | bad_mum 'is not a name'
mum Lab-Package 1.0 '<update><component/></update>' | bad_mum 'has no name'
mum Lab-Package 1.0 '<update name="u"><component/></update>' | bad_mum 'assemblyIdentity is missing'
printf '%0.s<a>' $(seq 300) | bad_mum 'update.mum'
mum Lab-Other 1.0.0.0 >other.mum
"$cab" bad.cab update.mum good.mum 'Lab-Lie~31bf3856ad364e35~amd64~~1.0.0.0.mum' other.mum
refused 3 "gives the name 'Lab-Other~31bf3856ad364e35~amd64~~1.0.0.0.mum'" bad.cab
"$cab" bad.cab update.mum good.mum update.mum other.mum
refused 3 'twice' bad.cab

# manifests
bad_manifest() { # WORDS NAME, text on stdin
	cat >bad.manifest
	"$cab" bad.cab update.mum good.mum "$2" bad.manifest
	refused 3 "$1" bad.cab
}
manifest Lab-Component | bad_manifest "gives the name 'amd64_lab-component_" \
	amd64_lab-component_31bf3856ad364e35_1.0.0.0_none_0123456789abcdef.manifest
manifest Lab-Component >bad.manifest
"$cab" bad.cab update.mum good.mum x.manifest bad.manifest
refused 3 'gives the name' bad.cab
key=$(sed -nE "s/.*gives the name '(.*)'.*/\1/p" err)
[ -n "$key" ] || fail "no key form"
manifest Lab-Component '<file name="..\..\x"/>' | bad_manifest 'not the name of a file' "$key"
manifest Lab-Component '<file name="x" destinationPath="$(runtime.windows)\..\..\x"/>' | bad_manifest 'leads upwards' "$key"
manifest Lab-Component '<memberships><categoryMembership><id typeName="Service"/><categoryInstance><serviceData name="a\b"/></categoryInstance></categoryMembership></memberships>' |
	bad_manifest 'not the name of a service' "$key"

# payload without a hash cannot be trusted; one with a wrong hash is not what was signed
manifest Lab-Component '<file name="x"/>' >bad.manifest
"$cab" bad.cab update.mum good.mum "$key" bad.manifest "${key%.manifest}\\x" text
refused 0 '' bad.cab
refused 4 'gives no hash' bad.cab -p
manifest Lab-Component "<file name=\"x\" hash=\"$(printf other | sha256sum | cut -c1-64)\" hashalg=\"SHA256\"/>" >bad.manifest
"$cab" bad.cab update.mum good.mum "$key" bad.manifest "${key%.manifest}\\x" text
refused 4 'its manifest says' bad.cab -p
manifest Lab-Component "<file name=\"x\" hash=\"$(sha256sum <text | cut -c1-64)\" hashalg=\"SHA256\"/>" >bad.manifest
"$cab" good2.cab update.mum good.mum "$key" bad.manifest "${key%.manifest}\\x" text
refused 0 '' good2.cab -p
"$cab" bad.cab update.mum good.mum "$key" bad.manifest "${key%.manifest}\\f\\x" text
refused 0 '' bad.cab -p
grep -q '^  reason its differential f\\ cannot be read' out || fail "a differential that is none"
echo ok
