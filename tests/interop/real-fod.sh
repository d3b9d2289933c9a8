#!/bin/bash
# The genuine feature on demand "OpenSSH server" of 20348, which cannot be part of this tree, is installed into an image of
# the laboratory's server, by file, by name, and by a profile; and taken out again. What came out is judged by libwim,
# NTFS-3G, hivex and reglookup against the cabinet as 7-Zip unpacks it and against its own manifests.
# IMGBUILD_REAL_DATA names the folder, see ci/real.
. "$IB_SRC/tests/lib.sh"
[ -n "${IMGBUILD_REAL_DATA:-}" ] || skip "IMGBUILD_REAL_DATA is not set, no genuine package was installed"
need 7zz wimverify wimdir wimapply wimextract wiminfo mkntfs ntfssecaudit hivexregedit reglookup perl python3
data=$IMGBUILD_REAL_DATA
cab=$data/OpenSSH-Server-Package~31bf3856ad364e35~amd64~~.cab root=$data/microsoft-root-2010.pem
dictionary=$data/msdelta/tests/fixtures/base_manifest.bin
for file in "$cab" "$root" "$dictionary"; do [ -f "$file" ] || skip "'$file' is not there"; done
id=OpenSSH-Server-Package~31bf3856ad364e35~amd64~~10.0.20348.1
judge() { python3 "$IB_SRC/tests/interop/real_fod.py" "$@" || fail "real_fod.py $*"; }
names() { wimdir "$1" 1 | sort; }
exports() { # WIM: three hives as text, without the cache that any change drops and the stack makes again
	local hive
	rm -rf hives && mkdir hives
	for hive in SOFTWARE SYSTEM COMPONENTS; do
		wimextract "$1" 1 "/Windows/System32/config/$hive" --dest-dir=hives > /dev/null 2>&1
		hivexregedit --export --prefix "$hive" hives/$hive '\'
	done | perl -00 -ne 'print unless /^\[COMPONENTS\\DerivedData\\VersionedIndex/'
}
7zz x -y -ocab "$cab" > /dev/null

# ---- the images ----
"$imglab" base --system server-2022 --dcm --dictionary "$dictionary" -o server
"$imglab" base --dcm --dictionary "$dictionary" -o client
for world in server client; do (cd $world && 7zz x -y -tUdf lab-base.iso sources/install.wim > /dev/null); done
base=server/sources/install.wim
wiminfo $base 1 > info
echo "the image: $(sed -n 's/^Name: *//p' info), build $(sed -n 's/^Build: *//p' info), $(names $base | grep -o 'Microsoft-Windows-Server-Features-Package.*mum')"

# ---- where it does not belong, and who did not sign it ----
expect 6 'DISM: 0x800f081e' "$imgbuild" service client/sources/install.wim:1 --add-package "$cab" --trust "$root" -o no.wim
says "'Microsoft-Windows-Client-Features-Package' 10.0.20348.1 (the image has 10.0.17763.1)"
echo "exit 6: $(sed -n 's/^ *cause: //p' said.err)"
expect 4 '' "$imgbuild" service $base:1 --add-package "$cab" --trust server/lab-root.pem -o no.wim
echo "exit 4: $(sed -n 's/^ *cause: //p' said.err)"

# ---- installed by file and by name: the same ----
expect 0 "installed $id: 3 components, 10 files new, 0 changed, 0 removed" "$imgbuild" service $base:1 --add-package "$cab" \
	--trust "$root" -o fod.wim
grep '^  - ' said.out
grep '^not_done_offline: none' said.out || { cat said.out; fail "something was not done"; }
mkdir disc && cp "$cab" disc/
expect 0 "installed $id" "$imgbuild" service $base:1 --add-capability OpenSSH.Server~~~~0.0.1.0 --capability-source disc --trust "$root" -o name.wim
cmp fod.wim name.wim || fail "by name it is another image than by file"
echo "--add-capability OpenSSH.Server~~~~0.0.1.0 --capability-source: the same image, byte for byte"
wimverify fod.wim > /dev/null 2>&1 || fail "libwim finds faults"
echo "wimverify: good"
expect 0 good "$imgbuild" verify fod.wim --full --trust "$root" --trust server/lab-root.pem
echo "imgbuild verify --full, both roots: $(head -n 1 said.out | sed 's/^ *//')"

expect 0 ' overlooked=0 ' "$IB_BUILD/tool_servicing_mention" fod.wim 1
echo "owner queries: $(tail -n 1 said.out)"

expect 4 'FINDING' "$imgbuild" verify fod.wim --trust server/lab-root.pem
echo "without Microsoft's root: $(grep -c FINDING said) findings"

# ---- files ----
mkdir tree && wimapply fod.wim 1 tree > /dev/null 2>&1
count=0
while read -r file; do
	keyform=${file%%/*} name=${file##*/}
	cmp "cab/$file" "tree/Windows/WinSxS/$file" || fail "'$file' of the store differs"
	place=tree/Windows/System32/OpenSSH/$name
	[ "$name" != libcrypto.dll ] || place=tree/Windows/System32/$name
	[ "$place" -ef "tree/Windows/WinSxS/$keyform/$name" ] || fail "'$place' is no link to the store's file"
	count=$((count + 1))
done < <(cd cab && find . -mindepth 2 -type f | sed 's/^..//' | sort)
[ $count = 10 ] || fail "$count files, not 10"
echo "files: 10 as 7-Zip unpacks them, each one file with its name in the store"
sum=$(sha256 tree/Windows/System32/OpenSSH/sshd.exe)
[ "$sum" = "$(sha256 "$(echo cab/*/sshd.exe)")" ] || fail "sshd.exe has SHA-256 $sum"
echo "Windows\\System32\\OpenSSH\\sshd.exe: SHA-256 $sum"

# ---- descriptors, as libwim shows them; as root also on an NTFS volume that it makes of the image ----
expect 0 '' "$imgbuild" package extract "$cab" --base server/lab-base.iso:1 --trust "$root" -o plain
if [ "$(id -u)" = 0 ]; then
	truncate -s 96M volume && mkntfs -qF volume > /dev/null 2>&1
	wimapply fod.wim 1 volume > /dev/null 2>&1 || fail "libwim cannot apply it to NTFS"
else
	echo "left out: descriptors on an NTFS volume, which ntfssecaudit reads for root only"
fi
sddl() { # MANIFEST NAME: the text of a descriptor
	perl -0777 -ne 'print $1 if /<securityDescriptorDefinition name="'"$2"'" sddl="([^"]*)"/' plain/$1*.manifest
}
descriptor() { # PATH SDDL
	wimdir --detailed fod.wim 1 --path="$1" | sed -n '1,/^Security Descriptor/s/^Security Descriptor = //p' > hex
	[ -s hex ] || fail "libwim shows no descriptor of '$1'"
	if [ -e volume ]; then
		ntfssecaudit -v volume "$1" 2> /dev/null | sed -n 's/^ *\([0-9a-f]\{6\}\)  \([0-9a-f ]*\)$/\2/p' | tr -d ' \n' |
			cmp - <(tr -d '\n' < hex) || fail "on NTFS '$1' has another descriptor"
	fi
	judge security "${1//\//\\}" "$2" < hex
}
descriptor /Windows/System32/OpenSSH/sshd.exe "$(sddl amd64_openssh-server WRP_FILE_DEFAULT_SDDL)"
descriptor /Windows/System32/OpenSSH "$(sddl amd64_openssh-common WRP_PARENT_DIR_DEFAULT_SDDL)"
descriptor /ProgramData/ssh "$(sddl amd64_openssh-common PRGDATA_SSH_DIR_SDDL)"
for key in /OpenSSH /OpenSSH/Agent; do
	line=$(reglookup -s -p $key tree/Windows/System32/config/SOFTWARE | grep "^$key,")
	[[ $line == *,S-1-5-32-544,S-1-5-18,,S-1-5-18:ALLOW:*:OI\ CI\|S-1-5-32-544:ALLOW:* ]] || fail "the descriptor of $key is '$line'"
	echo "SOFTWARE${key//\//\\}: owner, group and entries as reglookup shows them: $(cut -d, -f5,6,8 <<< "$line" | sed 's/ALLOW:[A-Z_ ]*/ALLOW/g')"
done

# ---- what its manifests say, and the books ----
for m in plain/*components*.manifest; do judge effects "$m" tree/Windows/System32/config; done
# who judges says no where it was not installed
exports $base > hives.before
for m in plain/amd64_openssh*components*.manifest; do
	! python3 "$IB_SRC/tests/interop/real_fod.py" effects "$m" hives > /dev/null 2>&1 || fail "the judge finds in the base what was not installed"
done
judge store cab plain tree tree/Windows/System32/config
expect 0 'name: OpenSSH.Server~~~~0.0.1.0' "$imgbuild" inspect fod.wim:1
grep -A 2 'name: OpenSSH.Server~~~~0.0.1.0' said.out | sed 's/^ */capability: /'
echo "elements of its manifests: $(judge elements plain/*.manifest)"

# ---- once more, and out again ----
expect 8 'is in the image already' "$imgbuild" service fod.wim:1 --add-package "$cab" --trust "$root" -o no.wim
echo "exit 8: $(sed -n 's/^ *cause: //p' said.err)"
expect 8 "has the capability 'OpenSSH.Server' already" "$imgbuild" service fod.wim:1 --add-capability OpenSSH.Server --capability-source disc \
	--trust "$root" -o no.wim
[ ! -e no.wim ] || fail "an output of a refusal"
names $base > names.before
list() { rm -f migration.xml; wimextract "$1" 1 /Windows/WinSxS/migration.xml --dest-dir=. > /dev/null 2>&1; cat migration.xml; }
list $base > list.before && list fod.wim > list.now
{ diff list.before list.now || true; } | sed -n 's/^> */WinSxS\\migration.xml: /p' | tr -d '\r' | tee line
[ "$(wc -l < line)" = 1 ] || fail "not one manifest more is listed"
for how in '--remove-capability OpenSSH.Server~~~~0.0.1.0' '--remove-package OpenSSH-Server-Package'; do
	expect 0 '4 packages, 6 components, 10 files' "$imgbuild" service fod.wim:1 $how -o back.wim
	names back.wim | diff names.before - || fail "$how: the tree is not what it was"
	exports back.wim | diff hives.before - || fail "$how: the hives are not what they were"
	list back.wim | cmp list.before - || fail "$how: the list of migration rules is not what it was"
	wimverify back.wim > /dev/null 2>&1 || fail "libwim finds faults"
	expect 0 good "$imgbuild" verify back.wim --trust server/lab-root.pem
	echo "$how: $(wc -l < names.before) names and $(wc -l < hives.before) lines of three hives as before"
done
expect 0 '0 differences' "$imgbuild" diff $base:1 back.wim:1

# ---- the whole way: a profile, a disc ----
cat > p.ini <<-END
	[profile]
	name    = Server with SSH
	release = 2021-09
	date    = 2021-09-27
	version = 2022.1.2109.21
	[base]
	image   = server/lab-base.iso
	sha256  = $(sha256 server/lab-base.iso)
	edition = ServerStandard
	[updates]
	capabilities = OpenSSH.Server~~~~0.0.1.0
	capability-sources = disc
	targets = install
	trust   = $root
	[media]
	label   = SERVER_SSH
END
expect 0 'built' "$imgbuild" build p.ini -o out --progress=none
7zz x -y -tUdf -oiso out/SERVER_SSH.iso sources/install.wim > /dev/null
wimverify iso/sources/install.wim > /dev/null 2>&1 || fail "libwim finds faults in the disc's image"
mkdir from && wimextract iso/sources/install.wim 1 /Windows/System32/OpenSSH/sshd.exe /Windows/System32/config/SYSTEM --dest-dir=from > /dev/null 2>&1
[ "$(sha256 from/sshd.exe)" = "$sum" ] || fail "the disc has another sshd.exe"
expect 0 good "$imgbuild" verify out/SERVER_SSH.iso --full
python3 - <<'END'
import json
b = json.load(open("out/build.json"))
text = json.dumps(b)
assert "OpenSSH-Server-Package~31bf3856ad364e35~amd64~~10.0.20348.1" in text, "build.json does not name the package"
END
echo "imgbuild build: SERVER_SSH.iso with it, $(stat -c %s out/SERVER_SSH.iso) bytes, verified"
