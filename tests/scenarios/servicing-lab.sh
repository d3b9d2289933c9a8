#!/bin/bash
# The main case on the lab's image: servicing stack, September's cumulative update, CmitUpdateAgent removed, SMB 1.0
# off. What comes out is judged by tools that share nothing with lib/servicing: libwim, hivex, reglookup, 7-Zip,
# xmllint, sha256sum.
set -euo pipefail
export LC_ALL=C.UTF-8

lab=$IB_BUILD/imglab run=$IB_BUILD/tool_servicing_run
for tool in 7zz wimverify wimupdate wimdir wimextract wimapply wiminfo hivexregedit reglookup xmllint sha256sum; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -x "$lab" ] && [ -x "$run" ] || { echo "skipped: imglab or tool_servicing_run is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
cbs='Microsoft\Windows\CurrentVersion\Component Based Servicing'
ssu=windows10.0-kb5005112-x64.msu lcu=windows10.0-kb5005568-x64.msu next=windows10.0-kb5006672-x64.msu

"$lab" base -o . && "$lab" packages -o .
7zz x -y lab-base.iso sources/install.wim >/dev/null
base=sources/install.wim

service() { # OUT: the whole case
	"$run" $base 1 trust=lab-root.pem install=$ssu install=$lcu \
		list.packages=CMIT-UpdateAgent-Package list.components=CmitUpdateAgent remove=CmitUpdateAgent \
		residue feature=SMB1Protocol:off commit verify-full notes write="$1" reopen info residue packages
}

# 1. it ends well, and the same input gives the same bytes
service one.wim > one.txt
service two.wim > two.txt
cmp one.wim two.wim || fail "two runs differ"
[ "$(grep -c '^residue 0$' one.txt)" = 2 ] || fail "something of CmitUpdateAgent is left: $(grep '^left' one.txt)"
grep -q 'info amd64 EnterpriseG .* 10.0.17763.2183 stack=10.0.17763.2170' one.txt || fail "the version did not move"
grep -q '^note generic-command ' one.txt && grep -q '^note mof ' one.txt || fail "what was not done is not named"
"$run" $base 1 trust=lab-root.pem verify-full | grep "^finding" > before.txt || true
grep '^finding' one.txt > after.txt || true
diff before.txt after.txt || fail "the verifier finds what the base did not have"

# what owner queries look for is never overlooked in the text of its manifest
"$IB_BUILD/tool_servicing_mention" one.wim 1 > mention.txt || { cat mention.txt; fail "a manifest was overlooked"; }

# 2. libwim accepts it, all other images and the XML are right
wimverify one.wim >/dev/null 2>&1 || fail "wimverify refuses the result"
wiminfo one.wim --extract-xml one.xml
[ "$(xmllint --xpath 'string(/WIM/IMAGE[@INDEX="1"]/WINDOWS/VERSION/SPBUILD)' one.xml)" = 2183 ] || fail "SPBUILD"
wimdir one.wim 2 > two.list && wimdir $base 2 | cmp - two.list || fail "another image changed"

# 3. every payload file of the update is in the store with the hash of its manifest, and its destinations are links of it
wimapply one.wim 1 out >/dev/null 2>&1
7zz x -y -omsu $lcu >/dev/null && 7zz x -y -ocab msu/Windows10.0-KB5005568-x64.cab >/dev/null
folder_of() { # macro path, architecture -> folder below the image
	local p=${1//\\//}
	p=$(sed -E 's,\$\(runtime\.system32\)/?,Windows/System32/,I; s,\$\(runtime\.drivers\)/?,Windows/System32/drivers/,I
		s,\$\(runtime\.(windows|systemroot)\)/?,Windows/,I; s,\$\(runtime\.programfiles\)/?,Program Files/,I
		s,\$\(runtime\.programdata\)/?,ProgramData/,I; s,\$\(runtime\.wbem\)/?,Windows/System32/wbem/,I
		s,\$\(runtime\.bootdrive\)/?,,I; s,\$\(runtime\.inf\)/?,Windows/INF/,I; s,\$\(runtime\.fonts\)/?,Windows/Fonts/,I' <<< "$p")
	case $2 in wow64|x86) p=${p/System32/SysWOW64} p=${p/Program Files/Program Files (x86)} ;; esac
	echo "${p%/}"
}
files=0 links=0
q() { xmllint --xpath "string($2)" "$1"; }
for m in cab/*.manifest; do
	k=$(basename "$m" .manifest)
	# for features on demand, and for Windows Setup: this image has neither
	if grep -qE 'name="(Lab-OpenTools|Lab-NetFx3|Microsoft-Windows-Setup-Component)' "$m"; then
		[ ! -e "out/Windows/WinSxS/Manifests/$k.manifest" ] || fail "a part for what is not there was installed: $k"
		continue
	fi
	cmp -s "$m" "out/Windows/WinSxS/Manifests/$k.manifest" || fail "the manifest '$k' is not stored as it came"
	n=$(xmllint --xpath 'count(/*/*[local-name()="file"])' "$m")
	for ((i = 1; i <= n; i++)); do
		f="/*/*[local-name()='file'][$i]"
		name=$(q "$m" "$f/@name") dest=$(q "$m" "$f/@destinationPath")
		want=$(q "$m" "$f/*[local-name()='hash']/*[local-name()='DigestValue']" | base64 -d | od -An -tx1 | tr -d ' \n')
		store="out/Windows/WinSxS/$k/$name"
		[ -f "$store" ] || fail "the store lacks '$k/$name'"
		[ "$(sha256sum < "$store" | cut -c1-64)" = "$want" ] || fail "'$k/$name' has another SHA-256"
		files=$((files + 1))
		case $k in *smb10*|*smbserver-v1*) continue ;; esac
		[ -n "$dest" ] || continue
		live=out/$(folder_of "$dest" "$(q "$m" "/*/*[local-name()='assemblyIdentity']/@processorArchitecture")")/$name
		[ "$live" -ef "$store" ] || fail "'$live' is not a link of '$k/$name'"
		links=$((links + 1))
	done
done
[ $files -gt 100 ] && [ $links -gt 100 ] || fail "only $files files and $links links were looked at"
descriptor() { wimdir --detailed --path='\Windows\System32\ntoskrnl.exe' "$1" 1 | grep -i 'descriptor'; }
[ -n "$(descriptor one.wim)" ] || fail "ntoskrnl.exe has no security descriptor"

# 4. the hives, as hivex and reglookup read them
hives=out/Windows/System32/config
for h in SOFTWARE SYSTEM COMPONENTS; do
	reglookup $hives/$h > $h.look 2> $h.err || fail "reglookup refuses $h"
	# it has no words for raw types and for text outside Latin-1
	sed -i '/returned: Data could not be interpreted/d' $h.err
	[ ! -s $h.err ] || fail "reglookup complains about $h: $(head -3 $h.err)"
	hivexregedit --export --unsafe-printable-strings $hives/$h '\' > $h.reg || fail "hivexregedit refuses $h"
done
value() { # HIVE KEY NAME
	awk -v key="[\\$2]" -v name="\"$3\"=" 'tolower($0) == tolower(key) { on = 1; next } /^\[/ { on = 0 }
		on && index(tolower($0), tolower(name)) == 1 { print substr($0, length(name) + 1) }' "$1.reg" | tr -d '\r'
}
export -f value
key_of() { sed 's/\\/\\\\/g' <<< "$1"; }
[ "$(value SOFTWARE "$(key_of 'Microsoft\Windows NT\CurrentVersion')" UBR)" = dword:00000887 ] || fail "UBR"
id='Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.2183.1.5'
[ "$(value SOFTWARE "$(key_of "$cbs\\Packages\\$id")" CurrentState)" = dword:00000070 ] || fail "CurrentState"
smb='Microsoft-Windows-SMB1-Package~31bf3856ad364e35~amd64~~10.0.17763.1'
[ "$(value SOFTWARE "$(key_of "$cbs\\Packages\\$smb\\Updates")" SMB1Protocol)" = dword:00000040 ] || fail "SMB1Protocol"
! grep -qi 'Services\\mrxsmb10\]' SYSTEM.reg || fail "the SMB 1.0 redirector's service is left"
[ ! -e out/Windows/System32/drivers/mrxsmb10.sys ] || fail "the SMB 1.0 redirector is left"
# component keys, manifests and S256H say the same
awk '/^\[/ { k = tolower($0); gsub(/[\]\r]/, "", k); n = split(k, p, "\\"); on = n == 4 && p[2] == "deriveddata" && p[3] == "components" }
	on && /^"S256H"=/ { sub(/^[^:]*:/, ""); gsub(/[,\r]/, ""); print $0 "  " p[4] ".manifest" }' COMPONENTS.reg | sort > keys.txt
(cd out/Windows/WinSxS/Manifests && sha256sum -- *.manifest) | sort > manifests.txt
diff keys.txt manifests.txt > differ.txt || fail "COMPONENTS and Manifests differ: $(head -4 differ.txt)"
for c in out/Windows/WinSxS/Catalogs/*.cat; do
	[ "$(sha256sum < "$c" | cut -c1-64).cat" = "$(basename "$c")" ] || fail "the catalog '$c' has another hash"
done
for mum in out/Windows/servicing/Packages/*.mum; do
	grep -qiF "Packages\\$(basename "$mum" .mum)]" SOFTWARE.reg || fail "the package '$mum' is not in the registry"
done
! grep -q 'VersionedIndex\\' COMPONENTS.reg || fail "the versioned index is stale"

# 5. nothing of the agent is left, by plain search
! find out | grep >/dev/null -i 'cmitupdate\|UpdateAgent' || fail "names of the agent are left"
for h in $hives/SOFTWARE $hives/SYSTEM $hives/COMPONENTS $hives/DEFAULT out/Users/Default/NTUSER.DAT; do
	! LC_ALL=C grep -aqiP 'c\x00m\x00i\x00t\x00u\x00p\x00d\x00a\x00t\x00e\x00a\x00g\x00e\x00n\x00t' "$h" || fail "'$h' holds the agent's name"
	! LC_ALL=C grep -aqi 'cmitupdateagent\|cmit-updateagent' "$h" || fail "'$h' holds the agent's name"
done
grep -qi '\\Run\]' SOFTWARE.reg || fail "the Run key went with the agent's value"

# 6. refusals, each with its code and reason
expect() { # CODE TEXT ARGS...
	local code=$1 text=$2 status=0
	shift 2
	"$run" "$@" > refusal.txt 2>&1 || status=$?
	[ $status = "$code" ] || fail "'$*' ends with $status instead of $code: $(tail -3 refusal.txt)"
	grep -qF -- "$text" refusal.txt || fail "'$*' does not say '$text': $(tail -3 refusal.txt)"
}
expect 8 'is in the image already' one.wim 1 trust=lab-root.pem install=$lcu
expect 8 'has the newer' one.wim 1 trust=lab-root.pem install=windows10.0-kb5001384-x64.msu
expect 6 '0x800f0823' $base 1 trust=lab-root.pem applicable=$lcu install=$lcu
expect 6 'the image has 10.0.17763.1' $base 1 trust=lab-root.pem install=refused/windows10.0-kb5005565-x64.msu
for bad in payload manifest unsigned unknown; do
	expect 4 'cause:' $base 1 trust=lab-root.pem install=$ssu install=refused/windows10.0-kb5005568-x64-$bad.msu
done
expect 3 'part of Windows' $base 1 list.packages=Microsoft-Windows-SMB1-Package remove=x
expect 3 'which is not being removed' $base 1 'list.files=Windows\System32\ntoskrnl.exe' remove=x
expect 3 'which is not being removed' $base 1 list.components=Microsoft-Windows-SMB10-MiniRdr remove=x
expect 3 "did you mean 'SMB1Protocol" $base 1 feature=SMB2:on
expect 3 'nothing in the image matches' one.wim 1 list.packages=CMIT-UpdateAgent-Package remove=CmitUpdateAgent

# 7. the next month on top, the feature back on: superseded states, winners, links hold
"$run" one.wim 1 trust=lab-root.pem install=$next feature=SMB1Protocol:on verify-full packages commit write=next.wim > next.txt
! grep "^finding" next.txt || fail "the verifier finds faults after October"
grep -q "^package $id 0x50" next.txt || fail "September is not superseded"
! grep -qi cmit next.txt || fail "the agent came back"
wimverify next.wim >/dev/null 2>&1 || fail "wimverify refuses October"
# 8. what is installed and removed again leaves the image as it was
"$run" $base 1 trust=lab-root.pem "install=$(echo Lab-OpenTools-FoD-Package*.cab)" 'list.packages=Lab-OpenTools-*' \
	remove=OpenTools residue commit write=back.wim > back.txt
grep -q '^residue 0$' back.txt || fail "something of the feature on demand is left"
wimdir $base 1 > base.list && wimdir back.wim 1 | diff base.list - || fail "the tree is not as it was"
for w in $base back.wim; do
	wimextract "$w" 1 /Windows/System32/config/SYSTEM /Windows/System32/config/SOFTWARE --dest-dir="h-${w##*/}" >/dev/null 2>&1
	for h in SYSTEM SOFTWARE; do
		hivexregedit --export "h-${w##*/}/$h" '\' 2>/dev/null | grep -v '^$' | grep -v 'PackageDetect\]' > "${w##*/}.$h"
	done
done
for h in SYSTEM SOFTWARE; do
	diff install.wim.$h back.wim.$h || fail "$h is not as it was"
done
# 9. the gate, and a verifier that sees what somebody else broke
echo '<PendingTransaction/>' > pending.xml
cp $base pending.wim && wimupdate pending.wim 1 --command='add pending.xml /Windows/WinSxS/pending.xml' >/dev/null 2>&1
expect 3 '0x800f0806' pending.wim 1 info
manifest=$(wimdir $base 1 | grep -i 'Manifests/amd64_microsoft-windows-notepad_.*manifest$' | sed -n 1p)
catalog=$(wimdir $base 1 | grep -i 'WinSxS/Catalogs/.*cat$' | sed -n 1p)
mum=$(wimdir $base 1 | grep -i 'servicing/Packages/Microsoft-Windows-SMB1-Package.*mum$' | sed -n 1p)
cp $base broken.wim
wimupdate broken.wim 1 >/dev/null 2>&1 << EOT
delete $manifest
delete $catalog
delete "$mum"
delete /Windows/System32/drivers/mrxsmb10.sys
add pending.xml /Windows/System32/kernel32.dll
add pending.xml /Windows/WinSxS/Manifests/amd64_nobody_31bf3856ad364e35_1.0.0.0_none_0000000000000000.manifest
add pending.xml "/Windows/System32/\$(runtime.system32)"
EOT
"$run" broken.wim 1 trust=lab-root.pem verify > broken.txt
for id in manifest-missing component-missing catalog-missing package-file-missing projection-missing projection-differs \
	service-binary-missing macro; do
	grep -q "^finding $id " broken.txt || fail "the verifier does not see '$id'"
done
echo "ok: $files payload files, $links links"
