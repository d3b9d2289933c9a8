#!/usr/bin/env bash
# Every prototype in a public header has a doc comment, every public header a file comment,
# and every prototype carries the prefix.
set -euo pipefail
cd "$IB_SRC"
python3 - <<'PY'
import glob, re, sys
bad, count = [], 0
for f in sorted(glob.glob("lib/*/*.h")):
    if "internal" in f:
        continue
    lines = open(f, encoding="utf-8").read().split("\n")
    if not lines[0].startswith("/**"):
        bad.append(f"{f}:1: no file comment")
    documented, in_comment, depth, statement, start = False, False, 0, "", 0
    for n, line in enumerate(lines, 1):
        s = line.strip()
        if in_comment:
            in_comment = "*/" not in s
            continue
        if s.startswith("/**"):
            documented, in_comment = True, "*/" not in s
            continue
        if s.startswith("/*"):
            in_comment = "*/" not in s
            continue
        if s.startswith("#") or s == "":
            # a blank line ends what a comment is about
            documented = documented and s != ""
            continue
        if not statement:
            start = n
        statement += " " + s
        depth = statement.count("{") - statement.count("}")
        if depth == 0 and s.endswith((";", "}")):
            m = re.match(r"\s*(?!struct \w+ \{|enum|extern|static|typedef)[\w\s\*]+?\**(\w+)\(", statement)
            if m and "{" not in statement:
                count += 1
                if not documented:
                    bad.append(f"{f}:{start}: {m.group(1)} is not documented")
                if not m.group(1).startswith("ib_"):
                    bad.append(f"{f}:{start}: {m.group(1)} has no ib_ prefix")
            statement = ""
            # prototypes that follow without a blank line share the comment
print("\n".join(bad) or f"{count} prototypes are documented")
sys.exit(bool(bad))
PY
