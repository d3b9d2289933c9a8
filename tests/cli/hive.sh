#!/bin/bash
# imgbuild hive, on hives of hivex and in the laboratory's images: output, exit status, and what other tools say to it.
. "$IB_SRC/tests/lib.sh"
need hivexregedit 7zz wimverify wimextract wimupdate wimdir wiminfo python3 iconv
hive() { "$imgbuild" hive "$@"; }
export_hivex() { hivexregedit --export "$1" '\' | tr -d '\r'; }

# 1. a hive file, from .reg text alone: SOFTWARE of the laboratory, emptied by a deletion and filled again
lab
7zz x -y -tUdf "$media/lab-base.iso" sources/install.wim > /dev/null
wimextract sources/install.wim 1 /Windows/System32/config/SOFTWARE --dest-dir=. --no-acls > /dev/null
cat > first.reg <<-'REG'
	Windows Registry Editor Version 5.00

	[HKEY_LOCAL_MACHINE\SOFTWARE\Acme]
	@="default text"
	"Number"=dword:0000002a
	"Text"="some \"quoted\" text"
	"List"=hex(7):61,00,00,00,62,00,00,00,00,00
	"Bytes"=hex:01,02,ff

	[HKLM\SOFTWARE\Acme\Below]
	"Big"=hex(b):00,00,00,00,01,00,00,00

	[HKCU\Software\Acme]
	"Other"="hive"
REG
expect 0 'wrote out.hiv' hive import SOFTWARE first.reg -o out.hiv
says "warning: hive: 'first.reg': 1 keys belong to other hives, ignoring them"
expect 0 '' hive import SOFTWARE first.reg -o again.hiv
cmp out.hiv again.hiv || fail "same input, other bytes"
expect 0 '' env SOURCE_DATE_EPOCH=1700000000 "$imgbuild" hive import SOFTWARE first.reg -o dated.hiv
[ "$(hive get dated.hiv Acme --format=json | grep -o '"written" : "[^"]*"')" = '"written" : "2023-11-14T22:13:20Z"' ] ||
	fail "SOURCE_DATE_EPOCH does not count"
expect 2 'SOURCE_DATE_EPOCH' env SOURCE_DATE_EPOCH=soon "$imgbuild" hive import SOFTWARE first.reg -o x

# hivex does the same with the same text
sed '/HKCU/,$d; s/HKEY_LOCAL_MACHINE/HKLM/; s/\[HKLM.SOFTWARE/[/' first.reg > rooted.reg
cp SOFTWARE theirs.hiv
hivexregedit --merge theirs.hiv rooted.reg
diff <(export_hivex theirs.hiv) <(export_hivex out.hiv) || fail "hivex makes another hive of the same text"

# 2. get
golden() { # WANT ARGUMENT…
	local want=$1
	shift
	expect 0 '' hive get "$@"
	[ "$(cat said.out)" = "$want" ] || { cat said.out >&2; fail "get $*"; }
}
golden 'default text' out.hiv Acme ''
golden 0x0000002a out.hiv 'HKLM\SOFTWARE\Acme' number --root 'HKLM\SOFTWARE'
golden $'a\nb' out.hiv '\acme\' List
golden 0102ff out.hiv Acme Bytes
golden 0x0000000100000000 out.hiv 'HKEY_LOCAL_MACHINE\SOFTWARE\Acme\Below' Big --root 'HKLM\SOFTWARE'
golden '{
  "name" : "Number",
  "type" : "REG_DWORD",
  "data" : "0x0000002a",
  "hex" : "2a000000"
}' out.hiv 'Acme' Number --format=json --root 'HKLM\SOFTWARE'
expect 0 '' hive get out.hiv Acme --format=json
python3 - <<-'PY' || fail "the JSON of a key"
	import json
	k = json.load(open("said.out"))
	assert k["key"] == r"HKEY_LOCAL_MACHINE\out.hiv\Acme" and k["subkeys"] == ["Below"], k
	assert [v["name"] for v in k["values"]] == ["", "Number", "Text", "List", "Bytes"], k
	assert k["values"][3]["data"] == ["a", "b"] and k["security"].startswith("O:"), k
PY
expect 3 "did you mean 'Acme\\Below'?" hive get out.hiv 'Acme\Bellow'
expect 3 "did you mean 'Number'?" hive get out.hiv Acme Numbr
expect 3 'has no default value' hive get out.hiv 'Acme\Below' ''
expect 3 'is not of the hive' hive get out.hiv 'HKLM\SYSTEM\Select'

# 3. set: every type, read back by hivex
cp out.hiv work.hiv
set_value() { expect 0 'wrote work.hiv' hive set work.hiv 'New\Key' "$@" -o work.hiv; }
set_value sz --type sz --data 'text'
set_value '' --type REG_SZ --data 'the default'
set_value expand --type expand --data '%SystemRoot%'
set_value multi --type multi --data one --data two
set_value dword --type dword --data 0xcafe
set_value be --type dword-be --data 1
set_value qword --type qword --data 18446744073709551615
set_value binary --type binary --data '01,02 ff'
set_value none --type none
set_value driver --type 0x20001 --data aa
set_value SymbolicLinkValue --type link --data '\Registry\Machine'
cat > want.txt <<-'REG'
	[\New\Key]
	@=hex(1):74,00,68,00,65,00,20,00,64,00,65,00,66,00,61,00,75,00,6c,00,74,00,00,00
	"SymbolicLinkValue"=hex(6):5c,00,52,00,65,00,67,00,69,00,73,00,74,00,72,00,79,00,5c,00,4d,00,61,00,63,00,68,00,69,00,6e,00,65,00
	"be"=hex(5):00,00,00,01
	"binary"=hex(3):01,02,ff
	"driver"=hex(20001):aa
	"dword"=dword:0000cafe
	"expand"=hex(2):25,00,53,00,79,00,73,00,74,00,65,00,6d,00,52,00,6f,00,6f,00,74,00,25,00,00,00
	"multi"=hex(7):6f,00,6e,00,65,00,00,00,74,00,77,00,6f,00,00,00,00,00
	"none"=hex(0):
	"qword"=hex(b):ff,ff,ff,ff,ff,ff,ff,ff
	"sz"=hex(1):74,00,65,00,78,00,74,00,00,00
REG
export_hivex work.hiv | sed -n '/^\[.New.Key\]/,/^$/p' | sed '/^$/d' | diff want.txt - || fail "hivex reads other values"
expect 0 'links: 1' hive verify work.hiv
expect 2 "there is no type 'text' of values" hive set work.hiv K v --type text --data x -o x
expect 2 "'4294967296' is no number from 0 to 4294967295" hive set work.hiv K v --type dword --data 4294967296 -o x
expect 2 'is no list of bytes' hive set work.hiv K v --type binary --data 0g -o x
expect 2 'takes data once, not 2 times' hive set work.hiv K v --type sz --data a --data b -o x
expect 2 'needs --type' hive set work.hiv K v --data a -o x
expect 2 'needs -o' hive set work.hiv K v --type sz --data a

# 4. diff, and export back to where it came from
expect 0 'count: 1' hive diff out.hiv work.hiv
says 'change: key added' 'key: HKEY_LOCAL_MACHINE\work.hiv\New'
expect 0 'count: 0' hive diff out.hiv dated.hiv
hive set out.hiv Acme Number --type dword --data 43 -o changed.hiv > /dev/null
expect 0 'change: value changed' hive diff out.hiv changed.hiv
says 'from: REG_DWORD 0x0000002a' 'to: REG_DWORD 0x0000002b'
expect 0 '' hive export work.hiv --root '\' --key 'New\Key' -o exported.reg
hive export out.hiv --root 'HKLM\SOFTWARE' > whole.reg
printf 'Windows Registry Editor Version 5.00\n\n[-HKLM\\SOFTWARE\\Acme]\n' > gone.reg
expect 0 '' hive import out.hiv gone.reg --root 'HKLM\SOFTWARE' -o empty.hiv
expect 3 'has no key' hive get empty.hiv Acme
expect 0 '' hive import empty.hiv whole.reg --root 'HKLM\SOFTWARE' -o back.hiv
expect 0 'count: 0' hive diff out.hiv back.hiv
expect 2 'it has no JSON form' hive export out.hiv --format=json
expect 3 'of its keys are of other hives' hive import out.hiv first.reg -o x
says '--root says'

# 5. what is no hive, and what is dirty
expect 3 "there is no file 'nothing'" hive verify nothing
says 'IMAGE:INDEX:SOFTWARE'
expect 3 'it does not begin with' hive verify first.reg
expect 3 'name the hive in the image: sources/install.wim:1:SOFTWARE' hive verify sources/install.wim
expect 3 "name the hive in the image: $media/lab-base.iso:1:SOFTWARE" hive get "$media/lab-base.iso" K
python3 - <<-'PY'
	import struct
	b = bytearray(open("out.hiv", "rb").read())
	struct.pack_into("<I", b, 4, struct.unpack_from("<I", b, 4)[0] + 1)
	total = 0
	for word in struct.unpack("<127I", b[:508]):
	    total ^= word
	struct.pack_into("<I", b, 508, total)
	open("dirty.hiv", "wb").write(b)
PY
expect 3 'is dirty' hive verify dirty.hiv
says 'put its .LOG1 and .LOG2 beside it, or take it as it is with --accept-dirty-hive'
expect 0 'state: dirty, taken as it is' hive verify dirty.hiv --accept-dirty-hive
expect 3 '' hive set dirty.hiv K v --type sz --data x -o x
[ ! -e x ] && [ -z "$(find . -name '*.part')" ] || fail "something was written by a command that failed"
truncate -s 12288 dirty.hiv
expect 3 'the file holds' hive verify dirty.hiv --accept-dirty-hive
expect 2 "'hive verify' has no option '--data'" hive verify out.hiv --data x
expect 2 "'hive set' takes HIVE KEY VALUE and --type, --data, 1 word was given" hive set out.hiv
expect 2 "'hive' has no action 'dump'" hive dump out.hiv
expect 2 "'hive get' takes HIVE KEY [VALUE]" hive get out.hiv
expect 5 '' hive set out.hiv K v --type sz --data x -o no/such/folder/x

# A log of the old kind beside it, in other letters, has the sector that the hive lacks.
python3 - <<-'PY'
	import struct
	hive = bytearray(open("out.hiv", "rb").read())
	lost = hive.find(b"Acme") // 512 # this sector never reached the disk
	whole = bytes(hive[lost * 512:lost * 512 + 512])
	bins = struct.unpack_from("<I", hive, 40)[0]
	sequence = struct.unpack_from("<I", hive, 4)[0]
	def seal(block, first, second, kind):
	    struct.pack_into("<II", block, 4, first, second)
	    struct.pack_into("<I", block, 28, kind)
	    total = 0
	    for word in struct.unpack("<127I", block[:508]):
	        total ^= word
	    struct.pack_into("<I", block, 508, total)
	log = bytearray(hive[:512])
	seal(log, sequence + 1, sequence + 1, 1)
	bits = bytearray(bins // 4096)
	bits[(lost - 8) // 8] |= 1 << (lost - 8) % 8
	log += b"DIRT" + bits
	log += bytes(-len(log) % 512) + whole
	seal(hive, sequence + 1, sequence, 0)
	hive[lost * 512:lost * 512 + 512] = bytes(512)
	open("Torn.hiv", "wb").write(hive)
	open("torn.hiv.log1", "wb").write(log)
PY
expect 0 'dirty, completed by 1 log entry of 1 page' hive verify Torn.hiv
says '- torn.hiv.log1'
expect 0 'count: 0' hive diff Torn.hiv out.hiv
expect 0 '' hive set Torn.hiv K v --type sz --data x -o whole.hiv
expect 0 'state: clean' hive verify whole.hiv
mv torn.hiv.log1 elsewhere
expect 3 'is dirty' hive verify Torn.hiv
expect 3 'is malformed' hive verify Torn.hiv --accept-dirty-hive
mv elsewhere torn.hiv.log1

# regedit reads UTF-16
expect 2 "--encoding takes utf-8 or utf-16, not 'utf-32'" hive export out.hiv --encoding utf-32
hive export out.hiv --key Acme --encoding utf-16 -o wide.reg > /dev/null
diff <(iconv -f UTF-16 -t UTF-8 wide.reg) <(hive export out.hiv --key Acme) || fail "UTF-16 says something else"
[ "$(head -c 2 wide.reg | od -An -tx1)" = ' ff fe' ] || fail "no byte order mark"

# 6. in an image: by word, by path, from the ISO; the control set is the one that Select names
golden EnterpriseG sources/install.wim:1:SOFTWARE 'Microsoft\Windows NT\CurrentVersion' EditionID
golden EnterpriseG "$media/lab-base.iso:1:Windows/System32/config/SOFTWARE" 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' EditionID
expect 0 'ControlSet001' hive get sources/install.wim:1:system 'HKLM\SYSTEM\CurrentControlSet'
for h in SOFTWARE SYSTEM COMPONENTS; do expect 0 'state: clean' hive verify "sources/install.wim:1:$h"; done
images=$(wiminfo sources/install.wim | sed -n 's/^Image Count: *//p')
expect 3 "has $images images, there is no 9" hive verify sources/install.wim:9:SOFTWARE
expect 3 "the image has no hive 'NOTHERE'" hive verify sources/install.wim:1:NOTHERE
expect 3 '' hive verify sources/none.wim:1:SOFTWARE

# 7. changed in an image: libwim accepts it, one file differs, the blobs of all others are the same bytes
expect 0 'wrote new.wim' hive import sources/install.wim:1:SOFTWARE first.reg -o new.wim
wimverify new.wim > log 2>&1 || { cat log; fail "wimverify refuses it"; }
golden 0x0000002a new.wim:1:SOFTWARE Acme Number
for i in $(seq "$images"); do
	wimdir sources/install.wim "$i" --detailed | grep -E '^(Full Path|Attributes|Security|Hash)' > before.txt
	wimdir new.wim "$i" --detailed | grep -E '^(Full Path|Attributes|Security|Hash)' > after.txt
	changed=$(diff before.txt after.txt | grep -c '^>' || true)
	[ "$changed" = $((i == 1)) ] || { diff before.txt after.txt | head; fail "image $i: $changed lines differ"; }
done
python3 - <<-'PYTHON' || fail "blobs were not copied as they were stored"
	import re, subprocess
	pattern = (r"Hash += (\S+)\n.*\nCompressed size += (\d+) .*\nOffset in WIM += (\d+) .*\n"
	           r".*\n.*\nFlags += (.*)")
	def blobs(wim):
	    text = subprocess.run(["wiminfo", wim, "--blobs"], capture_output=True, text=True).stdout
	    file, found = open(wim, "rb").read(), {}
	    for h, size, at, flags in re.findall(pattern, text):
	        if "METADATA" not in flags:
	            found[h] = file[int(at):int(at) + int(size)]
	    return found
	old, new = blobs("sources/install.wim"), blobs("new.wim")
	assert len(old) > 100 and len(set(new) - set(old)) == 1, (len(old), len(new))
	assert all(old[h] == new[h] for h in new if h in old)
PYTHON
expect 0 '' hive import "$media/lab-base.iso:1:SOFTWARE" first.reg -o fromiso.wim
cmp new.wim fromiso.wim || fail "from the ISO it is another WIM"
expect 0 '' hive import new.wim:1:SOFTWARE gone.reg -o new.wim
expect 3 'has no key' hive get new.wim:1:SOFTWARE Acme

# 8. a torn hive in an image is completed by its log, which is empty afterwards
cp sources/install.wim torn.wim
wimupdate torn.wim 1 > log 2>&1 <<-'UPDATE' || { cat log; fail "wimupdate"; }
	add Torn.hiv /Windows/System32/config/SOFTWARE
	add torn.hiv.log1 /Windows/System32/config/SOFTWARE.LOG1
UPDATE
expect 0 'dirty, completed by 1 log entry' hive verify torn.wim:1:SOFTWARE
expect 0 '' hive import torn.wim:1:SOFTWARE gone.reg -o torn.wim
expect 0 'state: clean' hive verify torn.wim:1:SOFTWARE
wimextract torn.wim 1 /Windows/System32/config/SOFTWARE.LOG1 --dest-dir=. --no-acls > /dev/null
[ -e SOFTWARE.LOG1 ] && [ ! -s SOFTWARE.LOG1 ] || fail "the log in the image is not empty"
echo "ok"
