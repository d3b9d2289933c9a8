#!/bin/bash
# imgbuild keyform prints every name of the table of real ones.
. "$IB_SRC/tests/lib.sh"
need python3
cat > rows.py <<'PY'
import csv, re, subprocess, sys
tool, table = sys.argv[1:]
bad = rows = 0
options = (("version", "version"), ("arch", "processorArchitecture"), ("culture", "language"),
           ("token", "publicKeyToken"), ("type", "type"), ("scope", "versionScope"))
for row in csv.DictReader(open(table)):
    want, form, name = row["expected"], row["form"], row["name"]
    call = [tool, "keyform"]
    if form in ("p!", "i!"):
        name, update = re.fullmatch(r"(.*~\d+\.\d+\.\d+\.\d+)\.(.*)", name).groups()
        call += ["--form", "value", "--update", update]
        want = want[2:]
    elif form == "f!":
        call += ["--form", "value"]
    else:
        call += ["--form", form] if form != "long" else []
        for option, column in options:
            if row[column]:
                call += ["--" + option, row[column]]
    got = subprocess.run(call + ["--name", name], capture_output=True, text=True)
    rows += 1
    if got.returncode != 0 or got.stdout != want + "\n":
        bad += 1
        print(call, got.stdout, got.stderr, "wanted", want)
print(rows, "names,", bad, "wrong")
sys.exit(bad != 0 or rows < 202)
PY
python3 rows.py "$imgbuild" "$IB_SRC/tests/data/keyform_vectors.csv" || fail "names differ"
identity=(--name A --version 1.0.0.0 --arch amd64 --token 31bf3856ad364e35)
expect 2 'are needed' "$imgbuild" keyform --name A
expect 2 'are needed' "$imgbuild" keyform --form family --name A
expect 2 "four numbers with dots, not '1.x'" "$imgbuild" keyform "${identity[@]:0:2}" --version 1.x --arch amd64 --token 31bf3856ad364e35
expect 2 "not 'tall'" "$imgbuild" keyform "${identity[@]}" --form tall
expect 2 '--name is needed' "$imgbuild" keyform --form value
expect 0 'amd64_a_31bf3856ad364e35_1.0.0.0_none_' "$imgbuild" keyform "${identity[@]}"
