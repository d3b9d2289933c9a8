#!/bin/bash
# imgbuild service on WIMs made by libwim, judged by libwim; then on the laboratory's Windows image, judged by imgbuild verify.
. "$IB_SRC/tests/lib.sh"
need wimcapture wimapply wimverify wimdir wiminfo hivexsh

# a WIM that is no Windows image, two images
mkdir -p tree/docs && echo one > tree/docs/a.txt && ln tree/docs/a.txt tree/b.txt && echo two > tree/c
wimcapture tree plain.wim first --compress=LZX > /dev/null && wimappend tree plain.wim second > /dev/null
before=$(sha256 plain.wim)
echo new > new.txt && mkdir -p more/deep && echo x > more/deep/x && : > more/empty
expect 2 "holds 2 images" "$imgbuild" service plain.wim --put new.txt=docs/ -o out.wim
expect 2 "is the input itself" "$imgbuild" service plain.wim:2 --put new.txt=docs/ -o ./plain.wim
# where no file can be is said before anything is done; a device would be replaced
mkfifo pipe
expect 3 "'pipe' is a folder or a device, not a file" "$imgbuild" service plain.wim:2 --put new.txt=docs/ -o pipe
[ -p pipe ] || fail "the pipe is gone"
expect 5 "there is no folder 'no-such'" "$imgbuild" service plain.wim:2 --put new.txt=docs/ -o no-such/out.wim
says 'hint:' 'make the folder'
expect 2 "needs '-o FILE'" "$imgbuild" service plain.wim:2 --put new.txt=docs/
expect 2 "nothing was asked" "$imgbuild" service plain.wim:2 -o out.wim
expect 3 "" "$imgbuild" service plain.wim:2 --put gone=docs/ -o out.wim
expect 3 "Windows takes no" "$imgbuild" service plain.wim:2 --put 'new.txt=docs/a?' -o out.wim
expect 3 "" "$imgbuild" service plain.wim:2 --enable-feature X -o out.wim
expect 2 "no option '--add-printer'" "$imgbuild" service plain.wim:2 --add-printer x -o out.wim
[ ! -e out.wim ] || fail "an output of a failed run"
[ -z "$(find . -name '*.part')" ] || fail "a part of an output"
expect 0 "put docs\\\\new.txt" "$imgbuild" service plain.wim:2 --put new.txt=docs --put more=added/here --put new.txt=B.TXT \
	--date 2021-09-01 --format=json -o out.wim
python3 -m json.tool said.out > /dev/null || fail "the result is no JSON"
[ "$(sha256 plain.wim)" = "$before" ] || fail "the input changed"
wimverify out.wim > /dev/null 2>&1 || fail "wimverify"
wimapply out.wim 2 applied > /dev/null 2>&1 || fail "wimapply"
diff -r more applied/added/here && cmp new.txt applied/docs/new.txt && cmp new.txt applied/b.txt || fail "content"
cmp tree/docs/a.txt applied/docs/a.txt || fail "the other name of a replaced file"
[ "$(date -u -r applied/docs/new.txt +%F)" = 2021-09-01 ] || fail "time"
wimdir out.wim 2 --detailed --path=/docs/new.txt | grep -q 'FILE_ATTRIBUTE_ARCHIVE' || fail "attributes"
wimapply out.wim 1 first > /dev/null 2>&1 && diff -r tree first || fail "the other image changed"
"$imgbuild" service plain.wim:2 --put new.txt=docs --put more=added/here --put new.txt=B.TXT --date 2021-09-01 -o again.wim > /dev/null
cmp out.wim again.wim || fail "not reproducible"
expect 0 "" "$imgbuild" service plain.wim:2 --put new.txt=docs -o nodate.wim
touch new.txt && mv nodate.wim nodate1.wim
expect 0 "" "$imgbuild" service plain.wim:2 --put new.txt=docs -o nodate.wim
cmp nodate.wim nodate1.wim || fail "without --date the time of the file shows"
# a disk that is full: no output, nothing left behind
head -c 300000 /dev/urandom > big.bin
full() { (trap '' XFSZ; ulimit -f 100; exec "$imgbuild" service plain.wim:2 --put big.bin=docs -o full.wim); }
expect 5 "" full
[ ! -e full.wim ] && [ -z "$(find . -name '*.part')" ] || fail "a part of an output is left"
# a split one, an integrity table
wimcapture tree whole.wim one --check > /dev/null && wimsplit whole.wim part.swm 1 > /dev/null
expect 0 "" "$imgbuild" service part.swm --put new.txt=docs -o joined.wim
wimverify joined.wim > /dev/null 2>&1 || fail "a split one"
# an image with nothing but a hive; and keys that have no hive
printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Vendor]\r\n"A"="b"\r\n' > a.reg
printf 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\NOWHERE\\Vendor]\r\n"A"="b"\r\n' > no.reg
expect 3 "hives the image does not have" "$imgbuild" service plain.wim:1 --reg a.reg -o reg.wim
solid=$(wimcapture tree solid.esd --solid > /dev/null && echo yes)
expect 0 "recompressed" "$imgbuild" service solid.esd --put new.txt=docs -o unsolid.wim
wimverify unsolid.wim > /dev/null 2>&1 && [ "$solid" = yes ] || fail "a solid one"

# a Windows image
lab
install=$media/sources/install.wim
expect 0 "imported 1 keys" "$imgbuild" service "$install:1" --put new.txt=Windows/System32/ --reg a.reg -o win.wim
expect 3 "hives the image does not have" "$imgbuild" service "$install:1" --reg no.reg -o no.wim
wimextract win.wim 1 /Windows/System32/config/SOFTWARE --dest-dir=. > /dev/null 2>&1
[ "$(printf 'cd Vendor\nlsval A\n' | hivexsh SOFTWARE)" = b ] || fail "hivex does not see the value"
wimdir win.wim 1 --detailed --path=/Windows/System32/new.txt | grep -q 'Security Descriptor' || fail "nothing inherited"
expect 0 "" "$imgbuild" verify win.wim
expect 2 "none is given" "$imgbuild" service "$install:1" --add-package "$media/packages/$ssu" -o no.wim
expect 4 "" "$imgbuild" service "$install:1" --add-package "$media/packages/$ssu" --trust "$keys/technical.pem" -o no.wim
expect 0 "installed" "$imgbuild" service "$media/lab-base.iso:1" --add-package "$media/packages/$lcu" \
	--add-package "$media/packages/$ssu" --trust "$keys/lab-root.pem" --remove CmitUpdateAgent -o updated.wim
expect 0 "" "$imgbuild" verify updated.wim --trust "$keys/lab-root.pem" --full
wimverify updated.wim > /dev/null 2>&1 || fail "wimverify of the updated one"
echo "serviced WIMs are what libwim, hivex and the store's verifier expect"
