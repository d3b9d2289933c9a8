#!/bin/bash
# The main job with what Microsoft ships since 1809: a base whose manifests are compressed, and the cumulative update as
# differentials. The image is held against the one that the same update with complete payload gives.
. "$IB_SRC/tests/lib.sh"
need 7zz wimapply python3
lab
label=CMGE_V2020L_9B

world() { # DIR LCU: the tests' world with a base of compressed manifests
	mkdir -p "$1/updates/2021-09"
	cp base/lab-base.iso base/lab-root.pem "$1/"
	cp "$media/packages/$ssu" "$2" "$1/updates/2021-09/"
	sed -e "s,= $media\$,= $work/$1," -e "s,^base-sha256.*,base-sha256 = $(sha256 base/lab-base.iso)," "$vars" > "$1/vars.ini"
}
"$imglab" base --dcm -o base
world full "$media/packages/$lcu"
world psfx "$media/packages/psfx/$lcu"

# 1. plan says in which form files come, and what they may come from
expect 0 'by differential' "$imgbuild" plan "$profile" --vars psfx/vars.ini -o made/psfx
grep -E 'install KB5005568 .*: [0-9]+ components.*; [0-9]+ files come complete, [1-9][0-9]+ by differential$' said > /dev/null ||
	{ cat said; fail "plan does not say how the files come"; }
expect 0 'install KB5005568' "$imgbuild" plan "$profile" --vars full/vars.ini -o made/full
! grep -q 'by differential' said || fail "complete files are said to come by differential"

# 2. build, twice the same, whatever the number of threads
mkdir made
expect 0 'not published' "$imgbuild" build "$profile" --vars psfx/vars.ini --progress=none -o made/psfx
expect 0 'not published' "$imgbuild" build "$profile" --vars psfx/vars.ini --progress=none -j 1 -o made/one
cmp made/psfx/$label.iso made/one/$label.iso || fail "one thread makes other bytes"
expect 0 'not published' "$imgbuild" build "$profile" --vars full/vars.ini --progress=none -o made/full
expect 0 '' "$imgbuild" verify made/psfx/$label.iso --full

# 3. the same system comes out, in all images
for kind in psfx full; do
	7zz x -y -o$kind.iso made/$kind/$label.iso sources/install.wim sources/boot.wim > /dev/null
	wimapply $kind.iso/sources/install.wim 1 $kind.install > /dev/null 2>&1
	wimapply $kind.iso/sources/boot.wim 2 $kind.boot > /dev/null 2>&1
done
for image in install boot; do
	diff -rq psfx.$image full.$image | grep -vE 'WinSxS/(Manifests|Catalogs)|/config/(COMPONENTS|SOFTWARE)|servicing/Packages|CatRoot|Windows/servicing: LCU|Winre.wim' > other || true
	[ ! -s other ] || { head other; fail "$image: another system comes out"; }
done
[ -n "$(find psfx.install/Windows/servicing/LCU -path '*/r/*' -type f -print -quit)" ] || fail "no differentials were kept"
[ ! -e full.install/Windows/servicing/LCU ] || fail "complete payload leaves differentials"

# 4. the payload as a folder: as 7-Zip unpacks the complete one
7zz x -y -omsu "$media/packages/$lcu" > /dev/null && 7zz x -y -ocab msu/*-x64.cab > /dev/null
expect 1 'cannot be made' "$imgbuild" package extract "$media/packages/psfx/$lcu" -o payload
[ ! -e payload ] || fail "a folder was made although files are missing"
# The Setup component is in boot.wim only: an installation image has no base for its three programs.
expect 1 'missing: 3' "$imgbuild" package extract "$media/packages/psfx/$lcu" --base base/lab-base.iso:1 -o payload
expect 0 'missing: 3' "$imgbuild" package extract "$media/packages/psfx/$lcu" --base base/lab-base.iso:1 --partial -o payload
[ "$(grep -c 'component: amd64_microsoft-windows-setup-component_' said)" = 3 ] || fail "other files are missing"
(cd cab && find . -mindepth 2 -type f ! -path '*windows-setup-component_*' | sort) > theirs.list
(cd payload && find . -mindepth 2 -type f | sort) > ours.list
cmp theirs.list ours.list || { diff theirs.list ours.list | head; fail "other files were extracted"; }
while read -r f; do cmp "cab/$f" "payload/$f" || fail "'$f' differs"; done < theirs.list
for m in cab/*.manifest; do cmp "$m" "payload/$(basename "$m")" || fail "a manifest differs"; done
expect 0 'forward' "$imgbuild" package list "$media/packages/psfx/$lcu" --base base/lab-base.iso:1 --format=json
python3 - <<'PY'
import json
(p,) = json.load(open("said.out"))["packages"]
f = p["forms"]
assert f["forward"]["files"] == f["reverse"]["files"] > 100 and f["null"]["files"] > 0 and f["complete"]["files"] > 0, f
assert p["files_not_in_package"] == 0 and not p["compressed_manifests_not_read"], p
PY
expect 0 'compressed_manifests_not_read: none' "$imgbuild" inspect "$media/packages/psfx/$lcu" --base base/lab-base.iso
m=$(find cab -name '*os-kernel*.manifest' -print -quit)
7zz x -y -opacked.msu "$media/packages/psfx/$lcu" > /dev/null && 7zz x -y -opacked packed.msu/*-x64*.cab > /dev/null
expect 0 'kind: component manifest' "$imgbuild" inspect "packed/$(basename "$m")" --base base/lab-base.iso
expect 3 'dictionary' "$imgbuild" inspect "packed/$(basename "$m")"

# 5. servicing stack and update in one .msu: two packages, each at its place
cab=$IB_BUILD/tool_archive_cab
[ -x "$cab" ] || skip "tool_archive_cab is not built"
7zz x -y -ostack.msu "$media/packages/$ssu" > /dev/null
members=()
for f in packed.msu/*-[xX]64*.cab packed.msu/*.xml stack.msu/*-[xX]64*.cab stack.msu/*.xml; do members+=("$(basename "$f")" "$f"); done
"$cab" combined.msu "${members[@]}"
mkdir -p both/updates/2021-09
cp combined.msu both/updates/2021-09/
cp base/lab-base.iso base/lab-root.pem both/
sed "s,= $work/psfx\$,= $work/both," psfx/vars.ini > both/vars.ini
expect 0 'install KB5005112' "$imgbuild" plan "$profile" --vars both/vars.ini -o made/both
says 'install KB5005568' 'by differential'
expect 0 'files come complete' "$imgbuild" service base/lab-base.iso:1 --add-package combined.msu --trust base/lab-root.pem -o both.wim
says 'Package_for_ServicingStack' 'Package_for_RollupFix'
wimapply both.wim 1 both.install > /dev/null 2>&1
cmp both.install/Windows/System32/ntoskrnl.exe psfx.install/Windows/System32/ntoskrnl.exe || fail "the combined package gives another kernel"

# 6. payload sources: a package with complete files instead of the released ones
printf '[profile]\nextends = %s\n[updates]\npayload-sources = %s, %s\n' "$profile" "$media/packages/$lcu" \
	"$media/lab-base.iso:1" > sources.ini
expect 0 "complete files may come from '$lcu'" "$imgbuild" plan sources.ini --vars psfx/vars.ini -o made/sources
printf '[profile]\nextends = %s\n[updates]\npayload-sources = %s\n' "$profile" "$media/lab-base.iso:7" > sources.ini
expect 3 'there is no 7' "$imgbuild" plan sources.ini --vars psfx/vars.ini -o made/sources
