#!/bin/bash
# imgbuild inspect: every kind of file as text and as one JSON document; and the forms of progress and log.
. "$IB_SRC/tests/lib.sh"
need python3 7zz wimextract
lab
wim=$media/sources/install.wim
7zz x -y -omsu "$media/packages/$lcu" > /dev/null
7zz x -y -ocab msu/*KB5005568*.cab > /dev/null
manifest=$(ls cab/*lab-exchange*.manifest | head -n 1)
catalog=$(ls cab/*.cat | head -n 1)
wimextract "$wim" 1 /Windows/System32/config/SOFTWARE > /dev/null 2>&1

# FILE KIND 'python expression about the document d' TEXT…
looks() {
	local file=$1 kind=$2 about=$3
	shift 3
	expect 0 "kind: $kind" "$imgbuild" inspect "$file" --trust "$media/lab-root.pem"
	says "$@"
	[ ! -s said.err ] || fail "inspect '$file' complains: $(cat said.err)"
	expect 0 '' "$imgbuild" inspect "$file" --trust "$media/lab-root.pem" --format=json
	python3 -m json.tool < said.out > /dev/null || fail "inspect '$file': no JSON"
	python3 -c "import json; d = json.load(open('said.out')); assert d['kind'] == '$kind'; assert ($about), d" ||
		fail "inspect '$file': not so: $about"
}
looks "$media/lab-base.iso" ISO "d['install.wim']['images'][0]['editionid'] == 'EnterpriseG' and len(d['boot']) == 2" \
	etfsboot.com efisys UDF
looks "$wim" WIM "[i['name'] for i in d['images']] != [] and len(d['images']) == 2 and 'store' not in d['images'][0]" EnterpriseG LZX
looks "$wim:1" WIM "len(d['images']) == 1 and d['images'][0]['store']['version'] == '10.0.17763.1' and
	any('SMB1Protocol' in p.get('features', {}) for p in d['images'][0]['store']['packages'])" \
	'servicing_stack: 10.0.17763.1' CMIT-UpdateAgent-Package SMB1Protocol
looks "$media/packages/$lcu" package "d['root']['identity']['version'] == '17763.2183.1.5' and d['trust']['verdict'] == 'good'
	and d['components'] >= 90 and d['root']['needs_servicing_stack'] == '10.0.17763.2170'" 'verdict: good' KB5005568
looks cab package "d['trust']['verdict'] == 'good'" 17763.2183.1.5
looks cab/update.mum 'package manifest' "d['mum']['identifier'] == 'KB5005568'" Package_for_RollupFix
looks "$manifest" 'component manifest' "d['manifest']['keyform'] == '$(basename "$manifest" .manifest)'
	and d['manifest']['files'][0]['sha256']" labnew.dll
looks "$catalog" catalog "d['verdict'] == 'good' and d['members'] > 0" 'Imglab Test Windows'
looks SOFTWARE 'registry hive' "'Microsoft' in d['keys'] and 'Policies' in d['keys']" Microsoft

# without anchors nothing is called good; with a stranger's it is an error
expect 0 'not judged: no --trust was given' "$imgbuild" inspect "$media/packages/$lcu"
expect 4 "$lcu" "$imgbuild" inspect "$media/packages/$lcu" --trust "$keys/unknown-root.pem"
expect 4 'kb5005568-x64-unsigned.msu' "$imgbuild" inspect "$media/packages/refused/windows10.0-kb5005568-x64-unsigned.msu" \
	--trust "$media/lab-root.pem"
expect 3 "has 2 images, there is no 3" "$imgbuild" inspect "$wim:3"
# a file whose name ends like an index is that file
cp "$wim" 'odd:1' && expect 0 'index: 2' "$imgbuild" inspect 'odd:1'

# a plan as JSON, its progress and log apart from it on stderr
expect 0 '' "$imgbuild" plan "$profile" --vars "$vars" -o x --format=json
python3 -m json.tool < said.out > /dev/null || fail "plan: no JSON"
run() { expect 0 '' "$imgbuild" build "$profile" --vars "$vars" -o made "$@"; }
for none in --progress=none --progress=auto; do
	expect 0 '' "$imgbuild" plan "$profile" --vars "$vars" -o x $none
	[ ! -s said.err ] || fail "$none prints where no terminal is: $(cat said.err)"
done
run --progress=plain
grep -q '^ *[0-9]* %  ' said.err || fail "--progress=plain prints no lines"
! grep -vE '^ *[0-9]+ %  [a-z]' said.err || fail "--progress=plain prints other lines"
! grep -q "$(printf '\033')" said.err || fail "--progress=plain prints escapes"
run --progress=json --format=json --log-format=json --log-level=debug
python3 - <<'PY' || fail "progress and result as JSON"
import json
result = json.load(open("said.out"))
assert result["windows"] == "10.0.17763.2183", result
events = [json.loads(line) for line in open("said.err")]
done = [e["fraction"] for e in events if e["event"] == "progress"]
assert done and done == sorted(done) and done[-1] == 1, done
assert all(0 <= f <= 1 for f in done)
assert sum(e.get("finished", False) for e in events) == 1
PY
expect 0 '' "$imgbuild" verify made --format=json --trust "$keys/lab-root.pem"
python3 -c "import json; d = json.load(open('said.out')); assert d['good'] and d['findings'] == [], d" || fail "verify as JSON"
echo ok
