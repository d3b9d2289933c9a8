#!/bin/bash
# After an in-place upgrade: Setup carries HKLM\SOFTWARE of the old system over, the old update agent's values and the
# old address included. The image's own step puts its values back and takes out what came along. Its registry part runs
# here with Wine's reg.exe against a migrated hive, and its result is compared, value by value, with what the image has.
. "$IB_SRC/tests/lib.sh"
need wimextract hivexregedit hivexsh python3
lab
expect 0 '' build -o out
7zz x -y -tUdf out/*.iso sources/install.wim > /dev/null
wimextract sources/install.wim 1 /Windows/Setup/Scripts/SetupComplete.cmd /Windows/System32/config/SOFTWARE --dest-dir=new > /dev/null 2>&1
wimextract "$media/sources/install.wim" 1 /Windows/System32/config/SOFTWARE --dest-dir=old > /dev/null 2>&1
step=new/SetupComplete.cmd

# what is listed is what is there
python3 - out/build.json "$step" <<'EOF'
import json, sys
listed = json.load(open(sys.argv[1]))["after_upgrade"]
lines = [l for l in open(sys.argv[2], encoding="utf-8", newline="").read().split("\r\n") if l]
own = [l for l in lines if l.split(" ")[0] in ("reg", "sc", "schtasks", "if")]
assert own and len(listed) == len(own), (len(listed), len(own), listed)
EOF

# The migrated hive: the new image's, with all that the old system's agent and its policies had.
cp new/SOFTWARE migrated
hivexregedit --export old/SOFTWARE '\' > old.reg
python3 - old.reg > carry.reg <<'EOF'
import re, sys
names = ("cmitupdateagent", "cmit\\\\updateagent", "\\\\cmit", "cmit.updateagent", "6b0f5f0e", "policies\\\\microsoft\\\\windows\\\\windowsupdate",
         "currentversion\\\\run]")
print("Windows Registry Editor Version 5.00\n")
for block in re.split(r"\n(?=\[)", open(sys.argv[1]).read()):
    head = block.split("\n")[0].lower().replace("\\\\", "\\").replace("\\", "\\\\")
    if block.startswith("[") and any(n in head for n in names) and not any(n in head for n in ("component based", "sidebyside", "taskcache")):
        print(block)
EOF
hivexregedit --merge migrated carry.reg
hivexregedit --export migrated '\' > before.reg
grep -qi 'Run\]' before.reg && grep -qi '"CmitUpdateAgent"=' before.reg || fail "nothing was migrated"
grep -qi 'CLSID.{6b0f5f0e' before.reg || fail "no class was migrated"

# What the step's reg commands do, line by line, by a reader of our own; hivexregedit carries it out.
python3 - "$step" > step.reg <<'EOF'
import re, sys
print("Windows Registry Editor Version 5.00\n")
for line in open(sys.argv[1], encoding="utf-8", newline="").read().split("\r\n"):
    m = re.match(r'reg (add|delete) "HKLM\\SOFTWARE\\([^"]*)"(.*)$', line)
    if not m:
        continue
    verb, key, rest = m.groups()
    value = re.search(r'/v (?:"([^"]*)"|(\S+))', rest)
    name = value and (value.group(1) or value.group(2))
    if verb == "delete":
        print("[-\\%s]\n" % key if not name else "[\\%s]\n\"%s\"=-\n" % (key, name))
        continue
    data = re.search(r'/t (\S+) /d "([^"]*)"', rest)
    text = data.group(2).replace("%%", "%")
    if data.group(1) == "REG_DWORD":
        print('[\\%s]\n"%s"=dword:%08x\n' % (key, name, int(text)))
    else:
        print('[\\%s]\n"%s"="%s"\n' % (key, name, text.replace("\\", "\\\\")))
EOF
grep -q '^\[-' step.reg && grep -q '=-' step.reg || fail "the step deletes nothing"
python3 - migrated step.reg <<'EOF'
# hivexregedit knows no deletion: hivexsh does that part.
import re, subprocess, sys
hive, reg = sys.argv[1:]
merge, commands = "Windows Registry Editor Version 5.00\n\n", []
for block in re.split(r"\n(?=\[)", open(reg).read())[1:]:
    head = block.split("\n")[0]
    key = re.match(r"\[-?\\(.*)\]", head).group(1)
    if head.startswith("[-"):
        commands.append(("key", key))
    elif "=-" in block:
        commands.append(("value", key, re.search(r'"(.*)"=-', block).group(1)))
    else:
        merge += block + "\n"
open("merge.reg", "w").write(merge)
def sh(text):
    return subprocess.run(["hivexsh", "-w", hive], input=text, capture_output=True, text=True)
for c in commands:
    if c[0] == "key":
        sh("cd \\%s\ndel\ncommit\n" % c[1])  # a key that is not there is no error of the step either
    else:
        got = subprocess.run(["hivexregedit", "--export", "--unsafe-printable-strings", hive, "\\" + c[1]], capture_output=True, text=True)
        if got.returncode:
            continue
        top = got.stdout.split("\n\n")[1] if "\n\n" in got.stdout else got.stdout
        rows = re.sub(r",\\\n\s*", ",", top).split("\n")[1:]
        keep = [r for r in rows if "=" in r and not r.lower().startswith('"%s"=' % c[2].lower())]
        # setval replaces all values of a key
        sh("cd \\%s\nsetval 0\ncommit\n" % c[1])
        open("keep.reg", "w").write("Windows Registry Editor Version 5.00\n\n[\\%s]\n%s\n" % (c[1], "\n".join(keep)))
        subprocess.run(["hivexregedit", "--merge", hive, "keep.reg"], check=True)
EOF
hivexregedit --merge migrated merge.reg
hivexregedit --export migrated '\' > after.reg

# nothing of the agent is left, the image's own values stand
! grep -i 'cmitupdateagent\|cmit.updateagent\|CMIT\\UpdateAgent\|6b0f5f0e' after.reg | grep -vi 'removal' || fail "the migrated agent is still there"
values() { hivexregedit --export "$1" "$2" 2> /dev/null | grep '=' | sort; }
for key in '\CMGE\Image' '\Policies\Microsoft\Windows\WindowsUpdate' '\Policies\Microsoft\Windows\WindowsUpdate\AU'; do
	values new/SOFTWARE "$key" > want && values migrated "$key" > have
	diff want have || fail "'$key' is not as the image has it"
done
! grep -q '127\.0\.0\.1' have want || fail "the old address stands"
[ -s want ] || fail "the image has no policy of its own"

# Wine's reg.exe runs every line of it, on a registry into which the same has been migrated
if command -v wine > /dev/null && [ "${IB_WINE:-yes}" = yes ]; then
	export WINEPREFIX=$work/wine WINEDEBUG=-all DISPLAY=
	at_end+=("wineserver -k || true")
	if timeout 300 wine reg add 'HKLM\SOFTWARE\Probe' /v A /t REG_SZ /d b /f > /dev/null 2>&1; then
		gone=('Microsoft\Windows\CurrentVersion\Run /v CmitUpdateAgent' 'Microsoft\Windows\CurrentVersion\Uninstall\CmitUpdateAgent'
			'CMIT\UpdateAgent' 'Classes\CLSID\{6b0f5f0e-1c1d-4e52-9a0e-2f1c7a5d4c10}')
		in_wine() { wine_run query.out wine reg query "HKLM\\SOFTWARE\\${1%% /v *}" ${1#"${1%% /v *}"}; }
		sed 's/^\[\\/[HKEY_LOCAL_MACHINE\\SOFTWARE\\/' carry.reg > migrated.reg
		wine_run import.out wine reg import migrated.reg || { cat import.out; fail "Wine does not import what was migrated"; }
		for key in "${gone[@]}"; do in_wine "$key" || { cat query.out; fail "Wine has no '$key' before"; }; done
		grep '^reg ' "$step" | sed 's/\r$//' > only.cmd
		{ printf '@echo off\r\n'; sed 's/$/ || echo FAILED %errorlevel%/' only.cmd | sed 's/$/\r/'; } > run.cmd
		timeout 300 wine cmd /c run.cmd > wine.out 2>&1 || true
		for key in "${gone[@]}"; do ! in_wine "$key" || { cat query.out; fail "Wine has '$key' after the step"; }; done
		timeout 60 wine reg query 'HKLM\SOFTWARE\CMGE\Image' > query.out 2>&1 || { cat wine.out query.out; fail "Wine wrote nothing"; }
		grep -q 'Version.*REG_SZ.*2020\.' query.out || { cat query.out; fail "Wine's values"; }
		timeout 60 wine reg query 'HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate' | grep -q 'WUServer.*http' || fail "Wine's policy"
	else
		echo "left out: Wine does not run here"
	fi
else
	echo "left out: the step was not run by Wine"
fi
echo ok
