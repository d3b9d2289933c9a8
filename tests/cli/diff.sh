#!/bin/bash
# imgbuild diff: what differs between two images, feature by feature, service by service, policy by policy; as lines and
# as one JSON document. What must be said is known from how the second image was made.
. "$IB_SRC/tests/lib.sh"
need python3 wimcapture xmllint
lab
wim=$media/sources/install.wim
service() { "$imgbuild" service "$@" --trust "$media/lab-root.pem" --progress=none > /dev/null; }

# 1. an image and itself
expect 0 '0 differences' "$imgbuild" diff "$wim:1" "$wim:1"
expect 0 '' "$imgbuild" diff "$wim:1" "$media/lab-base.iso:1" --format=json
python3 -c "import json; d = json.load(open('said.out')); assert d['same'] and not any(d['counts'].values()), d" || fail "the same image differs"

# 2. a serviced one: removal, feature, update, registry, files
cat > values.reg <<'REG'
Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate]
"WUServer"="http://ue.example:8530"

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\RpcSs]
"Start"=dword:00000004

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa]
"LmCompatibilityLevel"=dword:00000005
"<script>alert(1)</script>"="a & <b>\"x\"</b>"
"Empty"=""
REG
echo hello > hello.txt
service "$wim:1" --add-package "$media/packages/$ssu" --add-package "$media/packages/$lcu" --remove CmitUpdateAgent \
	--disable-feature SMB1Protocol --put hello.txt=Windows/hello.txt --put hello.txt=Windows/System32/notepad.exe \
	--reg values.reg -o new.wim
expect 0 '' "$imgbuild" diff "$wim:1" new.wim:1
line() { grep -qxF -- "$1" said.out || fail "no line '$1': $(grep -F -- "${1%%:*}" said.out)"; }
line 'image      version: 10.0.17763.1 -> 10.0.17763.2183'
line 'image      servicing stack: 10.0.17763.1 -> 10.0.17763.2170'
line 'feature    SMB1Protocol: on -> off'
line 'package    CMIT-UpdateAgent-Package~31bf3856ad364e35~amd64~~10.0.17763.1: installed -> -'
line 'package    Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.2183.1.5: - -> installed'
line 'component  Microsoft-Windows-OS-Kernel (amd64, 10.0): 10.0.17763.1 -> 10.0.17763.2183'
line 'service    RpcSs Start: 2 -> 4'
line 'service    LabHealthMonitor: - -> %SystemRoot%\System32\labmon.exe'
grep -qE '^policy     HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate WUServer: .* -> http://ue.example:8530$' said.out ||
	fail "the update server"
line 'policy     HKLM\SYSTEM\CurrentControlSet\Control\Lsa LmCompatibilityLevel: - -> 5'
grep -qE '^service    CmitUpdateAgent: .* -> -$' said.out || fail "the agent's service is not missed"
grep -qE '^file       Windows\\System32\\notepad.exe content: [0-9]+ bytes, SHA-1 [0-9a-f]{40} -> 6 bytes, SHA-1 f572d396fae9206628714fb2ce00f72e94f2258f$' said.out ||
	fail "the file's content"
grep -qE '^file       Windows\\hello.txt: - -> 6 bytes' said.out || fail "the new file"
grep -qE '^file       Program Files\\CMIT: folder -> -$' said.out || fail "the agent's folder"
! grep -E '^file +Windows.(WinSxS|servicing)' said.out || fail "the store is told as files"
cp said.out forth

# 3. backwards it is the mirror, and JSON says the same
expect 0 '' "$imgbuild" diff new.wim:1 "$wim:1"
python3 - <<'PY' || fail "backwards it is not the mirror"
import re
def lines(name):
    return {tuple(re.match(r"(\S+ +.*): (.*) -> (.*)$", l).groups()) for l in open(name) if " -> " in l}
a, b = lines("forth"), lines("said.out")
assert a == {(n, y, x) for n, x, y in b}, sorted(a ^ {(n, y, x) for n, x, y in b})[:4]
PY
expect 0 '' "$imgbuild" diff "$wim:1" new.wim:1 --format=json
python3 - <<'PY' || fail "JSON"
import json
d = json.load(open("said.out"))
n = sum(1 for l in open("forth") if " -> " in l)
assert sum(d["counts"].values()) == n == sum(len(v) for v in d["differences"].values()), (d["counts"], n)
assert not d["same"] and d["b"]["version"] == "10.0.17763.2183" and d["a"]["edition"] == "EnterpriseG"
assert {"name": "RpcSs", "field": "Start", "a": "2", "b": "4"} in d["differences"]["service"]
assert set(d["counts"]) == {"image", "package", "feature", "component", "service", "policy", "file"}
PY

# As a page: what JSON says, in both languages, told by xmllint's HTML reader; nothing from outside, nothing that runs.
mv said.out want.json
for language in en zh-CN; do
	expect 0 ' differences' "$imgbuild" diff "$wim:1" new.wim:1 --html page.$language.html --language $language
	xmllint --html --noout page.$language.html 2> complaints || fail "xmllint refuses the page ($language)"
	[ ! -s complaints ] || { cat complaints; fail "xmllint complains about the page ($language)"; }
	xmllint --html --xmlout page.$language.html > page.xml 2> /dev/null
	python3 - page.xml want.json $language <<'PY' || fail "the page ($language) is not what JSON says"
import json, re, sys
import xml.etree.ElementTree as ET
root, want, language = ET.parse(sys.argv[1]).getroot(), json.load(open(sys.argv[2])), sys.argv[3]
text = lambda e: "".join(e.itertext())
def shown(cell):  # without the label of a narrow screen
    return "".join(text(c) if c.get("class") != "label" else "" for c in cell) or text(cell)
assert root.get("lang") == language
for e in root.iter():
    assert e.tag not in ("script", "link", "img", "iframe", "object", "base", "form"), e.tag
    for name, value in e.attrib.items():
        assert not name.startswith("on") and name != "src" and (name != "href" or value.startswith("#")), (e.tag, name, value)
ids = [e.get("id") for e in root.iter() if e.get("id")]
assert len(ids) == len(set(ids))
for a in root.iter("a"):
    assert a.get("href")[1:] in ids, a.get("href")
tables = {t.get("aria-labelledby"): t for t in root.iter("table")}
assert all(t.get("scope") for t in root.iter("th"))
for kind, items in want["differences"].items():
    rows = tables["kind-" + kind].find("tbody").findall("tr")
    assert len(rows) == len(items), (kind, len(rows), len(items))
    for row, item in zip(rows, items):
        cells = row.findall("td")
        if kind != "image":
            assert text(row.find("th")).strip() == item["name"], (kind, item)
        if kind in ("service", "policy"):
            field = text(cells[0]) if len(cells) == 3 else ""
            assert field == item.get("field", ""), (field, item)
            for cell, side in zip(cells[-2:], "ab"):
                said = [text(s) for s in cell if s.get("class") == "m"]
                assert said == ([item[side]] if item[side] else []), (said, item)
        if kind == "file" and item.get("field") == "content":
            assert re.search(r"[0-9a-f]{40}$", item["a"]).group(0) in text(cells[-2]), item
total = tables["overview"].find("tbody").findall("tr")[-1].findall("td")
assert int(text(total[0])) == sum(want["counts"].values())
assert sum(int(text(t)) for t in total[1:]) == sum(want["counts"].values())
style = text(root.find("head/style"))
assert "url(" not in style and "@import" not in style
PY
done
grep -q '<script>' page.*.html && fail "a value of the registry became an element"
expect 0 '' "$imgbuild" diff "$wim:1" new.wim:1 --html again.html
cmp again.html page.en.html || fail "another page the second time"
expect 0 '0 differences' "$imgbuild" diff "$wim:1" "$wim:1" --html same.html
grep -q 'The two images do not differ.' same.html || fail "it does not say that nothing differs"
cp new.wim kept.wim
expect 2 'is one of the images' "$imgbuild" diff "$wim:1" new.wim:1 --html new.wim
cmp new.wim kept.wim || fail "the page was written over an image"
rm kept.wim
expect 2 'takes en or zh-CN' "$imgbuild" diff "$wim:1" new.wim:1 --html x.html --language fr
expect 2 "for the page of '--html FILE'" "$imgbuild" diff "$wim:1" new.wim:1 --language en
expect 5 'no/such/folder' "$imgbuild" diff "$wim:1" new.wim:1 --html no/such/folder/x.html
[ ! -e x.html ] && [ ! -s said.out ] || fail "something came of a refusal"

# 4. rights and attributes: only the descriptor of a file differs
"$imgbuild" service "$wim:1" --put hello.txt=Windows/hello.txt --progress=none -o a.wim > /dev/null
"$imgbuild" service "$wim:1" --put hello.txt=hello.txt --progress=none -o b.wim > /dev/null
expect 0 '' "$imgbuild" diff a.wim:1 b.wim:1
[ "$(grep -c ' -> ' said.out)" = 2 ] || { cat said.out; fail "other differences than one file's place"; }

# 5. editions of one WIM; what is no Windows image
expect 0 'image      edition: EnterpriseG -> Enterprise' "$imgbuild" diff "$wim:1" "$wim:2"
expect 2 'holds 2 images' "$imgbuild" diff "$wim" "$wim:1"
expect 3 'has no image 7' "$imgbuild" diff "$wim:1" "$wim:7"
wimcapture "$IB_SRC/ci" plain.wim > /dev/null 2>&1
expect 3 'is not a Windows image' "$imgbuild" diff "$wim:1" plain.wim
expect 3 'hello.txt' "$imgbuild" diff hello.txt "$wim:1"
echo ok
