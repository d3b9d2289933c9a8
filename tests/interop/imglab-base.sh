#!/bin/bash
# The lab's base disc, judged by tools that know nothing of imglab: same bytes twice, a disc 7-Zip
# lists, WIMs libwim accepts, hives hivex exports, catalogs osslsigncode accepts, and a component
# store whose parts agree with each other.
set -euo pipefail
export LC_ALL=C.UTF-8

lab=$IB_BUILD/imglab
for tool in 7zz wimverify wimdir wimextract wimapply wiminfo hivexregedit hivexget osslsigncode xmllint openssl mkntfs; do
	PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -x "$lab" ] || { echo "skipped: imglab is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
digest() { openssl dgst -sha256 -r "$1" | cut -c1-64; }
cbs='\Microsoft\Windows\CurrentVersion\Component Based Servicing'

# 1. names agree with the table; bad command lines are refused
"$lab" selftest "$IB_SRC/tests/data/keyform_vectors.csv" >/dev/null
for words in "" "base" "base -o x --size huge" "base -o x --seed -1" "certs -o x --size large" "bake -o x" "base -o x y" \
	"base -o x --system xp" "packages -o x --system server-2022"; do
	status=0
	"$lab" $words 2>/dev/null || status=$?
	[ $status = 2 ] || fail "'imglab $words' ends with $status"
done
[ ! -e x ] || fail "a refused command wrote something"

# 2. one seed, one disc; another seed, another
"$lab" base -o one --seed 5
sleep 1
"$lab" base -o two --seed 5
cmp one/lab-base.iso two/lab-base.iso || fail "two runs differ"
cmp one/lab-root.pem two/lab-root.pem || fail "two trust anchors"
"$lab" base -o other --seed 6
! cmp -s one/lab-base.iso other/lab-base.iso || fail "the seed does nothing"
[ "$(ls -A one | wc -l)" = 2 ] || fail "something was left behind"

# 2b. a server is another build and product, with packages of its own names
"$lab" base -o server --system server-2022
"$lab" base -o client --seed 0 --system client-2019
"$lab" base -o plain
cmp client/lab-base.iso plain/lab-base.iso || fail "the client is not what is made without a word"
7zz e -tUdf -y -oserver server/lab-base.iso sources/install.wim >/dev/null
wiminfo server/install.wim >info
for line in 'Name: *Windows Server 2022 Standard' 'Edition ID: *ServerStandard' 'Edition ID: *ServerDatacenter' \
	'Installation Type: *Server' 'Product Type: *ServerNT' 'Build: *20348'; do
	grep -q "$line" info || fail "wiminfo does not say $line of the server"
done
wimdir server/install.wim 1 --path=/Windows/servicing/Packages >list
grep -q '/Microsoft-Windows-Server-Features-Package~31bf3856ad364e35~amd64~~10.0.20348.1.mum$' list || fail "no server features"
! grep -E 'Client|Enterprise|CMIT|17763' list || fail "the server has packages of a client"

# 3. the disc
7zz x -tUdf -y -odisc one/lab-base.iso >/dev/null
for file in bootmgr bootmgr.efi setup.exe boot/etfsboot.com efi/boot/bootx64.efi efi/microsoft/boot/efisys.bin \
	efi/microsoft/boot/efisys_noprompt.bin sources/setup.exe sources/boot.wim sources/install.wim; do
	[ -s "disc/$file" ] || fail "no $file on the disc"
done

# 4. the WIMs
install=disc/sources/install.wim
for wim in disc/sources/*.wim; do wimverify "$wim" --quiet 2>verify.log || fail "$(cat verify.log)"; done
wiminfo $install >info
for line in 'Image Count: *2' 'Name: *CMGE V2020-L' 'Edition ID: *EnterpriseG' 'Edition ID: *Enterprise$' 'Build: *17763' \
	'Service Pack Build: *1' 'Compression: *LZX' 'Chunk Size: *32768' 'Last Modification Time: *Sat Sep 15 00:00:00 2018'; do
	grep -q "$line" info || fail "wiminfo does not say $line"
done
wiminfo disc/sources/boot.wim >boot
grep -q 'Boot Index: *2' boot || fail "the boot index"
wiminfo --extract-xml=xml $install
iconv -f UTF-16 -t UTF-8 xml | grep >/dev/null '<BRANCH>rs5_release</BRANCH>' || fail "no branch in the XML"
names=$(wimdir $install 1 | wc -l)
[ "$names" -gt 1500 ] || fail "only $names names"
wimdir --detailed $install 1 --path=/Windows/System32/notepad.exe >notepad
grep -q 'Link Count *= 3' notepad || fail "notepad.exe has no three links"
# begins with a descriptor whose owner is the trusted installer
grep -q 'Security Descriptor = 01001490.*0550000000b589fb38' notepad || fail "notepad.exe has another descriptor"
wimdir --detailed $install 1 --path=/ >all
grep -q 'Short Name *= "PROGRA~1"' all || fail "no 8.3 name"
grep -q 'Reparse Tag *= 0xa0000003' all || fail "no junction"
grep -q 'Named data stream "Zone.Identifier"' all || fail "no named stream"

# 5. the store: files as their manifests say, links where they point, names well formed
wimapply $install 1 root >/dev/null 2>&1
store=root/Windows/WinSxS
count=0
for manifest in "$store"/Manifests/*.manifest; do
	key=$(basename "$manifest" .manifest)
	xmllint --noout "$manifest" || fail "$key is no XML"
	case $key in amd64_cmit*|amd64_microsoft-windows-shell32*|wow64_*notepad*|x86_*|*notepad*|*smb*|*labnet*) ;; *) continue ;; esac
	while read -r name; do
		want=$(xmllint --xpath "string(//*[local-name()='file'][@name='$name']//*[local-name()='DigestValue'])" "$manifest")
		have=$(openssl dgst -sha256 -binary "$store/$key/$name" | base64)
		[ "$want" = "$have" ] || fail "$key\\$name is not what its manifest says"
		count=$((count + 1))
	done < <(xmllint --xpath "//*[local-name()='file']/@name" "$manifest" 2>/dev/null | sed 's/.*name="\(.*\)"/\1/')
done
[ $count -gt 10 ] || fail "only $count files checked"
[ "$(echo "$store"/wow64_microsoft-windows-notepad*/notepad.exe)" -ef root/Windows/SysWOW64/notepad.exe ] || fail "a wow64 link"
[ "$(echo "$store"/amd64_cmitupdateagent*/CmitUpdateAgent.exe)" -ef "root/Program Files/CMIT/UpdateAgent/CmitUpdateAgent.exe" ] ||
	fail "the agent's link"
iconv -f UTF-16 -t UTF-8 root/Windows/System32/Tasks/CMIT/UpdateAgent/Check | grep >/dev/null '<URI>\\CMIT' || fail "the agent's task"
for catalog in "$store"/Catalogs/*.cat; do
	[ "$(basename "$catalog" .cat)" = "$(digest "$catalog")" ] || fail "$catalog has another digest"
done
agent='CMIT-UpdateAgent-Package~31bf3856ad364e35~amd64~~10.0.17763.1'
for wim in $install:1 $install:2 disc/sources/boot.wim:1; do
	found=$(wimdir "${wim%:*}" "${wim##*:}" | grep -ci '/servicing/Packages/CMIT.*mum' || true)
	[ "$found" = "$([ $wim = $install:1 ] && echo 1 || echo 0)" ] || fail "the agent in $wim"
done
# Debian 12's osslsigncode asks no server for revocations; later ones must be told not to.
norevoke=()
[[ $(osslsigncode verify --help 2>&1) != *-ignore-crl* ]] || norevoke=(-ignore-crl)
osslsigncode verify "${norevoke[@]}" -CAfile one/lab-root.pem -TSA-CAfile one/lab-root.pem \
	-in "root/Windows/servicing/Packages/$agent.cat" >verify.log 2>&1 || fail "$(cat verify.log)"

# 6. the hives
config=root/Windows/System32/config
for hive in SOFTWARE SYSTEM COMPONENTS DRIVERS DEFAULT; do
	hivexregedit --export --prefix "HKLM\\$hive" $config/$hive '\' >$hive.reg || fail "hivex cannot export $hive"
done
hivexregedit --export --prefix HKCU root/Users/Default/NTUSER.DAT '\' >NTUSER.reg || fail "hivex cannot export NTUSER.DAT"
value() { hivexget "$config/$1" "$2" "$3" 2>/dev/null || true; }
is() { [ "$(value "$1" "$2" "$3")" = "$4" ] || fail "$1$2 '$3' is '$(value "$1" "$2" "$3")', not '$4'"; }
nt='\Microsoft\Windows NT\CurrentVersion'
is SOFTWARE "$nt" EditionID EnterpriseG
is SOFTWARE "$nt" CurrentBuild 17763
is SOFTWARE "$nt" UBR 1
is SOFTWARE '\Policies\Microsoft\Windows\WindowsUpdate' WUServer http://127.0.0.1
is SOFTWARE "$cbs\\Packages\\$agent" CurrentState 112
is SOFTWARE "$cbs\\Packages\\Microsoft-Windows-SMB1-Package~31bf3856ad364e35~amd64~~10.0.17763.1\\Updates" SMB1Protocol-Server 112
is SOFTWARE '\Wow6432Node\Microsoft\Windows\CurrentVersion\Explorer\LabTypes' Wow 32
is SOFTWARE '\Microsoft\Windows\CurrentVersion\Explorer\LabTypes' Macro 'C:\Windows\System32\shell32.dll'
is SYSTEM '\ControlSet001\Services\CmitUpdateAgent' Start 2
is SYSTEM '\ControlSet001\Services\CmitUpdateAgent' Type 16
is SYSTEM '\Select' Default 1

# 7. every manifest has its component, with its digest; every mum its package
sed -n 's/^\[HKLM\\COMPONENTS\\DerivedData\\Components\\\([^\\]*\)\]$/\1.manifest/p' COMPONENTS.reg | sort >components
ls "$store/Manifests" | sort | diff - components || fail "manifests and components differ"
sed -n 's/^\[HKLM\\SOFTWARE\\.*\\Component Based Servicing\\Packages\\\([^\\]*\)\]$/\1.mum/p' SOFTWARE.reg | sort >packages
ls root/Windows/servicing/Packages | grep 'mum$' | sort | diff - packages || fail "mums and packages differ"
key=$(basename "$store"/Manifests/amd64_cmitupdateagent_*.manifest .manifest)
sha=$(digest "$store/Manifests/$key.manifest" | sed 's/../&,/g; s/,$//')
grep -A8 -F "Components\\$key]" COMPONENTS.reg | grep >/dev/null "S256H\"=hex(3):$sha" || fail "S256H of $key"
echo "$names names, $count payload files, $(wc -l <components) components, $(wc -l <packages) packages"
