#!/usr/bin/env bash
# What the pages show is what happens: the guide's refusals are provoked in the laboratory and their words looked up
# in the guide; the documents a build writes hold no member that docs/json.md does not describe.
. "$IB_SRC/tests/lib.sh"
need python3 openssl
lab
guide=$IB_SRC/docs/guide.md

# shown STATUS TEXT COMMAND…: the command says so, and the guide says that it does
shown() {
	expect "$1" "$2" "${@:3}"
	grep -qF -- "$2" "$guide" || fail "docs/guide.md does not show: $2"
}

# edit SED-SCRIPT: the laboratory's profile, changed, as ./p.ini
edit() {
	sed "s|^extends .*|extends = $IB_SRC/profiles/cmge-v2020-l.ini|
	     s|^policy .*|policy = $IB_SRC/manifests/policy/lab.ini|
	     $1" "$profile" > p.ini
}
plan() { "$imgbuild" plan p.ini --vars "$vars" -o "$work/made/x" "$@"; }
# from FILE…: [updates] search is a folder with these files
from() {
	rm -rf found && mkdir found && cp "$@" found/
	edit "s|^search .*|search = $work/found|"
}

# ---- plan: the table of section 2 ----
flawed=$media/packages/refused/windows10.0-kb5005568-x64
edit 's|^date .*|datum = 2021-09-27|'
shown 3 "key 'datum' is not known in section '[profile]'" plan
edit ''
shown 4 "has SHA-256" plan --set base-sha256="$(printf '0%.0s' {1..64})"
edit 's|^edition .*|edition = Core|'
shown 3 "it holds: 1 EnterpriseG 'CMGE V2020-L'" plan
from "$media/packages/$ssu" "$flawed-unsigned.msu"
shown 4 "is unsigned: its catalog 'update.cat' is missing" plan
from "$media/packages/$ssu" "$flawed-unknown.msu"
shown 4 "is not known: no trust anchor is above it" plan
from "$media/packages/$ssu" "$flawed-manifest.msu"
shown 4 "is a member of none of the package's 9 catalogs" plan
from "$media/packages/$ssu" "$flawed-payload.msu"
shown 4 "its manifest says" plan
from "$media/packages/$lcu"
shown 6 "needs servicing stack 10.0.17763.2170 or later, the image has 10.0.17763.1 (DISM: 0x800f0823)" plan
from "$media/packages/$ssu"
shown 3 "KB5005568 is required, but no package that was found brings it" plan
edit "s|^search .*|cumulative = $media/packages/refused/windows10.0-kb5005565-x64.msu|; /^require/d"
shown 6 "(DISM: 0x800f081e)" plan
edit 's|^components .*|components = Nothing|'
shown 3 "there is no removal manifest 'Nothing.ini'" plan
edit 's|^url .*|url = sftp://ICBC:secret@ocean.example/upload|'
shown 3 "'url' holds a password" plan
edit 's|^url .*|url = sftp://ICBC@ocean.example/upload\npassword = hunter2|'
shown 3 "'password' holds a secret itself; a profile only holds references" plan
edit 's|^\[rollout\]|[report]\nformats = docx\n[rollout]|'
shown 3 "papers in format 'docx' are not made by this version" plan
edit "s|^search .*|search = $media/packages|; /^require/d"
shown 0 "not installed: KB5001384: a newer one of the same package is installed" plan
expect 3 "variable 'media' is not set" "$imgbuild" profile check "$profile"
edit 's|^disable .*|disable = SMB1Protocoll|'
shown 3 "the image has no optional feature 'SMB1Protocoll'" plan
mkdir manifests
edit "s|^components .*|components = CmitUpdateAgent\nmanifests = $work/manifests|"
sed 's|^files .*|files = Windows\\System32\\ntoskrnl.exe, Program Files\\CMIT,|' \
	"$IB_SRC/manifests/components/CmitUpdateAgent.ini" > manifests/CmitUpdateAgent.ini
shown 3 "which is not being removed" plan
edit "s|^components .*|components = Nada\nmanifests = $work/manifests|"
printf '[component]\nname = Nada\n[remove]\ncomponents = Nada\n' > manifests/Nada.ini
shown 3 "nothing in the image matches 'Nada'" plan
edit 's|^upgrade-from .*|upgrade-from = V0-X|'
shown 3 "product release 'V0-X' has no manifest" plan
edit 's|^label .*|label = a/b|'
shown 3 "'label' cannot be 'a/b'" plan
edit ''
shown 0 "[metadata] catalog: there is no such folder; the image supersedes no other, as the first of its stream" plan
mkdir theirs && touch theirs/file
edit ''
shown 3 "is no build folder, and a build would replace all that it holds" "$imgbuild" plan p.ini --vars "$vars" -o theirs
[ ! -e made ] || fail "plan wrote something"

# ---- a folder, its approvals, its publication ----
edit "s|^url .*|url = file://$work/there|"
shown 7 "the folder is complete, but not published: not approved yet by: technical, security, customer" \
	"$imgbuild" build p.ini --vars "$vars" -o "$work/made/x" --progress=none --publish
no_leftovers made
for f in CMGE_V2020L_9B.iso SHA256SUMS SHA256SUMS.p7s SM3SUMS metadata/export.cab metadata/offers.json \
	 evidence/plan.json evidence/verify.json build.json records/job.json; do
	[ -f "made/x/$f" ] || fail "the folder holds no $f"
	grep -qF "${f##*/}" "$guide" || [ "$f" = CMGE_V2020L_9B.iso ] || fail "docs/guide.md does not name $f"
done
approve() { # ROLE DECISION SIGNER
	expect 0 "recorded" "$imgbuild" approve made/x --role "$1" --decision "$2" --number LAB-1 --opinion accepted \
		--certificate "$keys/$3.pem" --key "$keys/$3.key"
}
for role in technical security customer; do approve $role approve $role; done
approve security reject security
shown 7 "not approved yet by: security" "$imgbuild" publish made/x
approve security approve technical
shown 4 "the signer, 'CN=technical,O=imgbuild lab', is not known: no trust anchor is above it" "$imgbuild" publish made/x
approve security approve security
expect 0 '"published"' "$imgbuild" publish made/x --format=json
expect 0 '"good"' "$imgbuild" profile check p.ini --vars "$vars" --format=json
expect 2 "has no JSON form" "$imgbuild" profile keys --format=json
expect 2 "has no JSON form" "$imgbuild" manual man --format=json
expect 0 '"name" : "f!a.dll"' "$imgbuild" keyform --form value --name a.dll --format=json
expect 0 "good" "$imgbuild" check-delivery "file://$work/there" --trust "$keys/lab-root.pem" --format=json
cp said.out check.json
echo >> made/x/papers/delivery-note.en.html
shown 4 "is not the file that was listed: its SHA-256 differs" "$imgbuild" publish made/x

# ---- members ----
"$imgbuild" plan p.ini --vars "$vars" -o "$work/made/x" --format=json > plan.json
iso=made/x/CMGE_V2020L_9B.iso
"$imgbuild" inspect $iso:1 --format=json > inspect-iso.json
"$imgbuild" inspect "$media/sources/install.wim" --format=json > inspect-wim.json
"$imgbuild" inspect "$media/packages/$lcu" --trust "$media/lab-root.pem" --format=json > inspect-package.json
cab=Windows10.0-KB5005112-x64.cab
7zz e -y "$media/packages/$ssu" "$cab" > /dev/null && 7zz e -y "$cab" update.mum update.cat '*.manifest' > /dev/null
"$imgbuild" inspect update.mum --format=json > inspect-mum.json
"$imgbuild" inspect update.cat --trust "$media/lab-root.pem" --format=json > inspect-cat.json
"$imgbuild" inspect "$(find . -maxdepth 1 -name '*servicingstack*.manifest')" --format=json > inspect-manifest.json
python3 - "$IB_SRC/docs/json.md" plan.json check.json inspect-*.json made/x/build.json made/x/evidence/verify.json \
	made/x/records/*.json made/x/metadata/offers.json <<'PY'
import json, re, sys
page = open(sys.argv[1], encoding="utf-8").read()
known = set(re.findall(r"`([^`\s]+)`", page))
bad = set()
def walk(node, path):
    if isinstance(node, list):
        for n in node:
            walk(n, path)
    elif isinstance(node, dict):
        for k, v in node.items():
            # names that come from the data, not from the program
            free = path[-1:] == ["features"] or path[-1:] == ["facts"] or re.match(r"(in memory|as written): ", k)
            if not free and k not in known:
                bad.add(f"{'.'.join(path + [k])}")
            walk(v, path + [k])
for name in sys.argv[2:]:
    walk(json.load(open(name, encoding="utf-8")), [name.rsplit("/", 1)[-1]])
for b in sorted(bad):
    print("FAILED: docs/json.md does not describe", b, file=sys.stderr)
sys.exit(1 if bad else 0)
PY
echo "the guide shows what happens, the JSON page describes what is written"
