#!/bin/bash
# .NET 3.5 end to end: the feature's package lies in sources\sxs, not in the image; a profile turns it on, the cumulative
# update's versions win whether it comes after the feature or was there before, and October's go on top. Files are
# compared with those that cabextract takes out of the packages; hivex reads the registry, libwim the images.
. "$IB_SRC/tests/lib.sh"
need 7zz cabextract wimextract wimdir wimverify hivexget python3
lab
root=$media/lab-root.pem base=$media/sources/install.wim pk=$media/packages october=windows10.0-kb5006672-x64.msu
service() { "$imgbuild" service "$@" --trust "$root" --progress=none; }
cbs='\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages' token=31bf3856ad364e35
net=Microsoft-Windows-NetFx3-OnDemand-Package~$token~amd64~~10.0.17763.1
ndp='\Microsoft\NET Framework Setup\NDP\v3.5'

mkdir rtm nine ten
cabextract -q -d rtm "$pk"/sxs/*.cab
for m in nine:$lcu ten:$october; do
	cabextract -q -d ${m%%:*} -F '*.cab' "$pk/${m#*:}"
	cabextract -q -d ${m%%:*} -F '*lab-netfx3-runtime*' ${m%%:*}/Windows*.cab
done
# is DIR WIM: the feature's files and values in the image are those of DIR's packages
is() {
	local arch folder f
	rm -rf out && mkdir out
	wimextract "$2" 1 /Windows/Microsoft.NET /Windows/System32/config/SOFTWARE --dest-dir=out > /dev/null 2>&1 || fail "$2 has no .NET 3.5"
	for arch in amd64:Framework64 x86:Framework; do
		folder=out/Microsoft.NET/${arch#*:}/v2.0.50727
		for f in labcor.dll labgen.exe; do
			cmp "$1"/${arch%%:*}_lab-netfx3-runtime_*/$f $folder/$f || fail "$f of $2 (${arch%%:*}) is not the one of $1"
		done
	done
	[ "$(hivexget out/SOFTWARE "$ndp" Install)" = 1 ] || fail "the registry of $2 does not know .NET 3.5"
	[ "$(hivexget out/SOFTWARE "$ndp" LabVersion)" = "$3" ] || fail "$2: LabVersion is $(hivexget out/SOFTWARE "$ndp" LabVersion), not $3"
	[ "$(hivexget out/SOFTWARE "$cbs\\$net" CurrentState)" = 112 ] || fail "the package's state in $2"
	[ "$(hivexget out/SOFTWARE "$cbs\\$net\\Updates" NetFx3)" = 112 ] || fail "the feature's state in $2"
	wimverify "$2" > /dev/null 2>&1 || fail "libwim finds fault with $2"
	expect 0 good "$imgbuild" verify "$2" --trust "$root"
}

# ---- a single image ----
expect 3 "the image has no optional feature 'NetFx3'" service "$base:1" --enable-feature NetFx3 -o no.wim
says 'sources\sxs' microsoft-windows-netfx3-ondemand-package
expect 3 "the image has no optional feature 'NetFx3'" service "$base:1" --enable-feature NetFx3 --feature-source "$pk/Lab-OpenTools"*.cab -o no.wim
expect 2 'trusted root' "$imgbuild" service "$base:1" --enable-feature NetFx3 --feature-source "$pk/sxs" -o no.wim
expect 4 packages/sxs "$imgbuild" service "$base:1" --enable-feature NetFx3 --feature-source "$pk/sxs" --trust "$keys/unknown-root.pem" -o no.wim
[ ! -e no.wim ] || fail "an output of a refusal"
expect 0 'feature NetFx3 enabled' service "$base:1" --enable-feature NetFx3 --feature-source "$pk/sxs" -o rtm.wim
! grep -q 'is installed again' said || fail "there is no update to install again"
is rtm rtm.wim 10.0.17763.1
# the update comes afterwards, or at once
expect 0 "installed Package_for_RollupFix" service rtm.wim:1 --add-package "$pk/$ssu" --add-package "$pk/$lcu" -o after.wim
is nine after.wim 10.0.17763.2183
expect 0 'feature NetFx3 enabled' service "$base:1" --enable-feature NetFx3 --feature-source "$pk/sxs" \
	--add-package "$pk/$ssu" --add-package "$pk/$lcu" -o once.wim
is nine once.wim 10.0.17763.2183
# the image has the update: without it a warning and the first version, with it "the LCU again"
expect 0 '' service "$base:1" --add-package "$pk/$ssu" --add-package "$pk/$lcu" -o nine.wim
! wimdir nine.wim 1 | grep -i 'Microsoft.NET/.*labcor' || fail "the update brought the feature"
expect 0 "'Package_for_RollupFix~$token~amd64~~17763.2183.1.5', which the image has, may hold newer versions" service nine.wim:1 \
	--enable-feature NetFx3 --feature-source "$pk/sxs" -o stale.wim
is rtm stale.wim 10.0.17763.1
expect 0 'installed Package_for_RollupFix' service nine.wim:1 --enable-feature NetFx3 --feature-source "$pk/sxs" --add-package "$pk/$lcu" \
	-o again.wim
! grep -q 'may hold newer' said || fail "a warning of what was done"
is nine again.wim 10.0.17763.2183
expect 0 'installed Package_for_RollupFix' service stale.wim:1 --add-package "$pk/$lcu" -o again2.wim
is nine again2.wim 10.0.17763.2183
wimdir once.wim 1 > a
for f in after again again2; do wimdir $f.wim 1 | diff a - || fail "another order makes another tree: $f"; done
# the next month, and off again
expect 0 '' service again.wim:1 --add-package "$pk/$october" -o october.wim
is ten october.wim 10.0.17763.2237
expect 0 'feature NetFx3 disabled' service october.wim:1 --disable-feature NetFx3 -o off.wim
! wimdir off.wim 1 | grep -i '^/Windows/Microsoft.NET/.*labcor' || fail "switched off, its files stayed"
expect 0 'feature NetFx3 enabled' service off.wim:1 --enable-feature NetFx3 -o on.wim
is ten on.wim 10.0.17763.2237
# payload gone, as Windows images come: it names the package that brings it
expect 0 'its payload removed: 6 components' service october.wim:1 --remove-payload NetFx3 -o lean.wim
expect 3 'DISM calls this 0x800f081f' service lean.wim:1 --enable-feature NetFx3 -o no.wim
grep -qE "'Package_[0-9]+_for_KB5006672~[^']*' brings it: give that package as a source" said.err || fail "no source is named"
expect 0 'feature NetFx3 enabled' service lean.wim:1 --enable-feature NetFx3 --feature-source "$pk/$october" -o full.wim
is ten full.wim 10.0.17763.2237

# ---- a profile, from the first day's medium and from one that has September already ----
cat > net.ini <<INI
[profile]
name    = net
extends = $IB_SRC/profiles/lab-icbc.ini
release = 2021-09B
date    = 2021-09-27
version = 2020.1.2109.21
[remove]
components =
[features]
disable =
enable = NetFx3
source = \${media}/packages/sxs
reason.NetFx3 = an application of the branches needs it
[media]
label = NET
INI
run() { "$imgbuild" "$1" net.ini --vars "$vars" --progress=none "${@:2}"; }
expect 0 'enable feature NetFx3: an application of the branches needs it' run plan -o made/x
says "install NetFx3 on demand (feature on demand, $net)"
python3 - said.out <<'EOF'
import sys
lines = open(sys.argv[1]).read().split("\n")
at = lambda word: next(i for i, l in enumerate(lines) if word in l)
assert at("NetFx3 on demand") < at("install KB5005568"), "the feature comes after the update"
EOF
expect 0 'not published' run build -o made/x
(cd made && 7zz x -y -tUdf x/NET.iso sources/install.wim > /dev/null && mv sources/install.wim x.wim)
is nine made/x.wim 10.0.17763.2183
grep -q NetFx3 made/x/papers/risk-disclosure.en.html || fail "the papers do not name the feature"

cat > nine.ini <<INI
[profile]
name    = nine
extends = net.ini
[features]
enable =
source =
[media]
label = NINE
INI
expect 0 'not published' "$imgbuild" build nine.ini --vars "$vars" --progress=none -o made/nine
second=(--set base-iso="$work/made/nine/NINE.iso" --set base-sha256="$(sha256 made/nine/NINE.iso)")
sed -i 's,^\[remove\],[base]\nimage = ${base-iso}\n[remove],' net.ini
expect 0 "into 'CMGE V2020-L' again: " run plan "${second[@]}" -o made/y
says 'of its parts are for what came after it'
expect 0 'not published' run build "${second[@]}" -o made/y
(cd made && 7zz x -y -tUdf y/NET.iso sources/install.wim > /dev/null && mv sources/install.wim y.wim)
is nine made/y.wim 10.0.17763.2183
echo "ok: .NET 3.5 is at the update's level, whichever came first"
