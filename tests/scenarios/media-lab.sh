#!/bin/bash
# Microsoft's order for media, worked out by build from what it was given: Safe OS update into winre.wim, setup update
# into sources/, Setup and boot programs from the serviced boot.wim, a feature on demand before the cumulative update;
# a cumulative update once more after a feature. 7-Zip and libwim look at the result, osslsigncode at the cabinet.
. "$IB_SRC/tests/lib.sh"
need 7zz wimextract wiminfo hivexget openssl osslsigncode gcab python3
lab
setup=$media/packages/windows10.0-kb5005999-x64-setup.cab safeos=$media/packages/windows10.0-kb5005998-x64-safeos.cab
fod=$(echo "$media"/packages/Lab-OpenTools-FoD-Package*.cab)
mkdir all && cp "$media/packages/$ssu" "$media/packages/$lcu" "$setup" "$safeos" "$fod" all/

# profile LINE…: the laboratory's profile with other lines in [updates]
profile() {
	sed "s|^extends .*|extends = $IB_SRC/profiles/cmge-v2020-l.ini|; s|^policy .*|policy = $IB_SRC/manifests/policy/lab.ini|
	     s|^search  .*|$1|" "$profile" > "$2"
}

# 1. a folder with everything: the plan's order
profile "search = $work/all" p.ini
expect 0 'put 4 files of the setup update' "$imgbuild" plan p.ini --vars "$vars" -o x --format=json
python3 - <<'PY' || fail "the plan's order"
import json
items = [i["text"] for i in json.load(open("said.out"))["items"] if i["stage"] in ("updates", "setup")]
def at(*words):
    hits = [n for n, t in enumerate(items) if all(w in t for w in words)]
    assert len(hits) == 1, (words, items)
    return hits[0]
main, re = "into 'CMGE V2020-L'", "into 'Microsoft Windows Recovery Environment (x64)'"
assert at("servicing stack", main) < at("feature on demand", main) < at("cumulative update", main)
assert at("servicing stack", re) < at("Safe OS update", re)
assert not [t for t in items if "cumulative update" in t and re in t], "the cumulative update went into winre.wim too"
assert not [t for t in items if "feature on demand" in t and main not in t], "a feature went into a PE image"
assert not [t for t in items if "Safe OS" in t and re not in t], "the Safe OS update went elsewhere"
for pe in ("Microsoft Windows PE (x64)", "Microsoft Windows Setup (x64)"):
    assert at("servicing stack", f"into '{pe}'") < at("cumulative update", f"into '{pe}'")
assert at("put 4 files of the setup update") < at("copy setup.exe, setuphost.exe")
PY

# 2. the medium
expect 0 'not published' "$imgbuild" build p.ini --vars "$vars" --progress=none -o one
iso=one/CMGE_V2020L_9B.iso
7zz x -y -tUdf -onew $iso > /dev/null
7zz x -y -tUdf -obase "$media/lab-base.iso" > /dev/null
7zz x -y -odu "$setup" > /dev/null
inside() { wimextract new/sources/boot.wim 2 "/$1" --dest-dir="in-$2" > /dev/null 2>&1 && echo "in-$2/${1##*/}"; }
same() { cmp "new/$1" "$2" || fail "'$1' of the medium is not $2"; }
same sources/labsetup.dll du/labsetup.dll
same sources/setupcore.dll du/setupcore.dll
same sources/en-US/setup.exe.mui du/en-US/setup.exe.mui
same sources/setup.exe "$(inside sources/setup.exe a)"       # boot.wim's wins over the setup update's
same sources/setuphost.exe "$(inside sources/setuphost.exe b)"
same bootmgr "$(inside Windows/Boot/PCAT/bootmgr c)"
same bootmgr.efi "$(inside Windows/Boot/EFI/bootmgr.efi d)"
same efi/boot/bootx64.efi "$(inside Windows/Boot/EFI/bootmgfw.efi e)"
! cmp -s new/bootmgr base/bootmgr || fail "bootmgr is the base's"
! cmp -s new/sources/setuphost.exe base/sources/setuphost.exe || fail "setuphost.exe is the base's"
for f in setup.exe boot/etfsboot.com efi/microsoft/boot/efisys.bin sources/compatctrl.dll boot/bcd; do same $f base/$f; done
expect 0 good "$imgbuild" verify $iso
says "programs of the medium were compared with boot.wim's"
grep -q '"setup"' one/records/job.json || fail "the stage took no time"

# 3. winre.wim has the Safe OS update and not the cumulative one; the feature has its part of the cumulative update
wimextract new/sources/install.wim 1 /Windows/System32/Recovery/Winre.wim /Windows/System32/config/SOFTWARE \
	'/Program Files/Lab OpenTools/opentool.exe' --dest-dir=os > /dev/null 2>&1
wimextract os/Winre.wim 1 /Windows/System32/config/SOFTWARE /sources/recovery/SafeOs.dll --dest-dir=re > /dev/null 2>&1
key='\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages'
state() { hivexget "$1/SOFTWARE" "$key\\$2" CurrentState 2> /dev/null || echo absent; }
[ "$(state re Package_for_SafeOSDU~31bf3856ad364e35~amd64~~17763.2190.1.2)" = 112 ] || fail "the Safe OS update is not in winre.wim"
[ "$(state re Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.2183.1.5)" = absent ] || fail "the cumulative update is in winre.wim"
[ -s re/SafeOs.dll ] || fail "the Safe OS update's file is missing"
[ "$(hivexget os/SOFTWARE '\Imglab\OpenTools' Version)" = 10.0.17763.2183 ] || fail "the feature was not updated"

# 4. verify sees a medium whose programs are older than boot.wim's
python3 - $iso new/bootmgr <<'PY'
import struct, sys
iso, new = (open(p, "rb").read() for p in sys.argv[1:3])
fixed = new.index(struct.pack("<I", 0xFEEF04BD))
revision = struct.unpack_from("<H", new, fixed + 12)[0]
assert revision == 2183, revision
old = bytearray(new)
struct.pack_into("<H", old, fixed + 12, 2182)
at = iso.index(new)
open("older.iso", "wb").write(iso[:at] + bytes(old) + iso[at + len(new):])
PY
expect 4 "'bootmgr' of the medium is older than 'Windows\\Boot\\PCAT\\bootmgr' of boot.wim" "$imgbuild" verify older.iso

# 5. a cumulative update once more after a feature: only what the feature needs
wim=$media/sources/install.wim
service() { "$imgbuild" service "$@" --trust "$media/lab-root.pem" --progress=none; }
expect 0 'installed Package_for_RollupFix' service "$wim:1" --add-package "$media/packages/$ssu" --add-package "$media/packages/$lcu" -o nine.wim
expect 8 'is in the image already' service nine.wim:1 --add-package "$media/packages/$lcu" -o x.wim
[ ! -e x.wim ] || fail "nothing to do, and yet a file was written"
expect 0 'installed Lab-OpenTools' service nine.wim:1 --add-package "$fod" -o fod.wim
wimextract fod.wim 1 /Windows/System32/config/SOFTWARE --dest-dir=f > /dev/null 2>&1
[ "$(hivexget f/SOFTWARE '\Imglab\OpenTools' Version)" = 10.0.17763.1 ] || fail "the feature is not as it came"
expect 0 'installed Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.2183.1.5: 1 components' service fod.wim:1 \
	--add-package "$media/packages/$lcu" -o again.wim
wimextract again.wim 1 /Windows/System32/config/SOFTWARE --dest-dir=g > /dev/null 2>&1
[ "$(hivexget g/SOFTWARE '\Imglab\OpenTools' Version)" = 10.0.17763.2183 ] || fail "the feature was not updated afterwards"
expect 0 good "$imgbuild" verify again.wim
expect 8 'is in the image already' service again.wim:1 --add-package "$media/packages/$lcu" -o x.wim

# 6. the cabinet's signature, by others and by us; what is refused
openssl x509 -in "$media/lab-root.pem" -out ca.pem
osslsigncode verify -ignore-timestamp -ignore-crl -time 1631631600 -CAfile ca.pem -in "$setup" > oss.log 2>&1 || osslsigncode verify \
	-ignore-timestamp -time 1631631600 -CAfile ca.pem -in "$setup" > oss.log 2>&1 || { cat oss.log; fail "osslsigncode refuses the setup update"; }
expect 0 'kind: setup update' "$imgbuild" inspect "$setup" --trust "$media/lab-root.pem"
says 'verdict: good' 'Imglab Test Windows' labsetup.dll
refuse() { # STATUS TEXT LINE
	profile "$3" q.ini
	expect "$1" "$2" "$imgbuild" plan q.ini --vars "$vars" -o x
}
refuse 4 'is not known: no trust anchor is above it' "setup = $media/packages/refused/windows10.0-kb5005999-x64-setup-unknown.cab"
python3 - "$setup" <<'PY'
import sys
d = bytearray(open(sys.argv[1], "rb").read())
d[int.from_bytes(d[16:20], "little") + 200] ^= 1
open("changed.cab", "wb").write(d)
d = open(sys.argv[1], "rb").read()
at = int.from_bytes(d[44:48], "little")
open("cut.cab", "wb").write(d[:at + 100])
PY
refuse 4 'was changed: its digest is not the signed one' "setup = $work/changed.cab"
refuse 3 'the signature of' "setup = $work/cut.cab"
echo hello > setupcore.dll && gcab -c -n plain.cab setupcore.dll > /dev/null 2>&1
refuse 4 'is not signed' "setup = $work/plain.cab"
refuse 4 'is not signed' "setup = $fod"
refuse 3 "no 'update.mum'" "cumulative = $setup"
mkdir strange && echo x > nothere.txt && gcab -c -n strange/nothere.cab nothere.txt > /dev/null 2>&1
refuse 4 'is not signed' "search = $work/strange"
profile "safe-os = $safeos" q.ini
expect 3 'is for winre.wim, which is not being serviced' "$imgbuild" plan q.ini --vars "$vars" -o x --set targets=install
echo "ok: order, medium, recovery environment, refusals"
