#!/bin/bash
# Bad input to a whole build, each made here. Every one must be refused by plan and by build alike with the right
# status and a message that names file and cause; the folder of an earlier build must stay as it is, nothing may be
# left behind, and nothing may be published.
. "$IB_SRC/tests/lib.sh"
need 7zz genisoimage wiminfo sha256sum
lab

mkdir made
expect 0 'not published' build -o made/image
snapshot made > before
# A profile of the test's own, on top of the laboratory's: stdin is what differs; it begins at line 8.
profile() {
	printf '[profile]\nextends = %s\nname = hostile\ncustomer = ICBC\nrelease = 2021-09B\n' \
		"$IB_SRC/profiles/lab-icbc.ini" > p.ini
	printf 'date = 2021-09-27\nversion = 2020.1.2109.21\n' >> p.ini
	cat >> p.ini
}
n=0
# refused STATUS TEXT OPTION…: p.ini is refused
refused() {
	local status=$1 text=$2
	shift 2
	set -- p.ini --vars "$vars" -o made/image --set "publish-url=file://$work/delivery" "$@"
	expect "$status" "$text" "$imgbuild" plan "$@"
	says 'imgbuild: error:' 'cause:'
	expect "$status" "$text" "$imgbuild" build --publish --progress=none "$@"
	[ ! -s said.out ] || fail "an error is on stdout"
	awk 'length > 1000' said.err | (! grep -q .) || fail "an endless message"
	snapshot made | cmp -s before - || fail "$text: the old folder changed: $(snapshot made | diff before - | head -3)"
	[ -z "$(find . made -maxdepth 1 -name '.work-*')" ] || fail "$text: left behind: $(find . made -maxdepth 1 -name '.work-*')"
	[ ! -e delivery ] || fail "$text: something was published"
	n=$((n + 1))
}
base() { # FILE: as base, its digest right
	vars_of_base=(--set "base-iso=$1" --set "base-sha256=$(sha256 "$1")")
}
plain() { profile < /dev/null; }
other_base() { profile <<< $'[base]\nimage = ${base-iso}'; }

# ---- the base ----
plain
refused 4 "has SHA-256 $(sha256 "$media/lab-base.iso")" --set "base-sha256=$(printf %064d 0)"
says "lab-icbc.ini:" 'hint:'
refused 3 "'sha256' is 64 hex digits, not 'xyz'" --set base-sha256=xyz
other_base
size=$(stat -c %s "$media/lab-base.iso")
for cut in 0 100 32768 40000 600000 $((size / 2)) $((size - 2048 * 300)); do
	head -c "$cut" "$media/lab-base.iso" > cut.iso
	base cut.iso
	refused 3 cut.iso "${vars_of_base[@]}"
done
base "$media/lab-root.pem"
refused 3 lab-root.pem "${vars_of_base[@]}"
refused 3 no-such.iso --set base-iso=no-such.iso
refused 3 'made' --set base-iso=made
7zz x -tUdf -bso0 -bsp0 -otree "$media/lab-base.iso"
iso() { # OUT OPTION…: a disc of ./tree, not by us
	local out=$1
	shift
	genisoimage -quiet -udf -iso-level 3 -allow-limited-size -V LAB "$@" -o "$out" tree 2> iso.log || fail "genisoimage: $(cat iso.log)"
	base "$out"
}
boots=(-b boot/etfsboot.com -no-emul-boot -boot-load-size 8 -eltorito-alt-boot -e efi/microsoft/boot/efisys.bin
	-no-emul-boot -boot-load-size 1)
iso noboot.iso
refused 3 "'bios' is asked for, but the base has no such boot image" "${vars_of_base[@]}"
cp tree/sources/install.wim good.wim
for cut in 0 7 200 $(($(stat -c %s good.wim) - 10)) $(($(stat -c %s good.wim) / 2)); do
	head -c "$cut" good.wim > tree/sources/install.wim
	iso cut.iso "${boots[@]}"
	refused 3 sources/install.wim "${vars_of_base[@]}"
done
rm tree/sources/install.wim
iso nowim.iso "${boots[@]}"
refused 3 "holds no 'sources/install.wim'" "${vars_of_base[@]}"
# Blobs that are not what their hashes say, in a disc whose digest the profile vouches for: what the build reads it
# refuses; what it only copies is found by verify --full.
cp good.wim tree/sources/install.wim
head -c 60000 /dev/zero | dd of=tree/sources/install.wim bs=1 seek=200000 conv=notrunc status=none
iso rotten.iso "${boots[@]}"
got=0
"$imgbuild" build p.ini --vars "$vars" -o rotten --progress=none "${vars_of_base[@]}" > said 2>&1 || got=$?
case $got in
0) expect 4 'is damaged: the content that should have SHA-1' "$imgbuild" verify rotten --full ;;
3 | 4) ;;
*) cat said; fail "a rotten base ends with $got" ;;
esac
rm -rf rotten

# ---- the edition ----
profile <<< $'[base]\nedition = Professional'
refused 3 "edition 'Professional' is not in"
says "p.ini:" "it holds: 1 EnterpriseG 'CMGE V2020-L', 2 Enterprise"
cp good.wim tree/sources/install.wim
wiminfo tree/sources/install.wim 2 --image-property WINDOWS/EDITIONID=EnterpriseG > /dev/null
iso twice.iso "${boots[@]}"
other_base
refused 3 "edition 'EnterpriseG' means more than one image" "${vars_of_base[@]}"
says 'it holds: 1 EnterpriseG'
rm -rf tree ./*.iso

# ---- packages ----
refused=$media/packages/refused
only() { # FILE…: a search folder with these
	rm -rf updates && mkdir updates
	[ $# = 0 ] || cp "$@" updates/
	profile <<< $'[updates]\nsearch = '"$work/updates"$'\n'"${require:-require = KB5005568}"
}
stack=$media/packages/$ssu
profile <<< $'[updates]\nsearch =\ncumulative = '"$refused/windows10.0-kb5005565-x64.msu"
refused 6 'the image has 10.0.17763.1'
says windows10.0-kb5005565-x64.msu
only "$media/packages/$lcu"
refused 6 '0x800f0823'
says "$lcu" 'servicing stack' '10.0.17763.2170' 'hint:'
for bad in payload manifest unsigned unknown; do
	only "$stack" "$refused/windows10.0-kb5005568-x64-$bad.msu"
	refused 4 "windows10.0-kb5005568-x64-$bad.msu"
done
only "$stack"
refused 3 'KB5005568 is required, but no package that was found brings it'
only "$stack" "$media/packages/$lcu"
echo 'not a cabinet' > updates/readme.cab
refused 3 "readme.cab"
rm updates/readme.cab
for cut in 0 30 1000 1000000; do
	head -c $cut "$media/packages/$lcu" > updates/$lcu
	refused 3 "$lcu"
done
profile <<< $'[updates]\nsearch = no-such-folder'
refused 3 'no-such-folder'
profile <<< $'[updates]\ntrust = '"$vars"
refused 3 'vars.ini'
only "$stack" "$media/packages/$lcu"
sed -i "/^search/a trust = $keys/unknown-root.pem" p.ini
refused 4 'kb5005112'

# ---- the profile ----
profile <<< $'[publish]\npassword = hunter2'
refused 3 'p.ini:'
! grep -q hunter2 said || fail "the message repeats the password"
says 'password' 'env:'
profile <<< $'[media]\nlabel = ${no-such-variable}'
refused 3 'no-such-variable'
says 'p.ini:9'
profile <<< $'[media]\nlable = X'
refused 3 "'lable'"
says 'p.ini:9' "did you mean 'label'?"
profile <<< $'[remove]\ncomponents = CmitUpdateAgnet'
refused 3 'CmitUpdateAgnet'
profile <<< $'[features]\nenable = SMB1Protocol'
refused 3 "feature 'SMB1Protocol' is to be enabled and disabled"
profile <<< $'[features]\ndisable = SMB9Protocol\nreason.SMB9Protocol = none'
refused 3 "did you mean 'SMB1Protocol"
profile <<< $'[metadata]\nupgrade-from = V0-X'
refused 3 "product release 'V0-X' has no manifest"
mkdir catalog && cp made/image/metadata/*-*.xml catalog/
plain
refused 3 "version 2020.1.2109.21 is not above 2020.1.2109.21, which stream 'icbc-l' has already" --set catalog="$work/catalog"
sed -i 's/2020.1.2109.21/2020.1.2110.11/' p.ini
expect 0 "for stream 'icbc-l'; superseded: ICBC V2020-L 9B (lab) 2020.1.2109.21" "$imgbuild" plan p.ini --vars "$vars" \
	--set catalog="$work/catalog"
expect 0 'superseded: none' "$imgbuild" plan p.ini --vars "$vars" --set catalog="$work/no-such"
says 'warning' '[metadata] catalog: there is no such folder'
profile <<< $'[sign]\nkey = '"$keys/security.key"
refused 3 'security.key'
profile <<< $'[report]\nformats = docx'
refused 3 'p.ini:9'
sed -i 's/^extends.*/extends = p.ini/' p.ini
refused 3 'p.ini'
rm p.ini
refused 3 'p.ini'
echo "ok: $n bad inputs refused, twice each"
