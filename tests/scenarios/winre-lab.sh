#!/bin/bash
# The recovery environment: winre.wim lies inside install.wim's image, is serviced like any Windows image and put back.
# libwim and 7-Zip take it out again and judge it; hivexget reads its registry.
. "$IB_SRC/tests/lib.sh"
need 7zz wimverify wimextract wiminfo wimdir wimapply wimupdate hivexget sha1sum
lab
winre=/Windows/System32/Recovery/Winre.wim
take() { # ISO DIR: install.wim and the winre.wim in its first image
	mkdir -p "$2"
	7zz x -y -tUdf -o"$2" "$1" sources/install.wim > /dev/null
	wimextract "$2/sources/install.wim" 1 $winre --dest-dir="$2" > /dev/null 2>&1
}
take "$media/lab-base.iso" base

# 1. with winre among the targets
expect 0 'not published' build -o one
take one/CMGE_V2020L_9B.iso new
wimverify new/Winre.wim > wimverify.log 2>&1 || { cat wimverify.log; fail "wimverify refuses the recovery environment"; }
of() { wiminfo "$1" | sed -n "s/^$2: *//p"; }
[ "$(of new/Winre.wim Compression)" = "$(of base/Winre.wim Compression)" ] || fail "another compression"
[ "$(of new/Winre.wim 'Image Count')" = 1 ] && [ "$(of new/Winre.wim 'Boot Index')" = "$(of base/Winre.wim 'Boot Index')" ] ||
	fail "images or boot index"
[ "$(of new/Winre.wim Name)" = "$(of base/Winre.wim Name)" ] || fail "another name"
[ "$(of new/Winre.wim 'Service Pack Build')" = 2183 ] || fail "its XML has another patch level"
[ "$(of new/Winre.wim GUID)" != "$(of base/Winre.wim GUID)" ] || fail "another WIM has the same GUID"
wimapply new/Winre.wim 1 re > /dev/null 2>&1
cbs='\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages'
state() { hivexget re/Windows/System32/config/SOFTWARE "$cbs\\$1~31bf3856ad364e35~amd64~~$2" CurrentState; }
[ "$(state Package_for_RollupFix 17763.2183.1.5)" = 112 ] || fail "the cumulative update is not installed"
[ "$(state Package_for_ServicingStack_2170 17763.2170.1.0)" = 112 ] || fail "the servicing stack is not installed"
[ "$(hivexget re/Windows/System32/config/SOFTWARE '\Microsoft\Windows NT\CurrentVersion' UBR)" = 2183 ] || fail "UBR"
# what it got is what install.wim got: the same file, the store's name of it linked
wimextract new/sources/install.wim 1 /Windows/System32/ntoskrnl.exe --dest-dir=new > /dev/null 2>&1
cmp new/ntoskrnl.exe re/Windows/System32/ntoskrnl.exe || fail "its kernel is another"
[ "$(stat -c %h re/Windows/System32/ntoskrnl.exe)" -ge 2 ] || fail "its kernel is not a link of the store's file"
# what is made for it alone is as it was
for f in sources/recovery/RecEnv.exe sources/recovery/StartRep.exe; do
	wimextract base/Winre.wim 1 /$f --dest-dir=was > /dev/null 2>&1
	cmp "was/${f##*/}" "re/$f" || fail "'$f' changed"
done
# in its place: attributes, descriptor and times but for the last write are the base's
looks() { wimdir --detailed "$1" 1 --path=$winre | grep -vE '^(Hash|Last Write|Link|Short|Hard|Data size|Uncomp|Offset|  *(Hash|Size))' | grep -iE 'attrib|security|creation'; }
looks base/sources/install.wim > a && looks new/sources/install.wim > b
grep -qi security a && diff a b || fail "attributes or descriptor of winre.wim changed"
# said, and checked as written
grep -q "KB5005568 (cumulative update.* into 'Microsoft Windows Recovery Environment (x64)'" one/evidence/plan.json || fail "the plan does not say it"
grep -q 'as written: Microsoft Windows Recovery Environment' one/evidence/verify.json || fail "it was not verified as written"
grep -q 'winre_blobs_read_back' one/evidence/verify.json || fail "its blobs were not read back"
expect 0 good "$imgbuild" verify one/CMGE_V2020L_9B.iso --full
says 'Microsoft Windows Recovery Environment (x64)'

# 2. the same input gives the same recovery environment, with one thread too
expect 0 'not published' build -o two -j 1
take two/CMGE_V2020L_9B.iso two
cmp new/Winre.wim two/Winre.wim || fail "two builds differ"
rm -r two

# 3. not a target: the very blob of the base
expect 0 'not published' build -o three --set targets='install, boot'
take three/CMGE_V2020L_9B.iso three
cmp base/Winre.wim three/Winre.wim || fail "the recovery environment was touched"
! grep -q 'Recovery Environment' three/evidence/plan.json || fail "the plan speaks of it"
rm -r three

# 4. one that is broken is a finding of verify, and refused before a build writes anything
head -c 20000 base/Winre.wim > broken.wim && tail -c +20001 base/Winre.wim | tr '\000-\377' '\001-\377\000' >> broken.wim
cp base/sources/install.wim install.wim
wimupdate install.wim 1 --command="add broken.wim $winre" > /dev/null 2>&1
expect 4 FINDING "$imgbuild" verify install.wim
says winre.wim
echo "ok: winre.wim serviced, put back, verified"
