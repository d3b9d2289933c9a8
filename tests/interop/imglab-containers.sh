#!/usr/bin/env bash
# The lab's updates in other containers, taken apart by 7-Zip, wimlib-imagex and a reader of indexes written here: they
# hold what the same updates hold as plain cabinets; the wrong ones are wrong where they say.
. "$IB_SRC/tests/lib.sh"
need 7zz wimapply wimverify python3 cmp
apply=$IB_BUILD/tool_delta_apply
[ -x "$apply" ] || skip "tool_delta_apply is not built"

cat > index.py <<'PY'
# index.py INDEX FOLDER PSF|- OUT: makes all files of an index, checks every hash, prints what it met; status 1 and why, if it cannot
import collections, hashlib, os, subprocess, sys
import xml.etree.ElementTree as E
index, folder, psf, out = sys.argv[1:5]
ns = "{urn:ContainerIndex}"
files = {f.get("id"): f for f in E.parse(index).getroot().find(ns + "Files")}
blob = open(psf, "rb").read() if psf != "-" else None
done, shapes = {}, collections.Counter()
def check(element, data, what):
    for h in element.findall(ns + "Hash"):
        got = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256}[h.get("alg")](data).hexdigest().upper()
        if got != h.get("value"):
            sys.exit(f"hash of {what}")
def source(s, what):
    if s.get("name") is not None:
        path = os.path.join(folder, s.get("name"))
        if not os.path.exists(path):
            sys.exit(f"no member of {what}")
        data = open(path, "rb").read()
    else:
        at, n = int(s.get("offset")), int(s.get("length"))
        if at + n > len(blob):
            sys.exit(f"range of {what}")
        data = blob[at:at + n]
    check(s, data, "the source of " + what)
    return data
def make(i, above):
    if i in done:
        return done[i]
    if i in above:
        sys.exit("cycle")
    f = files[i]
    d = f.find(ns + "Delta")
    s, b = d.find(ns + "Source"), d.find(ns + "Basis")
    basis = make(b.get("file"), above | {i}) if b is not None else b""
    shapes[("copy" if s is None else s.get("type")) + ("" if b is None else "+basis")] += 1
    if s is None:
        data = basis
    elif s.get("type") == "RAW":
        data = source(s, f.get("name"))
    else:
        open("basis", "wb").write(basis)
        open("delta", "wb").write(source(s, f.get("name")))
        subprocess.run([os.environ["apply"], "apply", "basis" if b is not None else "-", "delta", "result"], check=True)
        data = open("result", "rb").read()
    if len(data) != int(f.get("length")):
        sys.exit("length of " + f.get("name"))
    check(f, data, f.get("name"))
    done[i] = data
    return data
for i in files:
    path = os.path.join(out, files[i].get("name").replace("\\", "/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(make(i, frozenset()))
print(*sorted(f"{k}:{v}" for k, v in shapes.items()))
PY
export apply
"$imglab" packages --seed 6 -o lab
unpack() { # MSU DIR
	7zz x -y "-o$2.msu" "$1" > /dev/null
	7zz x -y "-o$2" "$2.msu"/Windows1*-x64*.cab > /dev/null
}
names() { (cd "$1" && find . -type f | sort); }

# 1. numbered members
unpack lab/windows10.0-kb5001384-x64.msu april
unpack lab/containers/windows10.0-kb5001384-x64-numbered.msu numbered
python3 index.py numbered/_manifest_.cix.xml numbered - made > shapes || fail "numbered members"
for shape in RAW: PA30: PA30+basis: copy+basis:; do
	grep -qF "$shape" shapes || [ $shape = copy+basis: ] || fail "no $shape among $(cat shapes)"
done
ls made | grep '^PACKAGE_1_FOR_.*\.mum$' > /dev/null || fail "children's names are not in capitals"
diff <(names april | tr a-z A-Z | sort) <(names made | tr a-z A-Z | sort) || fail "other files"
names april | while read -r f; do
	other=$(printf %s "$f" | sed -E 's,^\./(package.*)\.(mum|cat)$,\U\1\E.\2,')
	cmp "april/$f" "made/$other" || fail "$f"
done
while read -r kind why; do
	rm -rf bad bad.msu
	unpack lab/refused/containers/windows10.0-kb5001384-x64-$kind.msu bad
	expect 1 "$why" python3 index.py bad/_manifest_.cix.xml bad - bad/made
done <<-KINDS
	member no member of
	cycle cycle
	hash hash of
	spoiled hash of the source
KINDS

# 2. a .psf holds what the cabinet of differentials holds, but ways back
unpack lab/psfx/$lcu psfx
split() { # FOLDER: into $2
	7zz x -y "-o$2" "$1"/*.cab > /dev/null
	python3 index.py "$2/express.psf.cix.xml" "$2" "$1"/*.psf "$2" > shapes
}
split lab/containers/psf forward || fail "the .psf"
grep -q 'RAW:' shapes && grep -q 'PA30:' shapes || fail "only $(cat shapes)"
head -c 12 lab/containers/psf/*.psf | cmp - <(printf 'PSTREAM\0\2\0\2\0') || fail "the .psf's head"
rm forward/express.psf.cix.xml
find psfx -path '*/r/*' -delete && find psfx -type d -empty -delete
diff -r psfx forward || fail "they differ"
expect 1 'range of' split lab/refused/containers/psf-range bad1
expect 1 'hash of the source' split lab/refused/containers/psf-spoiled bad2

# 3. without a base; against a checkpoint
split lab/containers/psf-baseless baseless || fail "baseless"
one=$(find baseless -path '*/n/ntoskrnl.exe')
"$apply" info "$one" > info
grep -q 'form=PA31 crc=1' info && grep -qx 'source=' info || fail "baseless: $(cat info)"
! find baseless -path '*/f/*' | grep . || fail "baseless, but there are forward differentials"
split lab/containers/psf-checkpoint checkpoint || fail "checkpoint"
"$apply" info checkpoint/amd64_microsoft-windows-os-kernel_*/f/ntoskrnl.exe > info
basis=$(sha256 april/amd64_microsoft-windows-os-kernel_*/ntoskrnl.exe)
grep -q 'form=PA31' info && grep -qx "source=$basis" info || fail "checkpoint: $(cat info)"
7zz x -y -ohistory checkpoint/historycix.cab > /dev/null
grep -A9 'os-kernel_.*\\ntoskrnl.exe' history/history.cix.xml | grep -iq "value=\"$basis\"" || fail "history does not name the basis"
"$apply" apply april/amd64_microsoft-windows-os-kernel_*/ntoskrnl.exe checkpoint/amd64_microsoft-windows-os-kernel_*/f/ntoskrnl.exe out
unpack lab/windows10.0-kb5006672-x64.msu october
cmp out october/amd64_microsoft-windows-os-kernel_*/ntoskrnl.exe || fail "not October's kernel"

# 4. several in one
wimverify lab/containers/windows11.0-kb5005568-x64.msu > log 2>&1 || { cat log; fail "the WIM"; }
wimapply lab/containers/windows11.0-kb5005568-x64.msu 1 eleven > log 2>&1 || { cat log; fail "the WIM"; }
[ "$(cd eleven && echo *)" = "SSU-17763.2170-x64.cab Windows11.0-KB5005568-x64.cab Windows11.0-KB5005568-x64.psf" ] ||
	fail "members: $(cd eleven && echo *)"
cmp eleven/*.psf lab/containers/psf/*.psf
7zz x -y -ocombined lab/containers/windows10.0-kb5005568-x64-combined.msu > /dev/null
[ "$(grep -c '<assemblyIdentity' combined/*.xml)" = 2 ] || fail "the answer file does not name both"
grep -m 1 assemblyIdentity combined/*.xml | grep -q ServicingStack || fail "the servicing stack does not come first"
7zz x -y -ossu combined/SSU-*.cab > /dev/null
grep -q 'selfUpdate="true"' ssu/update.mum || fail "no servicing stack"
echo "numbered, .psf, baseless, checkpoint, WIM, combined"
