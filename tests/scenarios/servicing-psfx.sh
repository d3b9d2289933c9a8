#!/bin/bash
# Cumulative updates as Windows 10 1809 and later get them: differentials and compressed manifests. 9B goes in, the files
# the system was released with go away (as a cleaned image has none), and 10B, whose differentials are made against
# those, goes in all the same. What comes out is held against the same updates with complete payload, unpacked by 7-Zip
# and judged by sha256sum.
. "$IB_SRC/tests/lib.sh"
run=$IB_BUILD/tool_servicing_run
need 7zz wimextract wimupdate wimdir wimapply hivexregedit python3 xmllint
[ -x "$run" ] || skip "tool_servicing_run is not built"
lcu_10b=windows10.0-kb5006672-x64.msu

"$imglab" base --dcm -o . && "$imglab" packages -o .
7zz x -y lab-base.iso sources/install.wim > /dev/null
base=sources/install.wim
unpack() { # MSU DIR
	7zz x -y "-o$2.msu" "$1" > /dev/null
	7zz x -y "-o$2" "$2.msu"/*-[xX]64*.cab > /dev/null
}
unpack $lcu full-9b && unpack $lcu_10b full-10b
unpack psfx/$lcu psfx-9b && unpack psfx/$lcu_10b psfx-10b

# What the manifests of an update say, as "keyform/file sha256"; not those for boot.wim only, or for a feature on demand
# that is not in this image.
python3 - <<'PY'
import base64, glob, os, xml.etree.ElementTree as ET
def local(e): return e.tag.split("}")[-1]
for folder in ("full-9b", "full-10b"):
    with open(folder + ".sums", "w") as out:
        for path in sorted(glob.glob(folder + "/*.manifest")):
            if "windows-setup-component_" in path or "_lab-opentools-" in path or "_lab-netfx3-" in path:
                continue
            for f in ET.parse(path).getroot():
                if local(f) != "file":
                    continue
                (digest,) = [d.text for d in f.iter() if local(d) == "DigestValue"]
                name = os.path.basename(path)[:-9] + "/" + f.get("name").replace("\\", "/")
                out.write(base64.b64decode(digest).hex() + "  " + name + "\n")
PY
sums() { # TREE UPDATE: every file of the update that is in the store of a tree has the hash of its manifest
	(cd "$1/Windows/WinSxS" && sha256sum -c --quiet "$work/$2.sums") > wrong 2>&1 || { head wrong; fail "$1: files of $2"; }
}

# 1. 9B: the same files as with complete payload
"$run" $base 1 trust=lab-root.pem install=$ssu install=psfx/$lcu commit verify-full write=psfx.wim > psfx.txt
"$run" $base 1 trust=lab-root.pem install=$ssu install=$lcu commit verify-full write=full.wim > full.txt
deltas=$(sed -n 's/^install .* deltas=\([0-9]*\) .*/\1/p' psfx.txt | tail -n 1)
[ "$deltas" -gt 80 ] || { cat psfx.txt; fail "'$deltas' files were made from differentials"; }
[ "$(sed -n 's/^install .* deltas=\([0-9]*\) .*/\1/p' full.txt | tail -n 1)" = 0 ] || fail "complete files counted as differentials"
diff <(grep -E '^(verify|finding)' full.txt | sed 's/hashed=[0-9]*//') <(grep -E '^(verify|finding)' psfx.txt | sed 's/hashed=[0-9]*//') ||
	fail "the verifier sees a difference"
wimapply psfx.wim 1 got > /dev/null 2>&1 && wimapply full.wim 1 full > /dev/null 2>&1
sums got full-9b
diff -rq got full | grep -vE 'WinSxS/Manifests|/config/COMPONENTS|servicing/Packages|WinSxS/Catalogs|CatRoot|/config/SOFTWARE|Only in got/Windows/servicing: LCU' > other || true
[ ! -s other ] || { head other; fail "differentials and complete payload give different images"; }

# 2. manifests as they came, differentials where the next update looks for them, and their bits
id=$(cd got/Windows/servicing/LCU && echo *)
[[ $id = Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.2183.* ]] || fail "the folder of the update is '$id'"
kept=0
while read -r path; do
	stored=got/Windows/servicing/LCU/$id/$path
	k=${path%%/*}
	[ -d "got/Windows/WinSxS/$k" ] || continue # of a part that does not apply
	cmp "psfx-9b/$path" "$stored" || fail "'$path' was not kept"
	kept=$((kept + 1))
done < <(cd psfx-9b && find . -type f \( -path '*/f/*' -o -path '*/r/*' \) -printf '%P\n')
[ "$kept" -gt 160 ] || fail "$kept differentials were kept"
[ "$(find got/Windows/servicing/LCU -type f | wc -l)" = "$kept" ] || fail "something else was kept, too"
for m in psfx-9b/*.manifest; do
	stored=got/Windows/WinSxS/Manifests/$(basename "$m")
	[ ! -f "$stored" ] || cmp "$m" "$stored" || fail "the manifest '$m' was not stored as it came"
done
hivexregedit --export got/Windows/System32/config/COMPONENTS '\DerivedData\Components' | tr -d '\r' > components.reg
python3 - <<'PY'
import os, re
bits, key = {}, None
for line in open("components.reg", encoding="utf-8", errors="replace"):
    if line.startswith("["):
        key = line.strip()[1:-1].split("\\")[-1].lower()
    m = re.match(r'"f!(.*)"=dword:([0-9a-f]{8})', line)
    if m:
        bits[key, m.group(1)] = int(m.group(2), 16)
seen = {}
for root, _, files in os.walk("psfx-9b"):
    parts = os.path.relpath(root, "psfx-9b").split("/")
    for f in files:
        if len(parts) == 2 and parts[1] in "fn" and len(f) <= 25 and (parts[0].lower(), f) in bits:
            want = 0x41 if parts[1] == "f" else 0x81
            got = bits[parts[0].lower(), f]
            assert got == want, (parts, f, hex(got))
            seen[want] = seen.get(want, 0) + 1
        elif len(parts) == 1 and parts[0] != "." and len(f) <= 25 and (parts[0].lower(), f) in bits:
            assert bits[parts[0].lower(), f] == 1, (parts, f)
            seen[1] = seen.get(1, 0) + 1
assert seen.get(0x41, 0) > 60 and seen.get(0x81, 0) > 0, seen
print("f! bits:", {hex(k): n for k, n in seen.items()})
PY

# 3. the released files are gone
clean() { # WIM: drop the payload of every version .1 that the update replaced
	local k family
	for k in $(cd psfx-9b && ls -d *_10.0.17763.2183_*/ | tr -d /); do
		family=${k%%_10.0.17763.*}
		wimdir "$1" 1 | grep -iE "^/Windows/WinSxS/${family//./\\.}_10\.0\.17763\.1_[^/]*/[^/]+$" || true
	done | sort -u > gone
	[ "$(wc -l < gone)" -gt 60 ] || fail "only $(wc -l < gone) released files were in the store"
	sed "s/.*/delete '&'/" gone > commands
	wimupdate "$1" 1 < commands > /dev/null
}
cp psfx.wim clean.wim && clean clean.wim

# 4. 10B finds its way back to them
"$run" clean.wim 1 trust=lab-root.pem install=psfx/$lcu_10b commit write=next.wim reopen info packages > next.txt
grep -q '10.0.17763.2237' next.txt || { cat next.txt; fail "the version did not move"; }
[ "$(sed -n 's/^install .* deltas=\([0-9]*\) .*/\1/p' next.txt)" -gt 80 ] || { cat next.txt; fail "10B did not come from differentials"; }
wimapply next.wim 1 next > /dev/null 2>&1
sums next full-10b
"$run" full.wim 1 trust=lab-root.pem install=$lcu_10b commit write=full2.wim > /dev/null
wimapply full2.wim 1 full2 > /dev/null 2>&1
diff -rq next full2 | grep -vE 'WinSxS|/config/|servicing|CatRoot' > other || true
[ ! -s other ] || { head other; fail "10B gives another system"; }
new=$(cd next/Windows/servicing/LCU && ls -d *17763.2237*)
[ -n "$new" ] || fail "10B keeps no differentials"
# what 10B brings in the version 9B had already: its differentials are 10B's as well
both=0
while read -r path; do
	[ -f "next/Windows/servicing/LCU/$id/$path" ] || continue
	[ "next/Windows/servicing/LCU/$id/$path" -ef "next/Windows/servicing/LCU/$new/$path" ] || fail "'$path' is not carried over"
	both=$((both + 1))
done < <(cd psfx-10b && find . -type f -path '*/r/*' -printf '%P\n')
echo "$deltas files of 9B from differentials, $kept kept, $(wc -l < gone) released files gone, $both carried over"

# 5. without reverse differentials there is no way back: refused, and named; a payload source helps
bad=refused/psfx/${lcu%.msu}-noreverse.msu
"$run" $base 1 trust=lab-root.pem install=$ssu install=$bad commit write=oneway.wim > /dev/null
clean oneway.wim
expect '[34]' 'cannot be had' "$run" oneway.wim 1 trust=lab-root.pem install=psfx/$lcu_10b
grep -qE "file '[^']+' of component '[a-z0-9]+_[^']+_10\.0\.17763\.2237_[^']*' .*transforms " said || { cat said; fail "what cannot be made is not named"; }
"$run" oneway.wim 1 trust=lab-root.pem source=$lcu_10b install=psfx/$lcu_10b commit write=helped.wim > helped.txt
[ "$(sed -n 's/^install .* sources=\([0-9]*\).*/\1/p' helped.txt)" -gt 20 ] || { cat helped.txt; fail "nothing came from the payload source"; }
wimapply helped.wim 1 helped > /dev/null 2>&1
sums helped full-10b

# 6. differentials that are wrong
for kind in target manifest delta base; do
	file=refused/psfx/${lcu%.msu}-$kind.msu
	expect '[34]' '' "$run" $base 1 trust=lab-root.pem install=$ssu install=$file
	echo "$kind: $(sed -n 's/^  cause: //p' said)"
done
