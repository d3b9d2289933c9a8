#!/bin/bash
# Bad input to a single image: removing what others need, features without payload or in a circle, driver packages, .reg
# files and apps that are not what they say. Each is refused with the right status and a text that names file and cause; the
# input and an older output stay as they are, nothing else appears.
. "$IB_SRC/tests/lib.sh"
need wimextract wimupdate wimdir python3
lab
root=$media/lab-root.pem token=31bf3856ad364e35
packages=/Windows/servicing/Packages
smb1=Microsoft-Windows-SMB1-Package~$token~amd64~~10.0.17763.1
agent=CMIT-UpdateAgent-Package~$token~amd64~~10.0.17763.1
service() { "$imgbuild" service "$@" --trust "$root" --progress=none; }
made() { expect 0 '' service "$@"; } # an image to break something with
cp "$media/sources/install.wim" base.wim
mkdir out && echo 'an older output' > out/x.wim
n=0
# refused STATUS TEXT IMAGE OPTION…: by its name, and nothing is left
refused() {
	local status=$1 text=$2 image=$3 before
	shift 3
	before=$(snapshot . | grep -v ' \./said')
	expect "$status" "$text" service "$image:1" "$@" -o out/x.wim
	says 'imgbuild: error:' 'cause:'
	[ ! -s said.out ] || fail "'$*': an error is on stdout"
	awk 'length > 1000' said.err | (! grep -q .) || fail "'$*': an endless message"
	[ "$before" = "$(snapshot . | grep -v ' \./said')" ] || fail "'$*': something changed"
	n=$((n + 1))
}
# with_mum WIM ID EXPRESSION: a copy of the base with another text of a package
with_mum() {
	cp base.wim "$1"
	wimextract base.wim 1 "$packages/$2.mum" --dest-dir=mum > /dev/null 2>&1
	python3 - "mum/$2.mum" "$3" <<'EOF'
import re, sys
path, (old, new) = sys.argv[1], sys.argv[2].split("=>")
text = open(path, newline="").read()
assert re.search(old, text, re.S), old
open(path, "w", newline="").write(re.sub(old, new, text, count=1, flags=re.S))
EOF
	wimupdate "$1" 1 --command="add 'mum/$2.mum' '$packages/$2.mum'" > /dev/null 2>&1
}

# ---- packages that others need, that are hidden, that are Windows itself ----
parent='<parent integrate="separate" disposition="detect"><assemblyIdentity name="CMIT-UpdateAgent-Package" version="10.0.17763.1" processorArchitecture="amd64" language="neutral" publicKeyToken="'$token'"/></parent>'
with_mum needed.wim "$smb1" "(<package [^>]*>)=>\\1$parent"
refused 3 "the package '$smb1' needs '$agent'" needed.wim --remove-package CMIT-UpdateAgent-Package
says "uninstall '$smb1' first"
refused 3 "needs" needed.wim --remove CmitUpdateAgent
made needed.wim:1 --remove-package Microsoft-Windows-SMB1-Package --remove-package CMIT-UpdateAgent-Package -o both.wim
cat > hidden.reg <<REG
Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\Packages\\$smb1]
"Visibility"=dword:00000002
REG
made base.wim:1 --reg hidden.reg -o hidden.wim
refused 3 "the package '$smb1' is hidden: it goes with what brought it" hidden.wim --remove-package Microsoft-Windows-SMB1-Package
with_mum permanent.wim "$smb1" '<package =><package permanence="permanent" '
refused 3 "the package '$smb1' is permanent" permanent.wim --remove-package Microsoft-Windows-SMB1-Package
refused 3 'is permanent' base.wim --remove-package Microsoft-Windows-Foundation-Package
refused 3 "the image has no package 'No-Such-Package'" base.wim --remove-package No-Such-Package
refused 3 "no capability 'Lab.OpenTools'" base.wim --remove-capability Lab.OpenTools

# ---- features ----
cp base.wim circle.wim
wimextract base.wim 1 "$packages/$smb1.mum" --dest-dir=orig > /dev/null 2>&1
python3 - "orig/$smb1.mum" "mum/$smb1.mum" <<'EOF'
# the circle, in the words that the image's own text uses for a child
import re, sys
text = open(sys.argv[1], newline="").read()
block = re.search(r"<applicable .*?</applicable>", text, re.S).group(0)
circle = re.sub(r'<update name="SMB1Protocol"', '<update name="SMB1Protocol-Server"', block)
start = re.search(r'<update name="SMB1Protocol" .*?</selectable>', text, re.S)
open(sys.argv[2], "w", newline="").write(text[:start.end()] + circle + text[start.end():])
EOF
wimupdate circle.wim 1 --command="add 'mum/$smb1.mum' '$packages/$smb1.mum'" > /dev/null 2>&1
refused 3 "features need each other in a circle: 'SMB1Protocol' needs 'SMB1Protocol-Server' needs 'SMB1Protocol'" circle.wim \
	--disable-feature SMB1Protocol
made base.wim:1 --remove-payload SMB1Protocol-Server -o lean.wim
refused 3 "the store lacks the file 'srv.sys' of 'amd64_" lean.wim --enable-feature SMB1Protocol-Server
says "'$smb1' brings it: give that package as a source"
refused 3 "no optional feature 'SMB2Protocol'" base.wim --disable-feature SMB2Protocol
refused 3 "no-such.cab" base.wim --enable-feature SMB1Protocol --feature-source no-such.cab
refused 4 "refused/windows10.0-kb5005568-x64-unknown.msu" lean.wim --enable-feature SMB1Protocol-Server \
	--feature-source "$media/packages/refused/windows10.0-kb5005568-x64-unknown.msu"

# ---- drivers ----
bad=$media/drivers/refused
refused 4 "'labdisk.inf' is unsigned: its catalog 'labdisk.cat' is missing" base.wim --add-driver "$bad/nocatalog"
refused 4 "'labdisk.inf' is unsigned: it names no CatalogFile" base.wim --add-driver "$bad/unsigned"
refused 4 'no trust anchor is above it' base.wim --add-driver "$bad/unknown"
refused 4 "does not list 'labdisk.sys'" base.wim --add-driver "$bad/changed"
refused 3 "the folder '..\..\labdisk' of 'labdisk.sys' leaves the package" base.wim --add-driver "$bad/escape"
refused 3 "copies 'lost.sys'" base.wim --add-driver "$bad/lost"
refused 3 "which is of the component" base.wim --add-driver "$bad/owned"
refused 6 'for amd64 10.0.17763' base.wim --add-driver "$bad/arm64"
# a good one before a bad one is not done either
refused 4 'is unsigned' base.wim --add-driver "$media/drivers/labdisk" --add-driver "$bad/unsigned"

# ---- .reg files: what is wrong, and in which line ----
reg() { # STATUS TEXT LINE…: the lines after the head and a key
	printf '%s\r\n' 'Windows Registry Editor Version 5.00' '' '[HKEY_LOCAL_MACHINE\SOFTWARE\X]' "${@:3}" > bad.reg
	refused "$1" "$2" base.wim --reg bad.reg
}
reg 3 "'bad.reg':4: 'zz' is no hex number" '"A"=dword:zz'
reg 3 "'bad.reg':4:" '"A"=dword:123456789'
reg 3 "'bad.reg':4:" '"A"=dword:'
reg 3 "'bad.reg':4:" '"A"=hex:0g'
reg 3 "'bad.reg':4:" '"A"=hex:01 02'
reg 3 "'bad.reg':4:" '"A"=hex(zz):00'
reg 3 "'bad.reg':4:" '"A"=hex(100000000):00'
reg 3 "'bad.reg':4:" '"A"=qword:1'
reg 3 "'bad.reg':4:" '"A"="x'
reg 3 "'bad.reg':4:" '"A"'
reg 3 "'bad.reg':4:" 'A="x"'
reg 3 "'bad.reg':5:" '"A"="x"' '"B"=dword:0x1'
reg 3 "'bad.reg':5:" '"A"=hex:00,\' '[HKEY_LOCAL_MACHINE\SOFTWARE\Y]'
reg 3 "'bad.reg':4:" '[HKEY_LOCAL_MACHINE\SOFTWARE\Y'
reg 3 "'bad.reg'" '[HKEY_NOWHERE\X]' '"A"="b"'
printf 'Windows Registry Editor Version 4.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\X]\r\n"A"="b"\r\n' > head.reg
refused 3 "head.reg" base.wim --reg head.reg
printf '"A"="b"\r\n' > nokey.reg
refused 3 "nokey.reg" base.wim --reg nokey.reg
printf 'REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\X]\r\n"A"="\xff\xfe\x80"\r\n' > bytes.reg
refused 3 "bytes.reg" base.wim --reg bytes.reg
refused 3 'no-such.reg' base.wim --reg no-such.reg
# a good one before a bad one is not done either
printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\X]\r\n"A"="b"\r\n' > good.reg
refused 3 nokey.reg base.wim --reg good.reg --reg nokey.reg

# ---- apps whose manifest lies ----
app=$(wimdir base.wim 1 | grep -o 'Imglab.Music_[^/]*_x64__[a-z0-9]*' | head -1)
publisher='CN=Imglab, O=Imglab Laboratory, C=ZZ' version=$(cut -d_ -f2 <<< "$app")
app() { # TEXT NAME PUBLISHER VERSION ARCHITECTURE
	printf '<Package xmlns="http://schemas.microsoft.com/appx/manifest/foundation/windows10"><Identity Name="%s" Publisher="%s" Version="%s" ProcessorArchitecture="%s"/></Package>' \
		"${@:2}" > AppxManifest.xml
	lie "$1"
}
lie() {
	made base.wim:1 --put "AppxManifest.xml=Program Files/WindowsApps/$app/AppxManifest.xml" -o liar.wim
	refused 3 "'$app' is not removed: $1" liar.wim --remove-appx Imglab.Music
	rm liar.wim
}
app "its manifest says that it is 'Imglab.Other_" Imglab.Other "$publisher" "$version" x64
app "its manifest says that it is '" Imglab.Music 'CN=Somebody Else' "$version" x64
app "its manifest says that it is '" Imglab.Music "$publisher" 9.9.9.9 x64
app "its manifest says that it is '" Imglab.Music "$publisher" "$version" arm64
echo '<Package/>' > AppxManifest.xml && lie "its manifest has no complete identity"
echo '<Package' > AppxManifest.xml && lie "its manifest cannot be read"
printf '<!DOCTYPE Package [<!ENTITY a SYSTEM "file:///etc/passwd">]><Package>&a;</Package>' > AppxManifest.xml && lie "its manifest cannot be read"
cp base.wim empty.wim
wimupdate empty.wim 1 --command="delete '/Program Files/WindowsApps/$app/AppxManifest.xml'" > /dev/null 2>&1
refused 3 "'$app' is not removed: its folder holds no manifest" empty.wim --remove-appx Imglab.Music
refused 3 "the framework 'Imglab.Runtime.1.0_" base.wim --remove-appx Imglab.Runtime.1.0
says 'needs it'
refused 3 "no provisioned app 'Imglab.Musik'" base.wim --remove-appx Imglab.Musik
echo "ok: $n bad inputs refused, nothing half-done"
