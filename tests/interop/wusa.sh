#!/bin/bash
# An update installed by Wine's wusa and by us: files and registry values must agree wherever wusa does its job right.
# It writes 0 for every DWORD and does not redirect the registry of wow64 components: those are not compared. It knows
# neither store nor states, so what it leaves is the live system alone.
. "$IB_SRC/tests/lib.sh"
wine=/usr/lib/wine/wine64
[ -x $wine ] || skip "Wine (wine64) is not installed"
need wimapply hivexregedit python3 timeout
lab
update=$media/packages/windows10.0-kb5005990-x64.msu

export WINEPREFIX=$work/prefix WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=' WINELOADER=$wine HOME=$work
unset DISPLAY
stop_wine() { WINEPREFIX=$work/prefix /usr/bin/wineserver -k > /dev/null 2>&1 || true; }
trap 'stop_wine; rm -rf "$work"' EXIT
cp "$update" plain.msu
# run_wusa: a new prefix, and wusa in it; the server of making the prefix has ended before wusa needs one of its own
run_wusa() {
	stop_wine
	rm -rf prefix
	timeout 300 $wine wineboot -i > wineboot.log 2>&1 || { cat wineboot.log; skip "Wine cannot make a prefix here"; }
	/usr/bin/wineserver -w
	timeout 300 $wine wusa.exe plain.msu /quiet /norestart > wusa.log 2>&1
}
# on a busy machine Wine at times does not start a program that is there: that is no answer of wusa's
for try in 1 2 3; do
	! run_wusa || break
	cat wusa.log
	grep -q '^Application could not be started' wusa.log && [ $try -lt 3 ] || fail "wusa refuses the update"
	echo "Wine did not start wusa (try $try)"
done
/usr/bin/wineserver -w
[ -s prefix/system.reg ] || fail "wusa left no registry"

"$imgbuild" service "$media/sources/install.wim:1" --add-package "$update" --trust "$media/lab-root.pem" --progress=none -o new.wim > /dev/null
wimapply new.wim 1 out > /dev/null 2>&1
for h in SOFTWARE SYSTEM; do hivexregedit --export out/Windows/System32/config/$h '\' > $h.reg 2> /dev/null; done
python3 - <<'PY' || exit 1
import os, re, sys

def fail(text):
    sys.exit("FAILED: " + text)

# files: Wine's names are ours but for case
def files(root):
    found = {}
    for folder, _, names in os.walk(root):
        for n in names:
            if n.startswith(("labplain", "labwow", "labx86")):
                found[os.path.relpath(os.path.join(folder, n), root).lower()] = open(os.path.join(folder, n), "rb").read()
    return found
theirs = files("prefix/drive_c")
ours = {p: b for p, b in files("out").items() if not p.startswith("windows/winsxs/")}
if set(ours) != set(theirs):
    fail(f"files: only ours {sorted(set(ours) - set(theirs))}, only Wine's {sorted(set(theirs) - set(ours))}")
for p in ours:
    if ours[p] != theirs[p]:
        fail(f"'{p}' has other bytes")
if len(ours) != 9:
    fail(f"{len(ours)} files, not 9")

# values: both as {(key, name): (type, bytes)}
def text_bytes(s):
    return s.encode("utf-16-le") + b"\0\0"

def wine_string(s):
    out, i = [], 0
    while i < len(s):
        if s[i] == "\\" and i + 1 < len(s):
            if s[i + 1] == "x":
                m = re.match(r"[0-9a-fA-F]{1,4}", s[i + 2:])
                out.append(chr(int(m[0], 16)))
                i += 2 + len(m[0])
                continue
            out.append({"n": "\n", "t": "\t", "r": "\r", "0": "\0"}.get(s[i + 1], s[i + 1]))
            i += 2
            continue
        out.append(s[i])
        i += 1
    return "".join(out)

def wine_registry(path):
    values, key = {}, None
    text = open(path, encoding="latin-1").read().replace("\\\n  ", "")
    for line in text.split("\n"):
        m = re.match(r"\[(.*?)\] \d+", line)
        if m:
            key = wine_string(m[1]).lower()
        m = re.match(r'(@|"(?:[^"\\]|\\.)*")=(.*)$', line)
        if not m or key is None:
            continue
        name = "" if m[1] == "@" else wine_string(m[1][1:-1]).lower()
        data = m[2]
        typed = re.match(r'str\((\w+)\):"(.*)"$', data)
        hexed = re.match(r"hex(?:\((\w+)\))?:(.*)$", data)
        if typed:
            raw = wine_string(typed[2])
            kind = int(typed[1], 16)
            values[key, name] = (kind, raw.encode("utf-16-le") + b"\0\0" if kind != 7 else text_bytes(raw))
        elif hexed:
            values[key, name] = (int(hexed[1] or "3", 16), bytes.fromhex(hexed[2].replace(",", "")))
        elif data.startswith("dword:"):
            values[key, name] = (4, int(data[6:], 16).to_bytes(4, "little"))
        elif data.startswith('"'):
            values[key, name] = (1, text_bytes(wine_string(data[1:-1])))
    return values

def our_registry(path, prefix):
    values, key = {}, None
    for line in open(path, encoding="latin-1").read().replace("\r", "").replace("\\\n", "").split("\n"):
        m = re.match(r"\[\\?(.*)\]$", line)
        if m:
            key = (prefix + "\\" + m[1]).rstrip("\\").lower()
        m = re.match(r'(@|"(?:[^"\\]|\\.)*")=(.*)$', line)
        if not m or key is None:
            continue
        name = "" if m[1] == "@" else re.sub(r"\\(.)", r"\1", m[1][1:-1]).lower()
        hexed = re.match(r"hex(?:\((\w+)\))?:(.*)$", m[2])
        if hexed:
            values[key, name] = (int(hexed[1] or "3", 16), bytes.fromhex(re.sub(r"[,\s]", "", hexed[2])))
        elif m[2].startswith("dword:"):
            values[key, name] = (4, int(m[2][6:], 16).to_bytes(4, "little"))
    return values

ours = our_registry("SOFTWARE.reg", "software") | our_registry("SYSTEM.reg", "system")
ours = {(k.replace("system\\controlset001", "system\\currentcontrolset"), n): v for (k, n), v in ours.items()}
ours = {kn: v for kn, v in ours.items() if re.search(r"\\(imglab\\plain|labplain)", kn[0])}
theirs = wine_registry("prefix/system.reg")
theirs = {(k.replace("system\\controlset001", "system\\currentcontrolset"), n): v for (k, n), v in theirs.items()}
theirs = {kn: v for kn, v in theirs.items() if re.search(r"\\(imglab\\plain|labplain)", kn[0])}
if set(ours) != set(theirs):
    fail(f"values: only ours {sorted(set(ours) - set(theirs))}, only Wine's {sorted(set(theirs) - set(ours))}")
compared = 0
for kn in sorted(ours):
    if ours[kn][0] == 4:
        if ours[kn][1] != (0x42).to_bytes(4, "little"):
            fail("our DWORD")
        continue
    same = ours[kn] == theirs[kn]
    if kn[1] == "macro": # Wine spells its own folders in lower case
        same = ours[kn][0] == theirs[kn][0] and ours[kn][1].decode("utf-16-le").lower() == theirs[kn][1].decode("utf-16-le").lower()
    if not same:
        fail(f"value {kn}: ours {ours[kn]}, Wine's {theirs[kn]}")
    compared += 1
if compared < 9:
    fail(f"only {compared} values were compared")
if ("software\\wow6432node\\imglab\\plain32", "text") not in ours:
    fail("the 32-bit program's value is not redirected")
print(f"ok: 9 files and {compared} values as Wine's wusa installs them")
PY
