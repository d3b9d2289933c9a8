#!/bin/bash
# The main job on the laboratory's base, by its profile and one command. The folder it makes is judged by tools that
# share nothing with imgbuild, and by names taken from the base image, not from the removal manifest.
. "$IB_SRC/tests/lib.sh"
need 7zz wimdir wimapply wimextract wimcapture wiminfo mkntfs hivexregedit reglookup xmllint python3 sha256sum openssl
lab
label=CMGE_V2020L_9B
cbs='\Microsoft\Windows\CurrentVersion\Component Based Servicing'

# 1. plan writes nothing, and says what build does
expect 0 'install KB5005568' "$imgbuild" plan "$profile" --vars "$vars" -o made/one
says KB5005112 CmitUpdateAgent SMB1Protocol 'approval   missing: security' ' needed, '
[ ! -e made ] || fail "plan wrote something"
! grep -q 'compress .* anew' said || fail "an LZX base need not be compressed anew"
printf '[profile]\nextends = %s\n[media]\ncompression = xpress\n' "$profile" > xpress.ini
expect 0 'of unchanged content anew: the base is LZX, [media] compression is XPRESS' "$imgbuild" plan xpress.ini --vars "$vars" -o made/one

# 2. same input, same bytes, also from elsewhere, in another time zone, over an old folder; signature and stage
#    times apart
mkdir made
expect 0 'not published' build -o made/one
cp -r "$media" elsewhere && sed -i "s,$media,$work/elsewhere,g" elsewhere/vars.ini
(
	umask 077
	export TZ=Asia/Shanghai LC_ALL=C LANG=C
	expect 0 'not published' "$imgbuild" build "$profile" --vars elsewhere/vars.ini --progress=none -o made/two
)
rm -r elsewhere
for part in $label.iso metadata papers evidence build.json SHA256SUMS SM3SUMS; do
	diff -r made/one/$part made/two/$part || fail "two builds differ: $part"
done
! grep -rlF -e "$media" -e "$work" -e "$IB_SRC" made/one --exclude-dir=records || fail "the folder tells where it was made"
# what an earlier build left there goes, but for records about the same bytes
echo kept > made/two/records/approval-visitor.json && echo old > made/two/old.txt
expect 0 'not published' build -o made/two --set base-sha256="$(sha256 "$media/lab-base.iso")" -j 1
cmp made/one/$label.iso made/two/$label.iso || fail "one thread makes other bytes"
[ ! -e made/two/old.txt ] || fail "the old folder shows through"
[ -e made/two/records/approval-visitor.json ] || fail "a record about the same bytes is lost"
echo >> made/two/SHA256SUMS
expect 0 'not published' build -o made/two
[ ! -e made/two/records/approval-visitor.json ] || fail "a record about other bytes is kept"
# a link to the folder keeps leading there
mkdir -p elsewhere/disk
mv made/two elsewhere/disk/two
ln -s ../elsewhere/disk/two made/two
rm elsewhere/disk/two/SM3SUMS
expect 0 'not published' build -o made/two
[ -L made/two ] && [ -s elsewhere/disk/two/SM3SUMS ] || fail "the link, not the folder, was replaced"
[ "$(ls -A elsewhere/disk)" = two ] || fail "left behind: $(ls -A elsewhere/disk)"
no_leftovers made
[ -z "$(find made -name '*.lock')" ] || fail "a lock is left"
rm -r made/two
dir=made/one iso=made/one/$label.iso

# 3. the folder: everything design promises, every file listed, the signature good for OpenSSL too
for f in $label.iso SHA256SUMS SHA256SUMS.p7s SM3SUMS build.json evidence/plan.json evidence/verify.json; do
	[ -s $dir/$f ] || fail "the folder lacks $f"
done
[ -n "$(ls $dir/metadata)" ] && [ -n "$(ls $dir/papers)" ] || fail "no metadata or no papers"
for lang in en zh-CN; do
	xmllint --html --noout $dir/papers/risk-disclosure.$lang.html 2> html.log && [ ! -s html.log ] || fail "HTML: $(cat html.log)"
	for word in ICBC CmitUpdateAgent SMB1Protocol KB5005568 10.0.17763.2183; do
		grep -qF -- $word $dir/papers/risk-disclosure.$lang.html || fail "the $lang risk disclosure does not name $word"
	done
done
xmllint --noout $dir/metadata/*.xml || fail "an upgrade document is no XML"
[ "$(grep -lF "$(openssl dgst -sha1 -binary $iso | base64)" $dir/metadata/*.xml | wc -l)" = 1 ] ||
	fail "the upgrade documents name another ISO"
(cd $dir && sha256sum --quiet -c SHA256SUMS)
(cd $dir && find . -type f ! -path './records/*' ! -name 'SHA256SUMS*' -printf '%P\n' | sort) > there
cut -c67- $dir/SHA256SUMS | sort | diff there - || fail "SHA256SUMS does not list what is there"
while read -r sum name; do
	[ "$(openssl dgst -sm3 -r "$dir/$name" | cut -c1-64)" = "$sum" ] || fail "SM3 of $name"
done < $dir/SM3SUMS
openssl cms -verify -inform DER -in $dir/SHA256SUMS.p7s -content $dir/SHA256SUMS -binary -purpose any \
	-CAfile "$keys/lab-root.pem" -out /dev/null 2> /dev/null || fail "OpenSSL refuses the signature"
expect 0 good "$imgbuild" verify $dir --trust "$keys/lab-root.pem" --full
says 'SHA256SUMS is signed by' 'every descriptor of the disc is sound' 'every blob was read and hashed'
expect 0 good "$imgbuild" verify $iso --trust "$keys/lab-root.pem"
expect 4 'FINDING the signature of SHA256SUMS' "$imgbuild" verify $dir --trust "$keys/unknown-root.pem"
cp $dir/build.json save && echo ' ' >> $dir/build.json
expect 4 "'build.json' is not the file that was listed" "$imgbuild" verify $dir --trust "$keys/lab-root.pem"
cp save $dir/build.json && touch $dir/papers/extra
expect 4 "'papers/extra' is not in SHA256SUMS" "$imgbuild" verify $dir --trust "$keys/lab-root.pem"
rm $dir/papers/extra

# 4. images: the edition that was asked for alone, the boot images both and the index kept
7zz x -y -tUdf $iso sources/install.wim sources/boot.wim > /dev/null
install=sources/install.wim boot=sources/boot.wim
wiminfo $install --extract-xml one.xml
one() { xmllint --xpath "string($1)" one.xml; }
[ "$(one 'count(/WIM/IMAGE)')" = 1 ] || fail "install.wim has other images"
[ "$(one /WIM/IMAGE/WINDOWS/EDITIONID)" = EnterpriseG ] || fail "another edition"
[ "$(one /WIM/IMAGE/WINDOWS/VERSION/SPBUILD)" = 2183 ] || fail "SPBUILD"
of() { wiminfo "$1" | grep -E "$2" | sed 's/.*: *//'; }
[ "$(of $boot 'Boot Index')" = "$(of "$media/sources/boot.wim" 'Boot Index')" ] || fail "the boot index moved"
[ "$(of $boot 'Image Count')" = 2 ] || fail "boot.wim lost an image"
[ "$(of $boot 'Service Pack Build' | sort -u)" = 2183 ] || fail "boot.wim was not serviced"

# 5. each file of the update lies in the store with the SHA-256 of its manifest, and under its links
wimapply $install 1 out > /dev/null 2>&1
7zz x -y -omsu "$media/updates/2021-09/$lcu" > /dev/null && 7zz x -y -ocab msu/Windows10.0-KB5005568-x64.cab > /dev/null
cat > payload.py <<'PY'
import base64, glob, hashlib, os, re, sys
import xml.etree.ElementTree as ET
local = lambda e: e.tag.rsplit("}", 1)[-1]
files = linked = 0
for path in sorted(glob.glob("cab/*.manifest")):
    key = os.path.basename(path)[:-len(".manifest")]
    if re.search('name="(Lab-OpenTools|Lab-NetFx3|Microsoft-Windows-Setup-Component)', open(path, encoding="utf-8").read()):
        continue # for features on demand, and for Windows Setup: this image has neither
    for f in ET.parse(path).getroot():
        if local(f) != "file":
            continue
        name = f.get("name")
        want = next(base64.b64decode(e.text) for e in f.iter() if local(e) == "DigestValue")
        store = os.path.join("out/Windows/WinSxS", key, name)
        if hashlib.sha256(open(store, "rb").read()).digest() != want:
            sys.exit(f"{store} is not what its manifest says")
        files += 1
        linked += os.stat(store).st_nlink > 1
print(files, linked)
PY
read -r files linked < <(python3 payload.py) || fail "payload"
[ "$files" -gt 200 ] && [ "$linked" -gt 150 ] || fail "only $files files, $linked of them linked"

# 6. hives: what others read in them
hives=out/Windows/System32/config
all=(SOFTWARE SYSTEM COMPONENTS DRIVERS DEFAULT)
for h in "${all[@]}"; do cp $hives/$h $h; done
cp out/Users/Default/NTUSER.DAT NTUSER
all+=(NTUSER)
for h in "${all[@]}"; do
	hivexregedit --export --unsafe-printable-strings $h '\' > $h.reg 2> hivex.err || fail "hivexregedit refuses $h"
	reglookup $h > $h.look 2> /dev/null || fail "reglookup refuses $h"
done
hive_value() { hivexget "$@" 2> /dev/null; }
[ "$(hive_value SOFTWARE '\Microsoft\Windows NT\CurrentVersion' UBR)" = 2183 ] || fail "UBR"
smb="$cbs\\Packages\\Microsoft-Windows-SMB1-Package~31bf3856ad364e35~amd64~~10.0.17763.1\\Updates"
[ "$(hive_value SOFTWARE "$smb" SMB1Protocol)" = 64 ] || fail "SMB1Protocol is $(hive_value SOFTWARE "$smb" SMB1Protocol)"
policy='\Policies\Microsoft\Windows\WindowsUpdate'
[ "$(hive_value SOFTWARE "$policy" WUServer)" = http://ue.example:8530 ] || fail "the update server"
[ "$(hive_value SOFTWARE '\CMGE\Image' CustomerId)" = ICBC ] || fail "the customer's id"
[ "$(hive_value SOFTWARE '\CMGE\Image' PatchLevel)" = 2183 ] || fail "the patch level"
grep -q 'reg add "HKLM\\SOFTWARE\\CMGE\\Image"' out/Windows/Setup/Scripts/SetupComplete.cmd || fail "no step after an upgrade"

# 7. the removed component: names as the base image's own package gives them
wimextract "$media/$install" 1 '/Windows/servicing/Packages/CMIT*.mum' '/Windows/WinSxS/Manifests/*' \
	/Windows/System32/config/SOFTWARE --dest-dir=base --preserve-dir-structure > /dev/null 2>&1
cat > names.py <<'PY'
import glob, re, sys
import xml.etree.ElementTree as ET
local = lambda e: e.tag.rsplit("}", 1)[-1]
manifests = {}
for path in glob.glob("base/Windows/WinSxS/Manifests/*.manifest"):
    root = ET.parse(path).getroot()
    manifests[next(e for e in root if local(e) == "assemblyIdentity").get("name")] = (path, root)
(mum,) = glob.glob("base/Windows/servicing/Packages/CMIT*.mum")
todo, seen, names = [ET.parse(mum).getroot()], set(), set()
while todo:
    root = todo.pop()
    for e in root.iter():
        kind = local(e)
        if kind == "assemblyIdentity" and e.get("name") not in seen:
            seen.add(e.get("name"))
            names.add(e.get("name"))
            if e.get("name") in manifests:
                path, child = manifests[e.get("name")]
                names.add(path.rsplit("/", 1)[-1][:-len(".manifest")])
                todo.append(child)
        elif kind in ("file", "serviceData"):
            names.add(e.get("name"))
        elif kind == "firewallRule":
            names.add(e.get("internalName"))
        elif kind == "URI":
            names.add(e.text.strip("\\"))
        elif kind == "registryKey":
            names.update(re.findall(r"\{[0-9a-fA-F-]{36}\}", e.get("keyName")))
            if not e.get("keyName").endswith(("WindowsUpdate", "AU", "Run", "CLSID")):
                names.add(e.get("keyName").split("\\", 1)[1].split("\\LocalServer32")[0])
print("\n".join(sorted(n for n in names if n)))
PY
python3 names.py > names
task='\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tree\CMIT\UpdateAgent\Check'
hivexget base/Windows/System32/config/SOFTWARE "$task" Id >> names || fail "the base has no task of the agent"
sort -u names -o names
for n in CmitUpdateAgent CmitUpdateAgent.exe CMIT-UpdateAgent-Package CmitUpdateAgent-In-TCP '{6b0f5f0e'; do
	grep -qF -- "$n" names || fail "the base's package gave no name like $n"
done
sed 's/\\/\\\\/g' names > in-reg        # hivexregedit doubles them in values, not in keys
sed 's,\\,/,g' names > in-look
wimdir "$media/$install" 1 > base.list
wimdir $install 1 > list
hits() { cat "$@" | tr -d '\r' | tr '[:upper:]' '[:lower:]'; }
for f in names in-reg in-look; do tr '[:upper:]' '[:lower:]' < $f > $f.low; done
# the search itself works: it finds them in the base
hits base.list | grep -Ff names.low > /dev/null || fail "the search finds nothing in the base's tree"
hivexregedit --export --unsafe-printable-strings base/Windows/System32/config/SOFTWARE '\' 2> hivex.err | hits | grep -Ff names.low > /dev/null ||
	fail "the search finds nothing in the base's registry"
left() { fail "traces of the agent in $1: $(head -n 5 left)"; }
! hits list | grep -Ff names.low > left || left "the tree"
! hits list | grep -E 'cmit' > left || left "the tree"
for h in "${all[@]}"; do
	! hits $h.reg | grep -Ff names.low -f in-reg.low > left || left $h
	! hits $h.look | grep -Ff in-look.low -f names.low > left || left $h
	# also in what text tools show as hex: UTF-16 and plain
	for n in cmitupdate updateagent; do
		! LC_ALL=C grep -aqiP "$(sed 's/./&\\x00/g' <<< $n)" $h || fail "$h holds $n"
		! LC_ALL=C grep -aqi $n $h || fail "$h holds $n"
	done
done

# 8. links and descriptors survive libwim's way to NTFS and back
truncate -s 400M ntfs.img
mkntfs -F -q -Q ntfs.img > /dev/null 2>&1
wimapply $install 1 ntfs.img > /dev/null 2>&1 || fail "wimapply refuses to write to NTFS"
wimcapture ntfs.img back.wim --compress=none > /dev/null 2>&1
looks() { wimdir --detailed "$1" 1 "--path=$2" | grep -E 'Security Descriptor|Link Count|^Hash|Attributes  ' | sort; }
new=$(cd out && find Windows/System32 -maxdepth 1 -name 'ntoskrnl.exe' -o -maxdepth 1 -name 'labnew.dll' | sort)
[ "$(wc -l <<< "$new")" = 2 ] || fail "the files to look at are not there: $new"
for f in $new Windows/System32/notepad.exe Windows/System32/config/SOFTWARE Windows/servicing/Packages; do
	looks $install "/$f" > a && looks back.wim "/$f" > b
	grep -q 'Security Descriptor' a || fail "'$f' has no security descriptor"
	diff a b || fail "'$f' did not survive NTFS"
done
wimdir --detailed $install 1 --path=/Windows/System32/ntoskrnl.exe | grep >/dev/null -E 'Link Count *= [23]' || fail "ntoskrnl.exe is not linked"
echo "ok: $files payload files; $(wc -l < names) names of the agent looked for"
