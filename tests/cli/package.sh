#!/bin/bash
# imgbuild package: what packages hold, and their complete payload as a folder; compared with what 7-Zip unpacks.
. "$IB_SRC/tests/lib.sh"
need 7zz python3 xmllint
lab
updates=$media/packages

# theirs FILE DIR: the cabinet's payload as 7-Zip sees it
theirs() {
	7zz x -y -o"$2.msu" "$1" > /dev/null
	7zz x -y -o"$2" "$(find "$2.msu" -iname '*.cab' ! -iname wsusscan.cab)" > /dev/null
}
theirs "$updates/$lcu" cab
files=$(find cab -mindepth 2 -type f | wc -l)
[ "$files" -gt 100 ] || fail "the lab's update has only $files files"

# 1. list: every file of the cabinet, in its form, and the sizes
"$imgbuild" package list "$updates/$lcu" --format=json > list.json
python3 - "$files" <<'PY'
import json, os, sys
d = json.load(open("list.json"))
(p,) = d["packages"]
there = {os.path.relpath(os.path.join(r, f), "cab").replace("/", "\\").lower(): os.path.getsize(os.path.join(r, f))
         for r, _, fs in os.walk("cab") for f in fs if r != "cab"}
listed = {(c["component"] + "\\" + f["name"]).lower(): f["forms"].get("complete") for c in p["components"] for f in c["files"]}
assert listed == there, sorted(set(listed.items()) ^ set(there.items()))[:5]
assert p["forms"]["complete"] == {"files": len(there), "bytes": sum(there.values())}, p["forms"]
assert p["forms"]["forward"]["files"] == 0 and p["files_not_in_package"] == 0, p
assert p["container"] == "msu, cabinet" and p["verdict"].startswith("not judged"), p
mums = {f[:-4].lower() for f in os.listdir("cab") if f.endswith(".mum")}
ids = {m.lower() for m in p["mums"]}
assert p["package"] in p["mums"] and mums - {"update"} <= ids and len(ids) == len(mums), (mums, ids)
PY
expect 0 'verdict: good' "$imgbuild" package list "$updates/$ssu" "$updates/$lcu" --trust "$media/lab-root.pem"
[ "$(grep -c '^    package: ' said)" = 2 ] || { cat said; fail "two files were listed"; }

# 2. extract: the same bytes
expect 0 'written: yes' "$imgbuild" package extract "$updates/$lcu" -o out
says 'missing: 0' "files: $files"
(cd cab && find . -mindepth 2 -type f | sort) > theirs.list
(cd out && find . -mindepth 2 -type f | sort) > ours.list
cmp theirs.list ours.list || fail "other files were extracted"
while read -r f; do cmp "cab/$f" "out/$f" || fail "'$f' differs"; done < theirs.list
for m in cab/*.manifest; do cmp "$m" "out/$(basename "$m")" || fail "a manifest differs"; done
root=$(sed -n 's/^    package: //p' said)
cmp cab/update.mum "out/$root.mum" && cmp cab/update.cat "out/$root.cat" || fail "the root package's description"
[ -z "$(find . -maxdepth 1 -name '.work*')" ] || fail "a workspace is left"

# 3. what is there stays as it is
before=$(snapshot out)
expect 3 "'out' exists" "$imgbuild" package extract "$updates/$ssu" -o out
[ "$(snapshot out)" = "$before" ] || fail "an existing folder was changed"

# 4. two files that nothing brings
cp -r cab less
first() { find "$1" -type f -print -quit; }
folders=(less/*/)
k=$(basename "${folders[0]}") k2=$(basename "${folders[-1]}")
f=$(first "less/$k") f2=$(first "less/$k2")
rm "$f" "$f2"
expect 1 '2 files cannot be made' "$imgbuild" package extract less -o part
says 'written: no' "component: $k" "file: $(basename "$f")" "component: $k2" 'hint: they are listed under missing'
[ ! -e part ] || fail "an incomplete folder was made"
expect 0 'missing: 2' "$imgbuild" package extract less --partial -o part
[ "$(find part -mindepth 2 -type f | wc -l)" = $((files - 2)) ] || fail "--partial leaves out something else"
expect 0 'files_not_in_package: 2' "$imgbuild" package list less

# 5. a changed file, a wrong base, hostile names
cp -r cab bad
printf x >> "$(first "bad/$k")"
expect 4 'its manifest says' "$imgbuild" package extract bad -o no
says "$k"
expect 3 'neither a WIM nor a disc' "$imgbuild" package extract cab --base "$updates/$lcu" -o no
expect 3 'there is no 9' "$imgbuild" package list cab --base "$media/sources/install.wim:9"
expect 3 'no-such' "$imgbuild" package list no-such
expect 4 'no trust anchor' "$imgbuild" package extract "$updates/$lcu" --trust "$media/keys/security.pem" -o no
cp -r cab up
grep -l '<file ' up/*.manifest > with-files
read -r m < with-files
sed -i '0,/<file name="[^"]*"/s//<file name="..\\..\\..\\escaped"/' "$m"
expect 3 'is not the name of a file below its component' "$imgbuild" package extract up -o no
[ ! -e no ] && [ -z "$(find . -maxdepth 1 -name '.work*')" ] || fail "a refused package left something"
[ -z "$(find .. -maxdepth 2 -name escaped 2> /dev/null)" ] || fail "a file escaped"

# 6. words
expect 2 "not 'show'" "$imgbuild" package show cab
expect 2 "needs '-o DIR'" "$imgbuild" package extract cab
expect 2 "neither '--output'" "$imgbuild" package list cab -o x
expect 2 'was given' "$imgbuild" package list
expect 5 '' "$imgbuild" package extract cab -o /proc/no/such
