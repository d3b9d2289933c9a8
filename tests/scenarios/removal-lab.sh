#!/bin/bash
# Taking out and cleaning up on the lab's image: packages uninstalled, empty winners, surgery, superseded components
# dropped; each undone or repeated, October's update on top of each. Judged by libwim, hivex and the verifier.
. "$IB_SRC/tests/lib.sh"
need wimapply wimdir wimverify wimupdate wimextract openssl hivexregedit xmllint
lab
run=$IB_BUILD/tool_servicing_run base=$media/sources/install.wim pk=$media/packages root=$media/lab-root.pem
[ -x "$run" ] || skip "tool_servicing_run is not built"
october=windows10.0-kb5006672-x64.msu
ssu=$pk/$ssu lcu=$pk/$lcu october=$pk/$october

# on WIM STATUS TEXT OP…: status and a text of the output; the verifier must be clean wherever it ran
on() {
	local wim=$1
	shift
	local status=$1 text=$2
	shift 2
	expect "$status" "$text" "$run" "$wim" 1 trust="$root" "$@"
	! grep '^finding ' said || fail "'$*': the verifier finds faults"
	! grep '^left ' said || fail "'$*': something is left"
}
hive() { # WIM HIVE: as text
	rm -rf h && wimextract "$1" 1 "/Windows/System32/config/$2" --dest-dir=h > /dev/null 2>&1
	hivexregedit --export "h/$2" '\' | grep -v '^$'
}

# ---- uninstalling ----
on "$base" 0 'uninstalled packages=1' uninstall=Microsoft-Windows-SMB1-Package verify-full install="$ssu" install="$october" verify-full
on "$base" 0 'note update-part-staged' install="$ssu" install="$lcu" uninstall=Microsoft-Windows-SMB1-Package verify-full \
	install="$october" verify-full notes packages
! grep -q '^package Microsoft-Windows-SMB1' said || fail "the package is still there"
# each month goes again, down to the first day
on "$base" 0 '10.0.17763.2183' install="$ssu" install="$lcu" install="$october" uninstall=Package_for_RollupFix verify-full info \
	commit write=sep.wim packages
says 'package Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.2183.1.5 0x70'
on "$base" 0 '' install="$ssu" install="$lcu" commit write=lcu.wim
wimdir lcu.wim 1 > a && wimdir sep.wim 1 | diff a - || fail "September again is not September"
for h in SOFTWARE SYSTEM COMPONENTS; do
	hive lcu.wim $h > a && hive sep.wim $h | grep -v 'PackageDetect' | diff <(grep -v PackageDetect a) - > d || { cat d; fail "$h of September again"; }
done
on lcu.wim 0 '10.0.17763.1 stack=10.0.17763.2170' uninstall=Package_for_RollupFix verify-full info commit write=rtm.wim
on "$base" 0 '' install="$ssu" commit write=ssu.wim
wimdir ssu.wim 1 > a && wimdir rtm.wim 1 | diff a - || fail "the first day again is not the first day"
on lcu.wim 0 'info' 'uninstall=Package_for_RollupFix~*' verify info
on "$base" 3 "did you mean 'Microsoft-Windows-SMB1-Package'" uninstall=Microsoft-Windows-SMB-Package
on "$base" 3 'is permanent' uninstall=Microsoft-Windows-Foundation-Package
on "$base" 3 'is permanent' uninstall=Microsoft-Windows-Client-Features-Package
child=$("$run" lcu.wim 1 packages | sed -n 's/^package \(Package_1_for[^ ]*\) .*/\1/p')
on lcu.wim 3 "is a part of 'Package_for_RollupFix~" "uninstall=$child"

# ---- empty winners ----
on lcu.wim 0 'residue 0' technique=empty-winner list.components=Microsoft-Windows-Wordpad,Microsoft-Windows-SystemFirewall remove=Two \
	residue verify-full commit write=empty.wim
wimverify empty.wim > /dev/null 2>&1 || fail "wimverify refuses empty winners"
rm -rf out && wimapply empty.wim 1 out > /dev/null 2>&1
[ ! -e 'out/Program Files/Windows NT/Accessories/wordpad.exe' ] && [ ! -e out/Windows/System32/mpssvc.dll ] || fail "files are left"
[ "$(find out/Windows/WinSxS -iname wordpad.exe | wc -l)" = 2 ] || fail "the store lost what it shall keep"
hive empty.wim SYSTEM > s && ! grep -qi 'Services\\MpsSvc\]' s || fail "the service is left"
hive empty.wim SOFTWARE > s
grep -qi 'Winners\\amd64_microsoft-windows-wordpad_31bf3856ad364e35_none_[0-9a-f]*\\38655.38527\]' s || fail "no empty winner in Winners"
m=$(find out/Windows/WinSxS/Manifests -iname 'amd64_microsoft-windows-wordpad_*_38655.38527.65535.65535_*')
cp "$m" empty.manifest
[ "$(xmllint --xpath 'count(/*/*)' "$m")" = 1 ] || fail "the empty winner's manifest is not empty"
mum=$(find out/Windows/servicing/Packages -iname 'imgbuild-removal-two-package*.mum')
cmp "$(sed 's/mum$/cat/' <<< "$mum")" "out/Windows/WinSxS/Catalogs/$(sha256 "${mum%mum}cat").cat" || fail "its catalog"
openssl asn1parse -inform DER -in "${mum%mum}cat" > asn1 || fail "openssl cannot parse the catalog"
for f in "$m" "$mum"; do
	grep -qi "$(sha256 "$f")" asn1 || fail "the catalog lacks '$f'"
done
on empty.wim 0 'residue 0' install="$october" verify-full residue commit write=later.wim
rm -rf out && wimapply later.wim 1 out > /dev/null 2>&1
[ ! -e 'out/Program Files/Windows NT/Accessories/wordpad.exe' ] || fail "October brought it back"
expect 0 'good' "$imgbuild" verify later.wim --trust "$root"
# an update that brings a newer version of it does not bring it back either
on "$base" 0 '' technique=empty-winner list.components=Microsoft-Windows-Notepad remove=Notepad install="$ssu" install="$lcu" \
	verify-full commit write=np.wim
rm -rf out && wimapply np.wim 1 out > /dev/null 2>&1
[ ! -e out/Windows/System32/notepad.exe ] && [ ! -e out/Windows/notepad.exe ] || fail "September brought notepad back"
[ "$(find out/Windows/WinSxS -iname notepad.exe | wc -l)" = 4 ] || fail "September's notepad is not in the store"
# undone, it is as it was
on np.wim 0 '' uninstall=imgbuild-Removal-Notepad-Package verify-full commit write=back.wim
wimdir lcu.wim 1 > a && wimdir back.wim 1 | diff a - || fail "the tree is not as it was"
for h in SOFTWARE SYSTEM COMPONENTS; do
	hive lcu.wim $h > a && hive back.wim $h | diff a - > d || { head -20 d; fail "$h is not as it was"; }
done
on empty.wim 3 'nothing in the image matches' technique=empty-winner list.components=Microsoft-Windows-Wordpad remove=Two
on "$base" 3 'exists side by side' technique=empty-winner list.components=Microsoft.Windows.Common-Controls remove=x
on "$base" 3 'belongs to' technique=empty-winner list.components=Microsoft-Windows-Wordpad 'list.files=Windows\System32\hal.dll' remove=x
# nobody has signed its catalog: that is fine as long as it brings nothing
sed 's,</assembly>,<file name="x" /></assembly>,' empty.manifest > more.manifest
cp empty.wim more.wim
wimupdate more.wim 1 --command="add more.manifest '/${m#out/}'" > /dev/null 2>&1
expect 0 'finding catalog-untrusted' "$run" more.wim 1 trust="$root" verify
# the vendor's own, by its manifest, serviceable afterwards
expect 0 'removed CmitUpdateAgent (empty-winner)' "$imgbuild" service "$base:1" --remove CmitUpdateAgent --technique empty-winner \
	-o agent.wim
on agent.wim 0 '' install="$ssu" install="$lcu" install="$october" verify-full

# ---- surgery ----
on "$base" 3 'an empty winner takes it out' list.components=Microsoft-Windows-Wordpad remove=x
on "$base" 0 'residue 0' technique=surgery list.components=Microsoft-Windows-Wordpad remove=x residue verify-full notes commit write=cut.wim
says 'note unserviceable'
on cut.wim 3 'marked unserviceable' install="$ssu"
on cut.wim 3 'marked unserviceable' feature=SMB1Protocol:off
on cut.wim 3 'marked unserviceable' cleanup
on cut.wim 0 'info amd64' info verify

# ---- cleaning up ----
on lcu.wim 0 'cleaned packages=6' install="$october" cleanup verify-full packages commit write=clean.wim
! grep -q ' 0x50 ' said || fail "a superseded package is left"
[ "$(sed -n 's/^cleaned.* bytes=\([0-9]*\).*/\1/p' said)" -gt 100000 ] || fail "nothing was won"
on clean.wim 0 'cleaned packages=0 deployments=0 components=0 bytes=0' cleanup
on clean.wim 0 '10.0.17763.1 ' uninstall=Package_for_RollupFix verify-full info
bytes() { rm -rf out && wimapply "$1" 1 out > /dev/null 2>&1 && find out -type f -print0 | xargs -0 sha1sum | sort -k1,1 -u | cut -c43- |
	tr '\n' '\0' | xargs -0 stat -c %s | awk '{ n += $1 } END { print n }'; }
on lcu.wim 0 '' install="$october" commit write=full.wim
won=$("$run" lcu.wim 1 trust="$root" install="$october" cleanup | sed -n 's/^cleaned.* bytes=\([0-9]*\).*/\1/p')
shrunk=$(($(bytes full.wim) - $(bytes clean.wim)))
# the hives shrink, too
[ $shrunk -ge "$won" ] && [ $shrunk -lt $((won + 2000000)) ] || fail "won $won, in fact $shrunk"
on lcu.wim 0 'delta-base-gone' install="$october" feature=SMB1Protocol:off reset-base verify-full notes feature=SMB1Protocol:on verify-full \
	commit write=base.wim
on base.wim 0 'cleaned packages=0 deployments=0 components=0 bytes=0' reset-base
on base.wim 3 'what is installed is permanent' uninstall=Package_for_RollupFix
on "$base" 0 '' install="$ssu" install="$lcu" reset-base install="$october" verify-full cleanup verify-full
# an empty winner keeps what a later update needs
on empty.wim 0 'residue 0' reset-base install="$october" residue verify-full uninstall=imgbuild-Removal-Two-Package verify-full

# differentials: their reverse ones make the base removable, and the next month still finds its way
psfx=$pk/psfx
expect 0 'cleaned up: ' "$imgbuild" service "$base:1" --trust "$root" --add-package "$ssu" --add-package "$psfx/${lcu##*/}" --reset-base \
	-o p9.wim
says 'by differential'
expect 0 'by differential' "$imgbuild" service p9.wim:1 --trust "$root" --add-package "$psfx/${october##*/}" --reset-base -o p10.wim
expect 0 'good' "$imgbuild" verify p10.wim --trust "$root"

# ---- as a user has it ----
expect 0 'cleaned up: ' "$imgbuild" service "$base:1" --add-package "$ssu" --add-package "$lcu" --trust "$root" \
	--remove-package Microsoft-Windows-SMB1-Package --reset-base --format=json -o user.wim
python3 -m json.tool said.out > /dev/null || fail "no JSON"
says 'uninstalled Microsoft-Windows-SMB1-Package: 1 packages' 'cannot be uninstalled any more'
expect 2 "'quick' is no technique" "$imgbuild" service "$base:1" --remove CmitUpdateAgent --technique quick -o no.wim
[ ! -e no.wim ] || fail "an output of a refusal"
echo ok
