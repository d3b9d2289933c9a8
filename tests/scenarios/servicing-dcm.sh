#!/bin/bash
# The main case on an image whose store holds compressed manifests, as genuine ones do: it goes exactly as on the same
# image with plain manifests. Without the dictionary, and with a manifest that is not the one of its component key, it
# is refused and said why.
. "$IB_SRC/tests/lib.sh"
run=$IB_BUILD/tool_servicing_run
need 7zz wimextract wimupdate wimdir wimapply python3
[ -x "$run" ] || skip "tool_servicing_run is not built"

mkdir plain packed
"$imglab" base -o plain && "$imglab" base --dcm -o packed && "$imglab" packages -o .
for kind in plain packed; do (cd $kind && 7zz x -y lab-base.iso sources/install.wim > /dev/null); done

# 1. most manifests are compressed, and what is done is the same
manifests=Windows/WinSxS/Manifests
wimapply packed/sources/install.wim 1 tree > /dev/null 2>&1
[ "$(head -qc 3 tree/$manifests/*.manifest | grep -ao DCM | wc -l)" -gt 100 ] || fail "the lab's manifests are not compressed"
service() { # KIND
	"$run" $1/sources/install.wim 1 trust=$1/lab-root.pem install=$ssu install=$lcu \
		list.packages=CMIT-UpdateAgent-Package list.components=CmitUpdateAgent remove=CmitUpdateAgent \
		residue feature=SMB1Protocol:off commit verify-full notes write=$1.wim reopen info residue packages
}
service plain > plain.txt
service packed > packed.txt
diff plain.txt packed.txt || fail "compressed manifests change what is done"
grep -q '^verify .* manifests=[1-9]' packed.txt || fail "nothing was verified"
trees() { wimdir "$1" 1 | sort > "$2"; }
trees plain.wim plain.list && trees packed.wim packed.list
cmp plain.list packed.list || fail "the trees differ"

# 2. without a servicing stack that has the dictionary
cp packed/sources/install.wim bare.wim
for path in $(wimdir bare.wim 1 | grep -i '/WinSxS/.*/wcp\.dll$'); do
	wimupdate bare.wim 1 --command="delete '$path'" > /dev/null
done
expect 3 'the image has no dictionary' "$run" bare.wim 1 trust=packed/lab-root.pem \
	list.packages=CMIT-UpdateAgent-Package list.components=CmitUpdateAgent remove=CmitUpdateAgent
says 'wcp.dll' '.manifest'
expect 0 '' "$run" bare.wim 1 verify
[ "$(grep -c '^finding manifest-unreadable' said)" = 1 ] || { cat said; fail "one finding for all of them"; }
says 'compressed manifests cannot be read'

# 3. a manifest that is another one than its key says
wcp=$(find tree/Windows/WinSxS -iname wcp.dll -print -quit)
for m in tree/$manifests/*.manifest; do
	[ "$(head -c 3 "$m")" = DCM ] || continue
	"$imgbuild" delta apply --base "$wcp" "$m" > plain.xml
	! grep -q 'name="CmitUpdateAgent"' plain.xml || break
done
k=$(basename "$m")
grep -q 'name="CmitUpdateAgent"' plain.xml || fail "no compressed manifest of CmitUpdateAgent"
sed '0,/<assembly /s//<assembly  /' plain.xml > changed.xml
! cmp -s plain.xml changed.xml || fail "nothing was changed"
cp packed/sources/install.wim changed.wim
wimupdate changed.wim 1 --command="add changed.xml '/$manifests/$k'" > /dev/null
expect 4 'its component key says' "$run" changed.wim 1 trust=packed/lab-root.pem \
	list.packages=CMIT-UpdateAgent-Package list.components=CmitUpdateAgent remove=CmitUpdateAgent
says "$k"
expect 0 'manifest-hash' "$run" changed.wim 1 verify
