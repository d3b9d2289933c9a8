#!/bin/bash
# Features on demand by name, out of a folder as their discs are: with what they depend on and with their parts for the
# languages of the image, in an order that works; what cannot be is refused by name. What comes out is judged by libwim
# and hivex, and taking it out again leaves the image as it was.
. "$IB_SRC/tests/lib.sh"
need xmllint wimdir wimverify wimextract hivexregedit hivexget perl python3
lab
base=$media/sources/install.wim root=$media/lab-root.pem disc=$media/packages/on-demand
service() { expect "$1" "$2" "$imgbuild" service "$3:1" "${@:4}" --trust "$root"; }
names() { wimdir "$1" 1 | sort; }
exports() { # WIM: three hives as text, without the cache that any change drops and the stack makes again
	local hive
	rm -rf hives && mkdir hives
	for hive in SOFTWARE SYSTEM COMPONENTS; do
		wimextract "$1" 1 "/Windows/System32/config/$hive" --dest-dir=hives > /dev/null 2>&1
		hivexregedit --export --prefix "$hive" hives/$hive '\'
	done | perl -00 -ne 'print unless /^\[COMPONENTS\\DerivedData\\VersionedIndex/'
}

# ---- with its languages ----
service 0 'installed Lab-OpenTools-FoD-Package~31bf3856ad364e35~amd64~en-US~' "$base" --add-capability Lab.OpenTools \
	--capability-source "$disc" -o tools.wim
says 'installed Lab-OpenTools-FoD-Package~31bf3856ad364e35~amd64~~10.0.17763.1'
[ "$(grep -c '^  - installed' said)" = 2 ] || { cat said; fail "not two packages"; }
wimverify tools.wim > /dev/null 2>&1 || fail "libwim finds faults"
names tools.wim > list
grep -qx '/Program Files/Lab OpenTools/en-US/opentool.exe.mui' list || fail "the language's part is not there"
! grep 'Lab OpenTools/zh-CN' list || fail "a language that the image does not have"
expect 0 'good' "$imgbuild" verify tools.wim --full --trust "$root"
expect 0 'Lab.OpenTools~~~~0.0.1.0' "$imgbuild" inspect tools.wim:1
says 'Lab.OpenTools~~~en-US~0.0.1.0'

# what its component brings beside files, read by hivex
wimextract tools.wim 1 /Windows/System32/config/SYSTEM --dest-dir=. > /dev/null 2>&1
[ "$(hivexget SYSTEM '\ControlSet001\Control\Session Manager\Environment' Path)" = \
	'%SystemRoot%\system32;%SystemRoot%;%SystemRoot%\System32\Wbem;%ProgramFiles%\Lab OpenTools\' ] || fail "the search path"
rule=$(hivexget SYSTEM '\ControlSet001\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules' OpenTools-Server-In-TCP)
[[ $rule == 'v2.28|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=2222|App=C:\Program Files\Lab OpenTools\opentoold.exe|'* ]] ||
	fail "the firewall rule is '$rule'"

list() { rm -f migration.xml; wimextract "$1" 1 /Windows/WinSxS/migration.xml --dest-dir=. > /dev/null 2>&1; cat migration.xml; }
list tools.wim > migrations
grep -q '^  <file>amd64_lab-opentools-server_31bf3856ad364e35_10.0.17763.1_none_.*\.manifest</file>.$' migrations && xmllint --noout migrations ||
	{ cat migrations; fail "its migration rules are not listed"; }

# ---- once more, and out again ----
service 8 "has the capability 'Lab.OpenTools~~~~0.0.1.0' already" tools.wim --add-capability Lab.OpenTools~~~~0.0.1.0 \
	--capability-source "$disc" -o no.wim
service 0 'uninstalled Lab.OpenTools~~~~0.0.1.0: 4 packages' tools.wim --remove-capability Lab.OpenTools~~~~0.0.1.0 -o back.wim
names "$base" > a && names back.wim | diff a - || fail "the tree is not what it was"
exports "$base" > a && exports back.wim | diff a - || fail "the hives are not what they were"
list "$base" > a && list back.wim | cmp a - || fail "the list of migration rules is not what it was"
# one language of it alone; it comes back alone
service 0 'uninstalled Lab.OpenTools~~~en-US~0.0.1.0: 1 packages' tools.wim --remove-capability Lab.OpenTools~~~en-US~0.0.1.0 \
	-o part.wim
service 0 'installed Lab-OpenTools-FoD-Package~31bf3856ad364e35~amd64~en-US~' part.wim --add-capability Lab.OpenTools \
	--capability-source "$disc" -o whole.wim
[ "$(grep -c '^  - installed' said)" = 1 ] || { cat said; fail "more than the language"; }
names tools.wim > a && names whole.wim | diff a - || fail "the language did not come back"

# ---- what it depends on ----
service 0 'installed Lab-OpenTools-Extra-FoD-Package' "$base" --add-capability Lab.OpenTools.Extra --capability-source "$disc" -o extra.wim
[ "$(grep -c '^  - installed' said)" = 3 ] || { cat said; fail "not three packages"; }
says 'Lab\Open more (100%): the task'
sed -n 's/^  - installed \([^~]*\)~.*/\1/p' said > order
[ "$(tail -n 1 order)" = Lab-OpenTools-Extra-FoD-Package ] || { cat order; fail "it goes before what it needs"; }
service 3 "'Lab-OpenTools-Extra-FoD-Package~31bf3856ad364e35~amd64~~10.0.17763.1' needs the capability 'Lab.OpenTools~~~~0.0.1.0'" \
	extra.wim --remove-capability Lab.OpenTools -o no.wim
# its task: the file is there, Setup registers it out of a copy
wimextract extra.wim 1 '/Windows/System32/Tasks/Lab/Open more (100%)' /Windows/Setup/Scripts/SetupComplete.cmd --dest-dir=task > /dev/null 2>&1
grep -qaF openmore.exe <(iconv -f UTF-16 -t UTF-8 'task/Open more (100%)') || fail "the task's file"
grep -qF 'copy /y "%SystemRoot%\System32\Tasks\Lab\Open more (100%%)" "%TEMP%\imgbuild-task.xml" >nul && (schtasks /delete /tn "\Lab\Open more (100%%)" /f' \
	task/SetupComplete.cmd || { cat task/SetupComplete.cmd; fail "the task is not registered"; }
grep -qF '& schtasks /create /tn "\Lab\Open more (100%%)" /xml "%TEMP%\imgbuild-task.xml" /f)' task/SetupComplete.cmd || fail "it is not made"
service 0 'uninstalled Lab.OpenTools.Extra: 1 packages' extra.wim --remove-capability Lab.OpenTools.Extra -o less.wim
# the script stays, and finds no file to copy then
names tools.wim > a && names less.wim | grep -v '^/Windows/Setup' | diff <(grep -v '^/Windows/Setup' a) - || fail "more than the extra went"
mkdir lone && cp "$disc"/Lab-OpenTools-Extra* lone/
service 3 "no package in the sources brings the capability 'Lab.OpenTools~~~~0.0.1.0'" "$base" --add-capability Lab.OpenTools.Extra \
	--capability-source lone -o no.wim
says "looking for what the capability 'Lab.OpenTools.Extra' needs"
# of languages: only the one that is named, and what it needs in the same
service 0 'installed Lab-LanguageFeatures-Speech-de-DE-Package' "$base" --add-capability Lab.Language.Speech~~~de-DE~0.0.1.0 \
	--capability-source "$disc" -o speech.wim
[ "$(grep -c '^  - installed' said)" = 2 ] || { cat said; fail "not two packages"; }
expect 0 'Lab.Language.Basic~~~de-DE~0.0.1.0' "$imgbuild" inspect speech.wim:1
service 3 "they bring 'Lab.Language.Speech~~~de-DE~0.0.1.0'" "$base" --add-capability Lab.Language.Speech --capability-source "$disc" -o no.wim

# ---- refused ----
service 3 "no package in the sources brings the capability 'Lab.OpenTool'" "$base" --add-capability Lab.OpenTool --capability-source "$disc" -o no.wim
says "they bring 'Lab.OpenTools'"
service 3 'Lab.OpenTools~~~~0.0.2.0' "$base" --add-capability Lab.OpenTools~~~~0.0.2.0 --capability-source "$disc" -o no.wim
service 3 'is no name of a capability' "$base" --add-capability 'Lab.OpenTools~x' --capability-source "$disc" -o no.wim
service 2 'go together' "$base" --add-capability Lab.OpenTools -o no.wim
service 2 'go together' "$base" --capability-source "$disc" -o no.wim
service 3 'cannot open' "$base" --add-capability Lab.OpenTools --capability-source nowhere -o no.wim
expect 2 'trusted root' "$imgbuild" service "$base:1" --add-capability Lab.OpenTools --capability-source "$disc" -o no.wim
# by file: a part for a language that the image lacks, one whose capability is not there
service 6 'for the language zh-CN, which the image does not have (DISM: 0x800f081e)' tools.wim \
	--add-package "$(echo "$disc"/Lab-OpenTools-FoD*zh-CN*)" -o no.wim
service 6 "of the capability 'Lab.OpenTools', which the image does not have" "$base" \
	--add-package "$(echo "$disc"/Lab-OpenTools-FoD*en-US*)" -o no.wim
mkdir bad && head -c 3000 "$(echo "$disc"/Lab-OpenTools-FoD-Package*~~.cab)" > bad/x.cab
service 3 'bad/x.cab' "$base" --add-capability Lab.OpenTools --capability-source bad -o no.wim
mkdir none
service 3 'they hold no feature on demand for this image' "$base" --add-capability Lab.OpenTools --capability-source none -o no.wim
mkdir few && cp "$(echo "$disc"/Lab-OpenTools-FoD-Package*~~.cab)" few/
service 0 'the sources have no part for the language en-US' "$base" --add-capability Lab.OpenTools --capability-source few -o few.wim
[ ! -e no.wim ] || fail "an output of a refusal"

# ---- in a profile, before the cumulative update ----
cat > p.ini <<-END
	[profile]
	extends = $profile
	[updates]
	capabilities = Lab.OpenTools.Extra
	capability-sources = $disc
END
expect 0 'Lab-OpenTools-Extra-FoD-Package' "$imgbuild" plan p.ini --vars "$vars" -o out
says 'Lab-OpenTools-FoD-Package~31bf3856ad364e35~amd64~~10.0.17763.1' 'Lab-OpenTools-FoD-Package~31bf3856ad364e35~amd64~en-US~10.0.17763.1'
python3 - <<'END'
lines = [l for l in open("said.out") if " install " in l or "install KB" in l]
at = {k: next(i for i, l in enumerate(lines) if k in l) for k in ("~amd64~~10.0.17763.1)", "~amd64~en-US~", "Extra-FoD", "RollupFix")}
assert at["~amd64~~10.0.17763.1)"] < at["~amd64~en-US~"] < at["RollupFix"] and at["Extra-FoD"] < at["RollupFix"], (at, lines)
END
sed -i '/capability-sources/d' p.ini
expect 3 'p.ini:4: features on demand are asked for by name' "$imgbuild" plan p.ini --vars "$vars" -o out
echo ok
