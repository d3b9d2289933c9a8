#!/bin/bash
# Each kind of finding: one thing is broken in a sound image, and verify must say exactly that. Files are broken by libwim,
# registries by .reg files.
. "$IB_SRC/tests/lib.sh"
need wimupdate wimdir wimextract hivexregedit python3
lab
base=$media/sources/install.wim
cp "$base" base.wim
expect 0 good "$imgbuild" verify base.wim
wimdir base.wim 1 > tree
wimextract base.wim 1 /Windows/System32/config/{SOFTWARE,SYSTEM,COMPONENTS} --dest-dir=. > /dev/null 2>&1
for h in SOFTWARE SYSTEM COMPONENTS; do hivexregedit --export --unsafe-printable-strings $h '\' 2> /dev/null | tr -d '\r' > $h.reg; done
one() { grep -iE -- "$1" tree | sed -n 1p; }
manifest=$(one '/Manifests/amd64_microsoft-windows-notepad_.*manifest$')
k=$(basename "$manifest" .manifest)
mum=$(one 'servicing/Packages/Microsoft-Windows-SMB1-Package.*mum$')
catalog=$(one 'WinSxS/Catalogs/.*cat$')
component="DerivedData\\Components\\$k"
# what the component's key pins it with, and the family's key
read -r deployment < <(python3 - "$component" <<'PY'
import re, sys
on = False
for line in open("COMPONENTS.reg", encoding="latin-1"):
    if line.startswith("["):
        on = line.strip().lower() == "[\\" + sys.argv[1].lower() + "]"
    m = on and re.match(r'"c!(.*?)"=', line)
    if m:
        print(m[1])
PY
)
pins="\"c!$deployment\"=-"
family=$(grep -iE 'SideBySide.Winners.amd64_microsoft-windows-notepad_[^\\]*\]' SOFTWARE.reg | sed -n '1{s/^\[\\*//; s/\]$//; p}')
[ -n "$k" ] && [ -n "$deployment" ] && [ -n "$family" ] || fail "the base does not hold what is to be broken"

# judge FILE WANT ARGUMENT…: verify finds exactly these ids (sorted, with blanks between)
judge() {
	local wim=$1 want=$2
	shift 2
	expect 4 FINDING "$imgbuild" verify "$wim" "$@"
	expect 4 '' "$imgbuild" verify "$wim" --format=json "$@"
	got=$(python3 -c "import json; d = json.load(open('said.out')); assert len(d['store_findings']) == len(d['findings']) and not d['good']
print(' '.join(sorted({f['id'] for f in d['store_findings'] if f['subject'] and f['text'] and f['image']})))")
	[ "$got" = "$want" ] || { cat said.out; fail "'$want' was broken, '$got' was found"; }
	seen+=" $want"
}
seen=
# files WANT COMMANDS ARGUMENT…
files() {
	cp "${from:-base.wim}" broken.wim
	wimupdate broken.wim 1 <<< "$2" > wimupdate.log 2>&1 || { cat wimupdate.log; fail "wimupdate"; }
	judge broken.wim "$1" "${@:3}"
}
# values WANT HIVE TEXT: a .reg file into the hive
values() {
	printf 'Windows Registry Editor Version 5.00\n\n%s\n' "$3" > broken.reg
	"$imgbuild" hive import "${from:-base.wim}:1:$2" broken.reg -o broken.wim --progress=none > /dev/null
	judge broken.wim "$1"
}
soft='HKEY_LOCAL_MACHINE\SOFTWARE' sys='HKEY_LOCAL_MACHINE\SYSTEM' comp='HKEY_LOCAL_MACHINE\COMPONENTS'
echo other > other
wimextract base.wim 1 "$manifest" /Windows/System32/kernel32.dll --dest-dir=x > /dev/null 2>&1
cp "x/$(basename "$manifest")" longer && echo >> longer

files manifest-missing "delete \"$manifest\""
files manifest-hash "add longer \"$manifest\""
files manifest-unreadable "add other \"$manifest\""
files component-missing "add other /Windows/WinSxS/Manifests/amd64_nobody_31bf3856ad364e35_1.0.0.0_none_0000000000000000.manifest"
files payload-missing "delete /Windows/WinSxS/$k/notepad.exe"
files projection-missing 'delete /Windows/System32/notepad.exe'
files projection-differs 'add other /Windows/System32/kernel32.dll'
files projection-unlinked 'add x/kernel32.dll /Windows/System32/kernel32.dll'
files package-file-missing "delete \"$mum\""
files package-unreadable "add other \"$mum\""
wimextract base.wim 1 "$mum" --dest-dir=x > /dev/null 2>&1
cp "x/$(basename "$mum")" longer.mum && echo >> longer.mum
files package-not-signed "add longer.mum \"$mum\""
files package-catalog-unreadable "add other \"${mum%.mum}.cat\""
files package-catalog-missing "delete \"${mum%.mum}.cat\""
files catalog-missing "delete $catalog"
files catalog-hash "add other $catalog"
files macro 'add other "/Windows/$(runtime.system32)"'
ln -s /nowhere/at-all link && files link-broken 'add link /Windows/link'
cp base.wim broken.wim && wimupdate broken.wim 1 > /dev/null 2>&1 <<EOT
add other /Windows/System32/kernel32.dll
add other /Windows/WinSxS/$(one '/WinSxS/amd64_microsoft-windows-kernel32_[^/]*$' | sed 's,.*/,,')/kernel32.dll
EOT
judge broken.wim payload-hash --full

values manifest-hash-missing COMPONENTS "[$comp\\$component]
\"S256H\"=-"
values component-unpinned COMPONENTS "[$comp\\$component]
$pins"
values deployment-missing COMPONENTS "[-$comp\\CanonicalData\\Deployments\\$deployment]"
values catalog-unknown COMPONENTS "[$comp\\CanonicalData\\Deployments\\$deployment]
\"CatalogThumbprint\"=-"
values winner-missing SOFTWARE "[$soft\\$family\\10.0]
@=\"10.0.17763.9\""
values winner-malformed SOFTWARE "[$soft\\$family\\10.0]
@=\"ten\""
values package-orphan SOFTWARE "[-$soft\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\Packages\\$(basename "$mum" .mum)]"
values service-missing SYSTEM "[-$sys\\ControlSet001\\Services\\RpcSs]"
values service-binary-missing SYSTEM "[$sys\\ControlSet001\\Services\\Ghost]
\"Type\"=dword:00000010
\"ImagePath\"=\"%SystemRoot%\\\\ghost.exe\""
values macro SYSTEM "[$sys\\ControlSet001\\Services\\RpcSs]
\"ImagePath\"=\"\$(runtime.system32)\\\\svchost.exe\""
# two versions installed, the lower one said to win
"$imgbuild" service base.wim:1 --add-package "$media/packages/$ssu" --add-package "$media/packages/$lcu" --trust "$media/lab-root.pem" \
	--progress=none -o nine.wim > /dev/null
expect 0 good "$imgbuild" verify nine.wim
from=nine.wim values winner-not-highest SOFTWARE "[$soft\\$family\\10.0]
@=\"10.0.17763.1\""
# catalogs of a publisher nobody trusts
judge base.wim catalog-untrusted --trust "$keys/unknown-root.pem"

# a driver package
"$imgbuild" service base.wim:1 --add-driver "$media/drivers/labdisk" --trust "$media/lab-root.pem" --progress=none -o driven.wim > /dev/null
expect 0 good "$imgbuild" verify driven.wim --trust "$media/lab-root.pem"
wimdir driven.wim 1 > tree
disk=$(basename "$(one '/FileRepository/labdisk.inf_amd64_[0-9a-f]*$')")
from=driven.wim files driver-inf-missing 'delete /Windows/INF/oem0.inf'
from=driven.wim files driver-inf-changed 'add other /Windows/INF/oem0.inf'
mkdir folder && from=driven.wim files driver-inf-unreadable 'delete /Windows/INF/oem0.inf
add folder /Windows/INF/oem0.inf'
from=driven.wim files driver-catalog-missing "delete \"$(one '/CatRoot/.*/oem0.cat$')\""
from=driven.wim values driver-record SYSTEM "[-$sys\\DriverDatabase\\DriverPackages\\$disk]"
judge driven.wim 'catalog-untrusted driver-catalog-untrusted' --trust "$keys/unknown-root.pem"

# what the page lists and was not broken here: damage of the file itself, which tests of lib/wim make
python3 - "$IB_SRC/docs/json.md" $seen <<'PY'
import re, sys
page = open(sys.argv[1]).read()
section = re.search(r"^### Findings$(.*?)(?=^#)", page, re.M | re.S)[1]
left = set(re.findall(r"^\| `([^`]+)` \|", section, re.M)) - set(sys.argv[2:])
assert left <= {"blob-unreadable", "catalog-unreadable"}, left
PY
echo "ok: $(wc -w <<< "$seen") kinds of findings"
