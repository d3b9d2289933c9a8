#!/bin/bash
# Driver packages in an image: what is added lies where Windows looks for it, what must be refused is refused by
# name and leaves nothing. Judged by hivex, reglookup, libwim and osslsigncode.
. "$IB_SRC/tests/lib.sh"
need 7zz wimextract wimdir wimverify hivexget hivexregedit reglookup osslsigncode python3 iconv
lab
drivers=$media/drivers trust=$keys/lab-root.pem
service() { "$imgbuild" service "$@" --progress=none; }

# 1. INF files are told by their name; a signature is judged when a root is given
expect 0 'verdict: good' "$imgbuild" inspect $drivers/labdisk/labdisk.inf --trust "$trust"
expect 0 'not judged' "$imgbuild" inspect $drivers/labnic/LabNic.inf
says 'PCI\VEN_1AB0&DEV_1001' 'labnic.sys' 'CoInstallers'
# another judge of the catalog: the INF by its bytes, the program by its Authenticode content
norevoke=()
[[ $(osslsigncode verify --help 2>&1) != *-ignore-crl* ]] || norevoke=(-ignore-crl)
osslsigncode verify "${norevoke[@]}" -CAfile "$trust" -TSA-CAfile "$trust" -in $drivers/labdisk/labdisk.cat > judge.log 2>&1 ||
	{ cat judge.log; fail "osslsigncode refuses the catalog"; }

# 2. one run adds three packages: boot-critical, staged, without device
ln -s "$media/sources/install.wim" base.wim
expect 0 'added driver labdisk.inf 10.1.2183.4 as oem0.inf: 2 files, 1 devices, 1 services that start at boot' \
	service base.wim:1 --add-driver $drivers/labdisk --add-driver $drivers/labnic/LabNic.inf \
	--add-driver $drivers/labfilter --trust "$trust" -o one.wim
says 'LabNic.inf 10.1.2183.4 as oem1.inf' 'labfilter.inf 10.1.2183.4 as oem2.inf' \
	"LabNic.inf: LabNic.inf:50: section [Nic_Inst.NTamd64.CoInstallers]: left to Windows at first boot" \
	"Include 'machine.inf', which the image does not have" 'pnputil installs it'
wimverify one.wim > /dev/null 2>&1 || fail "libwim finds fault with the image"
expect 0 good "$imgbuild" verify one.wim --trust "$trust" --full
expect 0 'oem2.inf' "$imgbuild" inspect one.wim:1
says 'provider: Imglab' 'version: 10.1.2183.4'
service base.wim:1 --add-driver $drivers/labdisk --add-driver $drivers/labnic/LabNic.inf \
	--add-driver $drivers/labfilter --trust "$trust" -o two.wim > /dev/null
cmp one.wim two.wim || fail "two runs differ"

# 3. files
wimextract one.wim 1 /Windows/System32/DriverStore /Windows/System32/drivers /Windows/INF /Windows/System32/CatRoot \
	/Windows/System32/labdisktool.exe /Windows/System32/config /Windows/Setup --dest-dir=out --preserve-dir-structure > /dev/null 2>&1
store=out/Windows/System32/DriverStore/FileRepository
disk=$(cd $store && echo labdisk.inf_amd64_*) nic=$(cd $store && echo labnic.inf_amd64_*) filter=$(cd $store && echo labfilter.inf_amd64_*)
python3 - "$drivers/labdisk/labdisk.inf" "$disk" <<'PY' || fail "the store's folder is named otherwise"
import sys
h = 0
for b in open(sys.argv[1], "rb").read():
    h = (h * 39 + b) & (2**64 - 1)
sys.exit(sys.argv[2] != "labdisk.inf_amd64_" + h.to_bytes(8, "little").hex())
PY
for f in labdisk.inf labdisk.sys labdisk.exe labdisk.cat; do
	cmp $drivers/labdisk/$f "$store/$disk/$f" || fail "$f in the driver store"
done
cmp $drivers/labnic/amd64/labnic.sys "$store/$nic/amd64/labnic.sys" || fail "labnic.sys in the driver store"
cmp $drivers/labdisk/labdisk.inf out/Windows/INF/oem0.inf
cmp $drivers/labdisk/labdisk.cat 'out/Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}/oem0.cat'
[ out/Windows/System32/drivers/labdisk.sys -ef "$store/$disk/labdisk.sys" ] || fail "labdisk.sys is no link into the driver store"
cmp $drivers/labdisk/labdisk.exe out/Windows/System32/labdisktool.exe || fail "the copy with another name"
[ -e out/Windows/System32/drivers/labfilter.sys ] || fail "labfilter.sys"
! cmp -s $drivers/labnic/amd64/labnic.sys out/Windows/System32/drivers/labnic.sys || fail "labnic.sys was installed"
grep -qF "pnputil /add-driver \"%SystemRoot%\System32\DriverStore\FileRepository\\$nic\LabNic.inf\" /install" \
	out/Windows/Setup/Scripts/SetupComplete.cmd || fail "nothing is queued for first boot"

# 4. registry, by other readers
for h in SYSTEM SOFTWARE DRIVERS; do
	cp out/Windows/System32/config/$h $h
	reglookup $h > $h.look 2> /dev/null || fail "reglookup refuses $h"
	hivexregedit --export --unsafe-printable-strings $h '\' > $h.reg 2> /dev/null || fail "hivexregedit refuses $h"
done
value() { hivexget "$@" 2> /dev/null; }
is() { [ "$(value "$1" "$2" "$3")" = "$4" ] || fail "$1 $2 $3 is '$(value "$1" "$2" "$3")', not '$4'"; }
svc='\ControlSet001\Services'
is SYSTEM "$svc\\labdisk" Start 0
is SYSTEM "$svc\\labdisk" Type 1
is SYSTEM "$svc\\labdisk" ImagePath 'System32\drivers\labdisk.sys'
is SYSTEM "$svc\\labdisk" Group 'SCSI miniport'
is SYSTEM "$svc\\labdisk" Owners oem0.inf
is SYSTEM "$svc\\labdisk" DependOnGroup Base
is SYSTEM "$svc\\labdisk\\Parameters" BusType 10
is SYSTEM "$svc\\EventLog\\System\\labdisk" EventMessageFile '%SystemRoot%\System32\IoLogMsg.dll'
is SYSTEM '\ControlSet001\Control\Imglab' Set 1
is SYSTEM "$svc\\labfilter\\Instances\\Lab Instance" Altitude 370030
is SYSTEM "$svc\\labfilter" DependOnService FltMgr
[ "$(value SYSTEM "$svc\\labnic" Owners)" != oem1.inf ] || fail "the service of a staged driver was written"
is SOFTWARE '\Imglab\Disk' Number 42
is SOFTWARE '\Imglab\Disk' Text 'with "quotes", and a comma'
is SOFTWARE '\Imglab\Disk' Path 'C:\Windows\System32\labdisktool.exe'
grep -qF '"Many"=hex(7):6f,00,6e,00,65,00,00,00,74,00,77,00,6f,00,00,00,00,00' SOFTWARE.reg || fail "the list of strings"
is SOFTWARE '\Imglab\Filter' On 1
is SOFTWARE '\Microsoft\Windows\CurrentVersion\Setup\PnpLockdownFiles\%SystemRoot%/System32/drivers/labdisk.sys' Owners oem0.inf
# the lab's base, as Windows 10 1809, keeps the database in SYSTEM
db='\DriverDatabase'
is SYSTEM "$db\\DriverInfFiles\\oem0.inf" Active "$disk"
is SYSTEM "$db\\DriverInfFiles\\oem0.inf" Configurations Disk_Inst
is SYSTEM "$db\\DriverPackages\\$disk" '@' oem0.inf
is SYSTEM "$db\\DriverPackages\\$disk" Provider Imglab
is SYSTEM "$db\\DriverPackages\\$disk" InfName labdisk.inf
is SYSTEM "$db\\DriverPackages\\$disk\\Configurations\\Disk_Inst" Service labdisk
is SYSTEM "$db\\DriverPackages\\$disk\\Configurations\\Disk_Inst\\Driver" DriverKey 3
is SYSTEM "$db\\DriverPackages\\$disk\\Configurations\\Disk_Inst\\Services\\labdisk\\Parameters\\PnpInterface" 5 1
is SYSTEM "$db\\DriverPackages\\$disk\\Configurations\\Disk_Inst\\Device\\Interrupt Management\\MessageSignaledInterruptProperties" MSISupported 1
is SYSTEM "$db\\DriverPackages\\$disk\\Descriptors\\PCI\\VEN_1AB0&DEV_0001" Description 'Lab storage'
grep -qF '"oem0.inf"=hex(3):01,ff,00,00' SYSTEM.reg || fail "the hardware id's rank"
grep -qF '"oem0.inf"=hex(3):02,ff,00,00' SYSTEM.reg || fail "the compatible id's rank"
grep -qiF '"Version"=hex(3):00,ff,09,00,00,00,00,00,7b,e9,36,4d,25,e3,ce,11,bf,c1,08,00,2b,e1,03,18,00,' SYSTEM.reg || fail "Version"
! grep -q 'VEN_1AB0&DEV_0002' SYSTEM.reg || fail "a model for a newer Windows was recorded"

# 5. again: nothing changes; Include is found once the image has the INF
expect 0 'driver labdisk.inf is there as oem0.inf' service one.wim:1 --add-driver $drivers/labdisk --trust "$trust" -o again.wim
printf '[Version]\nSignature="$Windows NT$"\n[PciIoSpaceNotRequired]\nAddReg=R\n[R]\nHKR,,ResourcePickerTags,0,x\n' > machine.inf
expect 0 '' service base.wim:1 --put machine.inf=Windows/INF/ -o with-inf.wim
expect 0 'as oem0.inf' service with-inf.wim:1 --add-driver $drivers/labnic --trust "$trust" -o nic.wim
! grep -q 'machine.inf' said || fail "the INF in the image was not included"
wimextract nic.wim 1 /Windows/System32/config/SYSTEM --dest-dir=nic > /dev/null 2>&1
cp nic/SYSTEM NIC && is NIC "$db\\DriverPackages\\$nic\\Configurations\\Nic_Inst.NTamd64\\Driver" ResourcePickerTags x

# an image that keeps the database in a hive of its own
printf 'Windows Registry Editor Version 5.00\r\n\r\n[-HKEY_LOCAL_MACHINE\\SYSTEM\\DriverDatabase]\r\n' > away.reg
expect 0 '' service base.wim:1 --reg away.reg -o own.wim
expect 0 'as oem0.inf' service own.wim:1 --add-driver $drivers/labnic --trust "$trust" -o own2.wim
wimextract own2.wim 1 /Windows/System32/config/DRIVERS --dest-dir=own > /dev/null 2>&1
cp own/DRIVERS OWN && is OWN "$db\\DriverPackages\\$nic" Provider Imglab

# 6. refused by name, and nothing is left
refuse() { # STATUS FOLDER TEXT
	expect "$1" "$3" service base.wim:1 --add-driver $drivers/refused/$2 --trust "$trust" -o no.wim
	[ -z "$(ls no.wim* 2> /dev/null)" ] || fail "$2 left something"
}
refuse 4 nocatalog "'labdisk.inf' is unsigned: its catalog 'labdisk.cat' is missing"
refuse 4 unsigned "'labdisk.inf' is unsigned: it names no CatalogFile"
refuse 4 unknown 'no trust anchor is above it'
refuse 4 changed "does not list 'labdisk.sys'"
refuse 3 escape "the folder '..\..\labdisk' of 'labdisk.sys' leaves the package"
refuse 6 arm64 "for amd64 10.0.17763"
refuse 3 owned "would replace the file 'Windows\System32\drivers\tcpip.sys', which is of the component"
refuse 3 lost "copies 'lost.sys'"
expect 2 'only added up to a trusted root' service base.wim:1 --add-driver $drivers/labdisk -o no.wim
expect 3 'holds 0 INF files' service base.wim:1 --add-driver $media/packages --trust "$trust" -o no.wim

# 7. verify sees what goes missing
expect 0 '' service one.wim:1 --put machine.inf=Windows/INF/oem0.inf -o bad.wim
expect 4 "is not the INF that '$disk' was named after" "$imgbuild" verify bad.wim
# 8. WinPE and WinRE: what starts at boot is written, the rest is staged for Plug and Play; nothing would run a SetupComplete
in_pe() { # WIM INDEX NAME: what must be true of it
	rm -rf pe && mkdir pe
	wimextract "$1" "$2" /Windows/System32/drivers /Windows/System32/DriverStore/FileRepository /Windows/System32/config /Windows/INF \
		--dest-dir=pe --preserve-dir-structure > /dev/null 2>&1
	cmp $drivers/labdisk/labdisk.sys pe/Windows/System32/drivers/labdisk.sys || fail "$3: labdisk.sys is not there at boot"
	cmp $drivers/labnic/amd64/labnic.sys "pe/Windows/System32/DriverStore/FileRepository/$nic/amd64/labnic.sys" ||
		fail "$3: labnic is not staged"
	cp pe/Windows/System32/config/SYSTEM PE
	is PE "$svc\\labdisk" Start 0
	# the laboratory's boot images have the database in a hive of its own
	cp pe/Windows/System32/config/DRIVERS PEDB
	is PEDB "$db\\DriverPackages\\$disk" '@' oem0.inf
	is PEDB "$db\\DriverPackages\\$nic" '@' oem1.inf
	hivexregedit --export PEDB '\' > PE.reg 2> /dev/null
	grep -qF '\DriverDatabase\DeviceIds\PCI\VEN_1AB0&DEV_1001]' PE.reg || fail "$3: Plug and Play does not know labnic's device"
	! wimdir "$1" "$2" | grep -i '/SetupComplete' || fail "$3: a SetupComplete that nothing runs"
}
both=(--add-driver $drivers/labdisk --add-driver $drivers/labnic --trust "$trust")
cp "$media/sources/boot.wim" boot.wim
wimextract base.wim 1 /Windows/System32/Recovery/Winre.wim --dest-dir=re > /dev/null 2>&1
for image in boot.wim:1 boot.wim:2 re/Winre.wim:1; do
	expect 0 'Plug and Play takes it from there each time this environment starts' service $image "${both[@]}" -o pe.wim
	says 'added driver labdisk.inf' '1 services that start at boot' 'left to Windows at each start'
	! grep -q pnputil said || fail "$image: it speaks of a program that does not run there"
	in_pe pe.wim ${image##*:} $image
	expect 0 good "$imgbuild" verify pe.wim --trust "$trust"
	service $image "${both[@]}" -o pe2.wim > /dev/null && cmp pe.wim pe2.wim || fail "$image: two runs differ"
done
refused_pe() { # a file of Windows in the boot image is not replaced either
	expect 3 'which is of the component' service boot.wim:2 --add-driver $drivers/refused/owned --trust "$trust" -o no.wim
	[ ! -e no.wim ] || fail "an output of a refusal"
}
refused_pe
# by a profile: the same in all images, a script in install.wim only
cat > pe.ini <<INI
[profile]
name    = pe
extends = $profile
release = 2021-09B
date    = 2021-09-27
version = 2020.1.2109.21
[remove]
components =
[drivers]
packages = $drivers/labdisk, $drivers/labnic
targets  = install, winre, boot
[media]
label = PE
INI
expect 0 'not published' "$imgbuild" build pe.ini --vars "$vars" --progress=none -o made/pe
7zz x -y -tUdf -omade made/pe/PE.iso sources/install.wim sources/boot.wim > /dev/null
wimextract made/sources/install.wim 1 /Windows/System32/Recovery/Winre.wim /Windows/Setup/Scripts/SetupComplete.cmd --dest-dir=made > /dev/null 2>&1
grep -q 'pnputil /add-driver' made/SetupComplete.cmd || fail "install.wim: nothing is queued"
in_pe made/sources/boot.wim 1 'boot.wim 1' && in_pe made/sources/boot.wim 2 'boot.wim 2' && in_pe made/Winre.wim 1 winre.wim
python3 - made/pe/build.json <<'PY' || fail "build.json"
import json, sys
d = json.load(open(sys.argv[1]))["drivers"]
assert [x["images"] for x in d] == [4, 4], d
PY
sed -i 's/^targets .*/targets = boot/' pe.ini
expect 0 'not published' "$imgbuild" build pe.ini --vars "$vars" --progress=none -o made/only
7zz x -y -tUdf -omade made/only/PE.iso sources/install.wim sources/boot.wim > /dev/null
in_pe made/sources/boot.wim 2 'boot.wim alone'
! wimdir made/sources/install.wim 1 | grep -i labdisk || fail "install.wim got a driver it was not to get"
rm -f made/SetupComplete.cmd
wimextract made/sources/install.wim 1 /Windows/Setup/Scripts/SetupComplete.cmd --dest-dir=made > /dev/null 2>&1 || true
! grep -s pnputil made/SetupComplete.cmd || fail "install.wim queues what it does not have"
echo "driver packages lie where Windows looks for them"
