#!/bin/bash
# What a profile brings of its own: apps that go, registry files, files with owner and descriptor, an answer file,
# commands after Setup, names. Judged by libwim, hivex, reglookup and 7-Zip; bad input is refused by name and line.
. "$IB_SRC/tests/lib.sh"
need 7zz wimextract wimdir wiminfo wimverify hivexget hivexregedit reglookup xmllint python3 openssl
lab
trust=$keys/lab-root.pem

# ---- what the profile names ----
printf 'REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lab]\r\n"Set"=dword:0000002a\r\n\r\n[HKEY_CURRENT_USER\\Software\\Lab]\r\n"User"="yes"\r\n\r\n[HKEY_USERS\\.DEFAULT\\Software\\Lab]\r\n@="system"\r\n' > settings.reg
printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\LabVendor]\r\n"Wide"="x"\r\n' > wow.reg
mkdir -p tree/sub && echo one > tree/one.txt && echo two > tree/sub/two.txt && echo secret > key.txt
cat > unattend.xml <<'XML'
<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend">
  <settings pass="oobeSystem">
    <component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">
      <OOBE><HideEULAPage>true</HideEULAPage></OOBE>
    </component>
  </settings>
</unattend>
XML
printf '@echo off\r\necho mine\r\nexit 5\r\n' > mine.cmd
cat > extras.ini <<INI
[profile]
name    = extras
extends = $IB_SRC/profiles/lab-icbc.ini
release = 2021-09B
date    = 2021-09-27
version = 2020.1.2109.21
[remove]
components =
appx    = Imglab.Music
reason.Imglab.Music = not for clients of a bank
[drivers]
packages = \${media}/drivers/labdisk, \${media}/drivers/labnic/LabNic.inf
[registry]
files    = settings.reg
files-32 = wow.reg
[files]
Program Files\\Lab = tree
[file:key]
path   = Windows\\Lab\\key.txt
source = key.txt
owner  = Administrators
sddl   = O:SYG:SYD:P(A;;FA;;;SY)(A;;FA;;;BA)
attributes = hidden, readonly
[unattend]
file   = unattend.xml
place  = panther, media
setup-complete = mine.cmd
[media]
label  = EXTRAS
image-name = Lab image of a bank
image-description = With a driver & an answer file
INI
run() { "$imgbuild" "$1" extras.ini --vars "$vars" --progress=none "${@:2}"; }

expect 0 'remove app Imglab.Music: not for clients of a bank' run plan -o made/x
says 'kept framework Imglab.Runtime.1.0_1.0.2.0_x64__' 'removed framework Imglab.Codecs_2.1.0.0_x64__' \
	'add driver labdisk.inf 10.1.2183.4 of Imglab, 1 devices, starts at boot: labdisk' 'import settings.reg: 3 keys' \
	'import wow.reg: 1 keys, as a 32-bit program sees it' 'put Program Files\Lab: 2 files' \
	'put Windows\Lab\key.txt: 1 files, 7 bytes, owner Administrators, own descriptor' \
	'put the answer file to Windows\Panther\unattend.xml' 'autounattend.xml of the medium' 'run mine.cmd after Setup' \
	'name of the image: Lab image of a bank'
[ ! -e made ] || fail "plan wrote something"
expect 0 'not published' run build -o made/x
dir=made/x iso=made/x/EXTRAS.iso
for word in '"published" : "oem0.inf"' '"boot_services"' 'kept framework' '"settings.reg"' 'Windows\\Lab\\key.txt' driver-first-boot; do
	grep -qF -- "$word" $dir/build.json || fail "build.json does not say $word"
done
for word in Imglab.Music 'not for clients of a bank' settings.reg wow.reg 'Program Files\Lab' 'Windows\Lab\key.txt' 'Windows\Panther\unattend.xml'; do
	for paper in risk-disclosure.en risk-disclosure.zh-CN acceptance.en; do
		[ "$paper:$word" = 'acceptance.en:not for clients of a bank' ] || grep -qF -- "$word" $dir/papers/$paper.html ||
			fail "$paper does not name $word"
	done
done
grep -qF labdisk.inf $dir/papers/risk-disclosure.en.html || fail "the papers do not name the driver"
expect 0 good "$imgbuild" verify $dir --trust "$trust" --full

# ---- judged ----
7zz x -y -tUdf $iso sources/install.wim autounattend.xml > /dev/null
cmp autounattend.xml unattend.xml || fail "the medium's answer file"
wiminfo sources/install.wim --extract-xml names.xml
[ "$(xmllint --xpath 'string(//IMAGE/NAME)' names.xml)" = 'Lab image of a bank' ] || fail "the image's name"
[ "$(xmllint --xpath 'string(//IMAGE/DISPLAYDESCRIPTION)' names.xml)" = 'With a driver & an answer file' ] || fail "its description"
wimverify sources/install.wim > /dev/null 2>&1 || fail "libwim finds fault with install.wim"
wimdir sources/install.wim 1 > files
! grep -i 'WindowsApps/Imglab.Music\|WindowsApps/Imglab.Codecs' files || fail "the app is there"
grep -qi 'WindowsApps/Imglab.Store_.*neutral' files && grep -qi 'WindowsApps/Imglab.Runtime' files || fail "what stays is gone"
wimextract sources/install.wim 1 /Windows/System32/config /Users/Default/NTUSER.DAT /Windows/Panther /Windows/Setup \
	/ProgramData/Microsoft/Windows/AppxProvisioning.xml '/Program Files/Lab' --dest-dir=out --preserve-dir-structure > /dev/null 2>&1
xmllint --noout out/ProgramData/Microsoft/Windows/AppxProvisioning.xml
! grep -q Music out/ProgramData/Microsoft/Windows/AppxProvisioning.xml || fail "the app is provisioned"
grep -q Imglab.Store out/ProgramData/Microsoft/Windows/AppxProvisioning.xml || fail "the other app is not provisioned"
cmp out/Windows/Panther/unattend.xml unattend.xml
cmp out/Program\ Files/Lab/sub/two.txt tree/sub/two.txt
for h in SOFTWARE SYSTEM DEFAULT; do cp out/Windows/System32/config/$h $h; done
cp out/Users/Default/NTUSER.DAT NTUSER
is() { [ "$(hivexget "$1" "$2" "$3" 2> /dev/null)" = "$4" ] || fail "$1 $2 $3 is '$(hivexget "$1" "$2" "$3" 2>&1)', not '$4'"; }
is SYSTEM '\ControlSet001\Control\Lab' Set 42
is NTUSER '\Software\Lab' User yes
is DEFAULT '\Software\Lab' '@' system
is SOFTWARE '\Wow6432Node\LabVendor' Wide x
hivexregedit --export --unsafe-printable-strings SOFTWARE '\Microsoft\Windows\CurrentVersion\Appx' > appx.reg 2> /dev/null
! grep -q 'Applications\\Imglab.Music' appx.reg || fail "the app is registered"
grep -q 'Deprovisioned\\Imglab.Music_' appx.reg || fail "the app may come back"
# order of the scripts: the profile's with its own bytes, then ours
cmp out/Windows/Setup/Scripts/SetupComplete.1.cmd mine.cmd
grep -qF 'call "%~dp0SetupComplete.1.cmd"' out/Windows/Setup/Scripts/SetupComplete.2.cmd || fail "the profile's script is not called"
[ "$(sed -n 3p out/Windows/Setup/Scripts/SetupComplete.cmd | tr -d '\r')" = 'cmd /d /c call "%~dp0SetupComplete.2.cmd"' ] || fail "order"
grep -q pnputil out/Windows/Setup/Scripts/SetupComplete.cmd || fail "drivers are not queued"
python3 - sources/install.wim <<'PY' || fail "attributes or descriptor"
import subprocess, sys
text = subprocess.run(["wimdir", "--detailed", "--path=/Windows/Lab/key.txt", sys.argv[1], "1"], capture_output=True, text=True).stdout
assert "HIDDEN" in text and "READONLY" in text, text
PY

# ---- a script that the base brings keeps its bytes and runs first ----
printf 'echo base\r\nexit /b 0\r\n' > base.cmd
expect 0 '' "$imgbuild" service "$media/sources/install.wim:1" --put base.cmd=Windows/Setup/Scripts/SetupComplete.cmd -o with.wim --progress=none
expect 0 'added driver' "$imgbuild" service with.wim:1 --add-driver "$media/drivers/labdisk" --trust "$trust" -o with2.wim --progress=none
wimextract with2.wim 1 /Windows/Setup/Scripts --dest-dir=scripts > /dev/null 2>&1
cmp scripts/Scripts/SetupComplete.1.cmd base.cmd || fail "the base's script"

# ---- refused, by name and line, before anything is written ----
bad() { # STATUS TEXT SECTION-LINES…: the lines are added to a copy of the profile
	local status=$1 text=$2
	shift 2
	sed -n '1,/^version/p' extras.ini > bad.ini
	printf '[remove]\ncomponents =\n[media]\nlabel = BAD\n' >> bad.ini
	printf '%s\n' "$@" >> bad.ini
	expect "$status" "$text" "$imgbuild" plan bad.ini --vars "$vars" --progress=none -o made/bad
	[ ! -e made/bad ] || fail "a refused plan wrote something"
}
xml() { # NAME, sed expression on the good answer file
	sed "$2" unattend.xml > "$1"
	! cmp -s "$1" unattend.xml || fail "the expression for $1 changes nothing"
}
printf 'Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\X]\n"A"=dword:zz\n' > type.reg
printf 'Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\HARDWARE\\X]\n"A"="b"\n' > nowhere.reg
bad 3 "type.reg" '[registry]' 'files = type.reg'
says "'type.reg':4: 'zz' is no hex number" 'bad.ini:12'
bad 3 "1 of the 1 keys of" '[registry]' 'files = nowhere.reg'
bad 3 "belongs to the component 'amd64_microsoft-windows-tcpip-driver" '[files]' 'Windows\System32\drivers\tcpip.sys = key.txt'
bad 3 "is not to be replaced" '[files]' 'Windows\System32\config\SOFTWARE = key.txt'
bad 3 "[unattend] setup-complete" '[files]' 'Windows\Setup\Scripts\SetupComplete.cmd = key.txt'
bad 3 "is put twice" '[files]' 'Windows\a.txt = key.txt' 'windows\A.TXT = key.txt'
bad 3 "no-such-file" '[files]' 'Windows\a.txt = no-such-file'
bad 3 "Windows takes no name that ends with '.'" '[files]' 'Windows\..\a.txt = key.txt'
bad 3 "reading the descriptor" '[file:x]' 'path = a.txt' 'source = key.txt' 'sddl = D:(X)'
bad 3 "reading the owner 'nobody'" '[file:x]' 'path = a.txt' 'source = key.txt' 'owner = nobody'
bad 3 "key 'source' is required in section '[file:x]'" '[file:x]' 'path = a.txt'
bad 3 "no provisioned app 'Imglab.Musik'" '[remove]' 'appx = Imglab.Musik'
bad 3 "the framework 'Imglab.Runtime.1.0_1.0.2.0_x64__" '[remove]' 'appx = Imglab.Runtime.1.0'
says "is not removed" "needs it"
xml ns.xml 's,urn:schemas-microsoft-com:unattend,urn:other,'
xml pass.xml 's,oobeSystem,oobesystem,'
xml arch.xml 's,"amd64","arm64",'
xml token.xml 's,31bf3856ad364e35,0123456789abcdef,'
xml broken.xml 's,</OOBE>,,'
bad 3 "ns.xml:2: the root element is 'unattend' of 'urn:other'" '[unattend]' 'file = ns.xml'
bad 3 "pass.xml:3: 'oobesystem' is no pass of Setup" '[unattend]' 'file = pass.xml'
says "did you mean 'oobeSystem'"
bad 3 "arch.xml:4: processorArchitecture is 'arm64', it must be 'amd64' or 'wow64'" '[unattend]' 'file = arch.xml'
bad 3 "token.xml:4: publicKeyToken is '0123456789abcdef'" '[unattend]' 'file = token.xml'
bad 3 "'broken.xml' is not well-formed XML: line 6" '[unattend]' 'file = broken.xml'
xml pw.xml 's,<OOBE>,<UserAccounts><AdministratorPassword><Value>hunter2</Value></AdministratorPassword></UserAccounts><OOBE>,'
bad 0 "'AdministratorPassword' stands in the answer file" '[unattend]' 'file = pw.xml'
bad 4 "is unsigned" '[drivers]' "packages = $media/drivers/refused/unsigned"
says 'bad.ini:'

# an app whose manifest lies
appx=$(grep -o 'Imglab.Music_[^/]*_x64__[a-z0-9]*' <(wimdir "$media/sources/install.wim" 1) | head -1)
sed 's/Imglab.Music/Imglab.Other/' > liar.xml <<XML
<Package xmlns="http://schemas.microsoft.com/appx/manifest/foundation/windows10"><Identity Name="Imglab.Music" Publisher="CN=Imglab, O=Imglab Laboratory, C=ZZ" Version="10.18081.0.0" ProcessorArchitecture="x64"/></Package>
XML
expect 0 '' "$imgbuild" service "$media/sources/install.wim:1" --put "liar.xml=Program Files/WindowsApps/$appx/AppxManifest.xml" -o liar.wim --progress=none
expect 3 "'$appx' is not removed: its manifest says that it is 'Imglab.Other_" "$imgbuild" service liar.wim:1 --remove-appx Imglab.Music -o no.wim --progress=none
mkdir -p app && echo x > app/x
expect 0 '' "$imgbuild" service "$media/sources/install.wim:1" --put "app=Windows/SystemApps/Imglab.Shell_cw5n1h2txyewy" -o sysapp.wim --progress=none
expect 3 'is an app of Windows itself' "$imgbuild" service sysapp.wim:1 --remove-appx Imglab.Shell -o no.wim --progress=none
[ ! -e no.wim ] || fail "a refusal wrote something"
# one app has a bundle, a program and resource packages: each full name means all of them
wimdir "$media/sources/install.wim" 1 | grep -o '/WindowsApps/Imglab.Music_[^/]*$' | sed 's,.*/,,' > parts
[ "$(grep -c . parts)" = 4 ] || { cat parts; fail "the laboratory's app has other parts"; }
while read -r part; do
	expect 0 "removed app $part" "$imgbuild" service "$media/sources/install.wim:1" --remove-appx "$part" -o part.wim --progress=none
	[ "$(grep -c 'removed app Imglab.Music_' said)" = 4 ] || fail "'$part' took only a part of the app"
	says 'removed framework Imglab.Codecs_'
	! wimdir part.wim 1 | grep -i 'WindowsApps/Imglab.Music' || fail "a part of the app is left"
	expect 0 '' "$imgbuild" hive export part.wim:1:SOFTWARE --key 'Microsoft\Windows\CurrentVersion\Appx'
	! grep 'Imglab.Music' said.out | grep -v Deprovisioned || fail "a part of the app is registered"
done < parts
split=$(grep split.language parts)
cat > split.xml <<XML
<Package xmlns="http://schemas.microsoft.com/appx/manifest/foundation/windows10"><Identity Name="Imglab.Music" Publisher="CN=Imglab, O=Imglab Laboratory, C=ZZ" Version="10.18081.0.0" ResourceId="split.language-fr"/></Package>
XML
expect 0 '' "$imgbuild" service "$media/sources/install.wim:1" --put "split.xml=Program Files/WindowsApps/$split/AppxManifest.xml" -o liar.wim --progress=none
expect 3 "'$split' is not removed: its manifest says that it is '" "$imgbuild" service liar.wim:1 --remove-appx Imglab.Music -o no.wim --progress=none
expect 0 'removed app Imglab.Store_' "$imgbuild" service "$media/sources/install.wim:1" --remove-appx Imglab.Store --remove-appx Imglab.Music -o none.wim --progress=none
says 'removed framework Imglab.Runtime.1.0_' 'removed framework Imglab.Codecs_'
expect 0 'apps: none' "$imgbuild" inspect none.wim:1
echo "what a profile brings is in the image"
