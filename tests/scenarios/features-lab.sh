#!/bin/bash
# Features and capabilities of the lab's image: listed, switched with what they need, their payload taken out and put
# back; what cannot be is refused by name. October's update goes on top of each. Judged by the verifier and libwim.
. "$IB_SRC/tests/lib.sh"
need wimapply wimdir wimextract wimupdate python3
lab
run=$IB_BUILD/tool_servicing_run base=$media/sources/install.wim pk=$media/packages root=$media/lab-root.pem
[ -x "$run" ] || skip "tool_servicing_run is not built"
october=$pk/windows10.0-kb5006672-x64.msu ssu=$pk/$ssu lcu=$pk/$lcu fod=$(echo "$pk"/Lab-OpenTools-FoD-Package*.cab)
on() { # WIM STATUS TEXT OP…
	local wim=$1 status=$2 text=$3
	shift 3
	expect "$status" "$text" "$run" "$wim" 1 trust="$root" "$@"
	! grep '^finding ' said || fail "'$*': the verifier finds faults"
}
smb1='Microsoft-Windows-SMB1-Package~31bf3856ad364e35~amd64~~10.0.17763.1'

# ---- listing ----
expect 0 '' "$imgbuild" inspect "$base:1" --format=json
python3 - <<'EOF'
import json
s = json.load(open("said.out"))["images"][0]["store"]
f = {x["name"]: x for x in s["features"]}
assert [x["name"] for x in s["features"]] == ["SMB1Protocol", "SMB1Protocol-Client", "SMB1Protocol-Server"], f
c = f["SMB1Protocol-Client"]
assert c["state"] == "enabled" and c["parent"] == "SMB1Protocol" and c["language_packs"] == 1 and c["default"] == "on", c
assert c["package"].startswith("Microsoft-Windows-SMB1-Package~") and "parent" not in f["SMB1Protocol"]
assert s["capabilities"] == [] and s["serviceable"] is True
EOF

# ---- children, parents, satellites ----
on "$base" 0 'changed' feature=SMB1Protocol:off features verify-full commit write=off.wim
[ "$(grep -c '^optional .* disabled' said)" = 3 ] || fail "the children stayed on"
wimdir off.wim 1 > list
grep -qi 'WinSxS/.*/mrxsmb10.sys.mui$' list || fail "the store lost the satellite"
! grep -i 'drivers/en-US/mrxsmb10.sys.mui$' list || fail "the satellite stayed"
on off.wim 0 'note feature-parent' feature=SMB1Protocol-Client:on notes features verify-full
says 'optional SMB1Protocol enabled' 'optional SMB1Protocol-Server enabled' # on by default with its parent
on off.wim 0 'was so' feature=SMB1Protocol:off install="$ssu" install="$lcu" verify-full install="$october" verify-full \
	feature=SMB1Protocol:on verify-full commit write=on.wim
on "$base" 0 '' install="$ssu" install="$lcu" install="$october" commit write=never.wim
wimdir never.wim 1 > a && wimdir on.wim 1 | diff a - || fail "off, two updates and on again is not the same tree"

# ---- payload ----
on "$base" 0 'no-payload 1' no-payload=SMB1Protocol-Server features verify-full commit write=lean.wim
says 'optional SMB1Protocol-Server payload-removed' 'optional SMB1Protocol-Client enabled'
wimdir lean.wim 1 > list
! grep -i '/srv\.sys$' list || fail "the payload is still there"
on lean.wim 3 "the store lacks the file 'srv.sys'" feature=SMB1Protocol-Server:on
says "'$smb1' brings it"
on lean.wim 0 'no-payload 0' no-payload=SMB1Protocol-Server verify
# an update brings its own version of it; then the first one is not needed
on lean.wim 0 'optional SMB1Protocol-Server disabled' install="$ssu" install="$lcu" features feature=SMB1Protocol-Server:on verify-full
# out again, both versions, and back from the update
on lean.wim 0 'no-payload 1' install="$ssu" install="$lcu" no-payload=SMB1Protocol-Server verify-full commit write=lean9.wim
on lean9.wim 3 "the store lacks the file 'srv.sys'" feature=SMB1Protocol-Server:on
on lean9.wim 0 'payload 1' payload="$lcu" features feature=SMB1Protocol-Server:on verify-full payload="$lcu"
says 'payload 0' 'optional SMB1Protocol-Server disabled'
on lean9.wim 4 'cause:' payload="$pk/refused/windows10.0-kb5005568-x64-unknown.msu"
# as a user has it
expect 0 'its payload removed: 1 components' "$imgbuild" service "$base:1" --remove-payload SMB1Protocol-Server -o user.wim
expect 3 'srv.sys' "$imgbuild" service lean9.wim:1 --enable-feature SMB1Protocol-Server -o no.wim
expect 2 'trusted root' "$imgbuild" service lean9.wim:1 --enable-feature SMB1Protocol-Server --feature-source "$lcu" -o no.wim
[ ! -e no.wim ] || fail "an output of a refusal"
expect 0 'took 1 missing files' "$imgbuild" service lean9.wim:1 --enable-feature SMB1Protocol-Server --feature-source "$lcu" \
	--trust "$root" -o yes.wim
expect 3 "no optional feature 'SMB2'" "$imgbuild" service "$base:1" --remove-payload SMB2 -o no.wim

# ---- capabilities ----
on "$base" 0 'capability Lab.OpenTools~~~~0.0.1.0 0x70' install="$fod" features commit write=fod.wim
on fod.wim 0 'uncapable packages=3' no-capability=Lab.OpenTools verify-full features install="$ssu" install="$october" verify-full
! grep -q '^capability' said || fail "the capability is still there"
on fod.wim 0 'uncapable packages=3' no-capability=Lab.OpenTools~~~~0.0.1.0
on fod.wim 3 "no capability 'Lab.Open'" no-capability=Lab.Open
expect 0 'uninstalled Lab.OpenTools: 3 packages' "$imgbuild" service fod.wim:1 --remove-capability Lab.OpenTools -o nofod.wim

# ---- a circle ----
wimextract "$base" 1 "/Windows/servicing/Packages/$smb1.mum" --dest-dir=. > /dev/null 2>&1
python3 - "$smb1.mum" <<'EOF'
import re, sys
path = sys.argv[1]
text = open(path, newline="").read()
block = re.search(r"<applicable .*?</applicable>", text, re.S).group(0)
circle = re.sub(r'<update name="SMB1Protocol"', '<update name="SMB1Protocol-Server"', block)
start = re.search(r'<update name="SMB1Protocol" .*?</selectable>', text, re.S)
open("circle.mum", "w", newline="").write(text[:start.end()] + circle + text[start.end():])
EOF
cp "$base" circle.wim
wimupdate circle.wim 1 --command="add circle.mum '/Windows/servicing/Packages/$smb1.mum'" > /dev/null 2>&1
for f in SMB1Protocol SMB1Protocol-Server; do
	on circle.wim 3 'features need each other in a circle' feature=$f:on
	on circle.wim 3 'features need each other in a circle' feature=$f:off
done
says "'SMB1Protocol-Server' needs 'SMB1Protocol' needs 'SMB1Protocol-Server'"
echo ok
