#!/bin/bash
# One stream from the standard V2020-L to V2022-L, judged by others: xmllint for the documents, cabextract and
# 7zz for the export, a script that counts by itself for metadata.txt, and another one for the offers; all of it twice.
set -euo pipefail
export LC_ALL=C.UTF-8

generate=$IB_BUILD/tool_metadata_generate
xsd=$IB_SRC/manifests/xsd
for tool in xmllint cabextract 7zz python3; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -x "$generate" ] || { echo "skipped: tool_metadata_generate is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }

# image RUN NAME key=value…: generates into RUN/NAME, then the documents join the catalog RUN/catalog
image() {
	local run=$1 name=$2
	shift 2
	"$generate" "$run/$name" "$run/catalog" "$xsd" "$IB_SRC/manifests/products" "$@" >"$run/$name.txt" ||
		fail "$name was refused"
	cp "$run/$name"/*.xml "$run/catalog/"
}

stream() {
	mkdir -p "$1/catalog"
	image "$1" std20 "name=CMGE V2020-L" stream=std-l version=2020.1.1903.21 from=V0-G,V0-H file=CMGE_V2020-L.iso
	image "$1" icbc4c "name=ICBC V2020-L 4C" customer=ICBC stream=icbc-l version=2020.1.2104.31 from=V0-H \
		"description=工商银行 V2020-L 四月预览 𝟜C" url=http://ue.example:8530/Content file=ICBC_4C.iso
	image "$1" icbc9b "name=ICBC V2020-L 9B" customer=ICBC stream=icbc-l version=2020.1.2109.21 from=V0-H \
		"description=September 2021 & more <9B>" url=http://ue.example:8530/Content file=ICBC_9B.iso
	image "$1" std22 "name=CMGE V2022-L" stream=std-l version=2022.1.2201.21 product=V2022-L build=19044 \
		from=V2020-L,V0-H file=CMGE_V2022-L.iso
}

# value FILE WORD
value() { sed -n "s/^$2 //p" "$1"; }

check_schema() {
	for f in a/*/*.xml; do
		xmllint --nonet --noout --schema "$xsd/driver.xsd" "$f" 2>err || { cat err; fail "$f"; }
	done
	for f in "$IB_SRC"/tests/data/xsd-negative/*.xml; do
		local want=bad got=bad
		case $(basename "$f") in ok_*) want=ok ;; esac
		xmllint --nonet --noout --schema "$xsd/driver.xsd" "$f" 2>/dev/null && got=ok
		[ $got = $want ] || fail "xmllint finds $(basename "$f") $got"
	done
}

check_counts() {
	for name in std20 icbc4c icbc9b std22; do
		[ "$(value a/$name.txt offers_two)" = 0 ] || fail "$name: two offers"
		[ "$(value a/$name.txt loops)" = 0 ] || fail "$name: loops"
		[ "$(value a/$name.txt scans)" -gt 100 ] || fail "$name: hardly any scans"
	done
	[ "$(grep -c ^supersedes a/icbc9b.txt)" = 2 ] || fail "9B supersedes the standard image and 4C"
	[ "$(grep -c ^supersedes a/std22.txt)" = 3 ] || fail "V2022-L supersedes all three"
	! grep '^warning' a/*.txt || fail "unexpected warning"
}

# One revision of each update, in files and export alike.
check_export() {
	for name in std20 icbc4c icbc9b std22; do
		7zz t "a/$name/export.cab" >/dev/null || fail "7zz: $name"
		cabextract -q -d "x/$name" "a/$name/export.cab" || fail "cabextract: $name"
		7zz x -y -o"y/$name" "a/$name/export.cab" >/dev/null
		diff -r "x/$name" "y/$name" || fail "cabextract and 7zz differ"
		xmllint --noout "x/$name/package.xml" || fail "package.xml of $name"
	done
	python3 - <<'PYTHON' || fail "metadata.txt"
import base64, glob, hashlib, re, sys
import xml.etree.ElementTree as ET
U = '{http://schemas.microsoft.com/msus/2002/12/Update}'
for name in ('std20', 'icbc4c', 'icbc9b', 'std22'):
    raw = open(f'x/{name}/metadata.txt', 'rb').read()
    assert raw[:3] != b'\xef\xbb\xbf'
    units = raw.decode('utf-8').encode('utf-16-le')   # lengths count UTF-16 units
    at, seen, order, wide = 0, {}, [], False
    while at < len(units):
        head = units[at:at + 2 * 55].decode('utf-16-le')
        guid, revision, length = re.fullmatch(r'([0-9a-f-]{36}),([0-9a-f]{8}),([0-9a-f]{8}),', head).groups()
        at += 2 * 55
        text = units[at:at + 2 * int(length, 16)].decode('utf-16-le')
        wide |= len(text.encode()) != int(length, 16)
        at += 2 * int(length, 16)
        assert units[at:at + 4].decode('utf-16-le') == '\r\n', (name, guid)
        at += 4
        doc = ET.fromstring(text)
        identity = doc.find(U + 'UpdateIdentity')
        assert identity.get('UpdateID') == guid and int(identity.get('RevisionNumber')) == int(revision, 16)
        needs = [n.get('UpdateID') for part in ('Prerequisites', 'BundledUpdates')
                 for n in doc.findall(f'{U}Relationships/{U}{part}//{U}UpdateIdentity')]
        assert all(n in seen for n in needs), (name, guid, 'needs something that stands behind it')
        seen[guid] = text
        order.append((guid, int(revision, 16)))
        files = glob.glob(f'a/catalog/{guid}_{int(revision, 16)}.xml')
        assert len(files) == 1 and open(files[0], encoding='utf-8', newline='').read() == text
    assert wide == (name != 'std20'), 'the description with other letters is in the export'
    package = open(f'x/{name}/package.xml', 'rb').read()
    assert package[:3] == b'\xef\xbb\xbf' and b'\n' not in package
    root = ET.fromstring(package)
    assert [(u.get('UpdateId'), int(u.get('RevisionNumber'))) for u in root.find('Updates')] == order
    for f in root.find('Files'):
        sha1 = base64.b64decode(f.get('Digest'))
        assert len(sha1) == 20
        hex1 = sha1.hex().upper()
        if name.startswith('icbc'):
            assert f.get('MUUrl') == f'http://ue.example:8530/Content/{hex1[-2:]}/{hex1}.iso'
PYTHON
}

check_proof() {
	python3 - <<'PYTHON' || fail "offers.json"
import json
d = json.load(open('a/icbc9b/offers.json'))
group, = d['groups']
assert group['customer'] == 'ICBC' and group['proof']['all_subsets']
c = {x['client']: x for x in group['clients']}
assert c['V0-H without vendor values']['offered_native'] == ['ICBC V2020-L 9B']
assert c['V0-H without vendor values']['installs'] == ['ICBC V2020-L 9B']
assert c['V2020-L without vendor values']['offered_native'] == []
assert 'asked for' in c['V2020-L without vendor values']['images'][0]['why_not']
d = json.load(open('a/std22/offers.json'))
c = {x['client']: x for x in d['groups'][0]['clients']}
icbc, = [x for n, x in c.items() if 'ICBC V2020-L 9B' in n]
assert icbc['offered_native'] == [], 'a customised machine stays on its own line'
assert 'CustomerId' in icbc['images'][0]['why_not']
assert c['V2020-L without vendor values']['offered_native'] == ['CMGE V2022-L']
for name in ('std20', 'icbc4c', 'icbc9b', 'std22'):
    for g in json.load(open(f'a/{name}/offers.json'))['groups']:
        for x in g['clients']:
            assert len(x['offered_native']) <= 1 and len(x['offered_optimistic']) <= 1
            assert all(i['offered'] or i['why_not'] for i in x['images'])
PYTHON
}

# The offers once more, by a second evaluator that reads nothing but the documents and the clients' facts.
check_offers() {
	python3 - <<'PYTHON' || fail "the second evaluator finds other offers"
import glob, json, operator
import xml.etree.ElementTree as ET
U = '{http://schemas.microsoft.com/msus/2002/12/Update}'
OPS = {'LessThan': operator.lt, 'LessThanOrEqualTo': operator.le, 'EqualTo': operator.eq,
       'GreaterThanOrEqualTo': operator.ge, 'GreaterThan': operator.gt}
ARCH = {'0': 'x86', '9': 'amd64', '12': 'arm64'}
def rule(n, facts):
    tag = n.tag.split('}')[1]
    kids = [rule(k, facts) for k in n]
    op = OPS.get(n.get('Comparison', 'EqualTo'))
    if tag == 'And': return all(kids)
    if tag == 'Or': return any(kids)
    if tag == 'Not': return not kids[0]
    if tag == 'True': return True
    if tag == 'Processor': return ARCH[n.get('Architecture')] == facts['arch']
    if tag == 'WindowsVersion':
        ok = True
        if n.get('MajorVersion'): ok = op((10, 0), (int(n.get('MajorVersion')), int(n.get('MinorVersion'))))
        if n.get('BuildNumber'): ok = ok and op(facts['windows_build'], int(n.get('BuildNumber')))
        if n.get('ProductType'): ok = ok and n.get('ProductType') == {'workstation': '1', 'server': '3'}[facts['product_type']]
        return ok
    have = facts.get(n.get('Subkey') + '!' + n.get('Value'))
    if have is None: return False
    if tag == 'RegValueExists': return True
    if tag == 'RegSz': return have == n.get('Data')
    if tag == 'RegSzToVersion': return op([int(x) for x in have.split('.')], [int(x) for x in n.get('Data').split('.')])
    raise SystemExit('rule ' + tag)
compared = 0
for name, held in (('std20', 1), ('icbc4c', 2), ('icbc9b', 3), ('std22', 4)):
    proof = json.load(open(f'a/{name}/offers.json'))
    docs = {}
    for image in proof['images']:
        parent = ET.parse(f"a/catalog/{image['update']}_{image['revision']}.xml").getroot()
        ref = parent.find(f'{U}Relationships/{U}BundledUpdates//{U}UpdateIdentity')
        child = ET.parse(f"a/catalog/{ref.get('UpdateID')}_{ref.get('RevisionNumber')}.xml").getroot()
        below = [x.get('UpdateID') for x in parent.findall(f'{U}Relationships/{U}SupersededUpdates/{U}UpdateIdentity')]
        docs[parent.find(f'.//{U}Title').text] = (image['update'], below, child)
    assert len(docs) == held
    for client in proof['groups'][0]['clients']:
        def holds(child, which):
            return rule(child.find(f'{U}ApplicabilityRules/{U}{which}')[0], client['facts'])
        needed = {t: d for t, d in docs.items() if not holds(d[2], 'IsInstalled') and holds(d[2], 'IsInstallable')}
        hidden = {i for d in needed.values() for i in d[1]}
        want = sorted(t for t, d in needed.items() if d[0] not in hidden)
        assert want == sorted(client['offered_native']), (name, client['client'], want)
        compared += 1
assert compared > 60
PYTHON
}

# The same image once more is refused, with the status of a bad input, and writes nothing.
check_refusal() {
	local got=0
	"$generate" again a/catalog "$xsd" "$IB_SRC/manifests/products" name=x customer=ICBC stream=icbc-l \
		version=2020.1.2109.21 from=V0-H >/dev/null 2>err || got=$?
	[ $got = 3 ] || fail "status $got"
	grep -q "is not above 2020.1.2109.21" err || { cat err; fail "the reason"; }
	[ -z "$(ls again)" ] || fail "something was written"
}

stream a
stream b
diff -r a b || fail "two runs differ"
check_schema
check_counts
check_export
check_proof
check_offers
check_refusal
echo "metadata: documents, export and proof hold"
