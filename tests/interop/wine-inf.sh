#!/bin/bash
# Wine's setupapi carries out the install sections of the laboratory's drivers (InstallHinfSection); so do we, in an image.
# What both must agree on is compared: files at their places, values of AddReg, what a service is. Known to differ: Wine's
# service manager writes absolute paths, an account and a time-out of its own and no dependencies.
. "$IB_SRC/tests/lib.sh"
need wine wineserver wimextract python3
[ "${IB_WINE:-yes}" = yes ] || skip "IB_WINE says so"
lab
export WINEPREFIX=$work/wine WINEDEBUG=-all DISPLAY=
at_end+=("wineserver -k")
timeout 300 wine wineboot -i > wineboot.log 2>&1 || skip "Wine does not run here"
c=$WINEPREFIX/drive_c
drivers=$media/drivers

# labnic is left out: Wine does not look into [SourceDisksNames.amd64] and asks for a disc.
while read -r name section; do
	mkdir -p "$c/$name" && cp "$drivers/$name"/* "$c/$name/"
	wine_run rundll.log wine rundll32 setupapi,InstallHinfSection "$section" 128 "C:\\$name\\$name.inf" ||
		{ cat rundll.log; fail "Wine does not install $name"; }
done <<-'END'
	labdisk Disk_Inst
	labfilter DefaultInstall
END
expect 0 'added driver labdisk.inf' "$imgbuild" service "$media/sources/install.wim:1" --add-driver "$drivers/labdisk" \
	--add-driver "$drivers/labfilter" --trust "$keys/lab-root.pem" --progress=none -o ours.wim

# ---- files ----
(cd "$c/windows" && find . -iname 'lab*' -type f ! -path './inf/*' ! -path './temp/*' -printf '%P\n' | sort) > wine.files
[ "$(grep -c . wine.files)" = 3 ] || { cat wine.files; fail "Wine copied other files than three"; }
while read -r f; do
	WIMLIB_IMAGEX_IGNORE_CASE=1 wimextract ours.wim 1 "/Windows/$f" --dest-dir=ours --preserve-dir-structure > /dev/null 2>&1 || fail "we did not copy $f"
	cmp "$c/windows/$f" "$(find ours -ipath "*/windows/$f")" || fail "$f differs"
done < wine.files

# ---- values ----
export_wine() { wine_run reg.log wine reg export "$1" "C:\\$2.reg" /y || { cat reg.log; fail "Wine has no $1"; }; cp "$c/$2.reg" .; }
export_wine 'HKLM\Software\Imglab' software
export_wine 'HKLM\System\CurrentControlSet\Control\Imglab' control
for s in labdisk labfilter; do export_wine "HKLM\\System\\CurrentControlSet\\Services\\$s" $s; done
expect 0 '' "$imgbuild" hive export ours.wim:1:SOFTWARE --key Imglab && cp said.out ours.reg
for key in Control\\Imglab Services\\labdisk Services\\labfilter; do
	expect 0 '' "$imgbuild" hive export ours.wim:1:SYSTEM --key "ControlSet001\\$key" && cat said.out >> ours.reg
done
python3 - <<'PY' || fail "Wine and we write different values"
import re, sys
def read(*names):
    keys, key = {}, None
    for name in names:
        data = open(name, "rb").read()
        text = data.decode("utf-16") if data[:2] == b"\xff\xfe" else data.decode("utf-8-sig")
        for line in re.sub(r"\\\r?\n\s*", "", text).splitlines():
            if m := re.match(r"\[(.*)\]$", line):
                key = re.sub(r"(?i)^hkey_local_machine\\system\\(currentcontrolset|controlset001)", "set", m.group(1)).lower()
                keys.setdefault(key, {})
            elif m := re.match(r'(@|"(?:[^"\\]|\\.)*")=(.*)$', line):
                keys[key][m.group(1).lower()] = m.group(2)
    return keys
wine = read("software.reg", "control.reg", "labdisk.reg", "labfilter.reg")
ours = read("ours.reg")
# hex(2): the same text, but for the case of the folder's name
def fold(value):
    m = re.match(r"hex\(2\):(.*)", value)
    return ("expand", bytes.fromhex(m.group(1).replace(",", "")).decode("utf-16").lower()) if m else value.lower()
apart = {"imagepath", "objectname", "preshutdowntimeout", "dependongroup", "dependonservice", "owners"}
compared = 0
for key in sorted(set(wine) | set(ours)):
    service = re.match(r"set\\services\\[^\\]+$", key)
    a, b = wine.get(key), ours.get(key)
    assert (a is None) == (b is None) or not (a or b), (key, a, b)
    for name in sorted(set(a or {}) | set(b or {})):
        if service and name.strip('"') in apart:
            continue
        assert a.get(name) and b.get(name), (key, name, a, b)
        assert fold(a[name]) == fold(b[name]), (key, name, a[name], b[name])
        compared += 1
print(compared, "values")
assert compared >= 20, compared
PY
echo "ok: files and values are those of Wine's setupapi"
