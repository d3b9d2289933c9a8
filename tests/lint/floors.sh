#!/usr/bin/env bash
# A module includes only modules on lower floors, and only those it lists in CMakeLists.txt.
set -euo pipefail
cd "$IB_SRC"
python3 - <<'PY'
import glob, os, re, sys
text = open("CMakeLists.txt").read()
table = {}
for m in re.finditer(r"ib_module\((\w+)\s+(\d+)([^)]*)\)", text):
    deps = re.search(r"DEPS([^)]*?)(?:PKGS|LIBS|$)", m.group(3), re.S)
    table[m.group(1)] = (int(m.group(2)), set(deps.group(1).split()) if deps else set())
bad = []
for module, (floor, deps) in table.items():
    for d in deps:
        if table[d][0] >= floor:
            bad.append(f"{module} (floor {floor}) stands on {d} (floor {table[d][0]})")
    for f in glob.glob(f"lib/{module}/*.[ch]"):
        for n, line in enumerate(open(f, encoding="utf-8"), 1):
            m = re.match(r'\s*#include "(\w+)/', line)
            if m and m.group(1) in table and m.group(1) != module and m.group(1) not in deps:
                bad.append(f"{f}:{n}: includes {m.group(1)}, which {module} does not list")
            if m and m.group(1) not in table:
                bad.append(f"{f}:{n}: includes '{m.group(1)}', which is no module")
for d in os.listdir("lib"):
    if d not in table:
        bad.append(f"lib/{d} has no floor")
print("\n".join(bad) or f"{len(table)} modules stand on lower floors only")
sys.exit(bool(bad))
PY
