#!/bin/bash
# imgbuild diff: what differs between two images, feature by feature, service by service, policy by policy; as lines and
# as one JSON document. What must be said is known from how the second image was made.
. "$IB_SRC/tests/lib.sh"
need python3 wimcapture
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
