#!/usr/bin/env bash
# Functions: warned above 60 lines, refused above 120. Files: refused above 1000. tests/lint/size-allowed may only shrink.
set -euo pipefail
cd "$IB_SRC"
files=$(git ls-files '*.c' '*.h' 2>/dev/null || find lib tools tests -name '*.[ch]')
# shellcheck disable=SC2086
ctags -x --_xformat='%{input} %{line} %{end} %{name}' --kinds-C=f $files > "${TMPDIR:-/tmp}/ib-size.$$"
trap 'rm -f "${TMPDIR:-/tmp}/ib-size.$$"' EXIT
python3 - "${TMPDIR:-/tmp}/ib-size.$$" $files <<'PY'
import os, sys
allowed = set()
if os.path.exists("tests/lint/size-allowed"):
    allowed = {l.strip() for l in open("tests/lint/size-allowed") if l.strip() and not l.startswith("#")}
bad, long_, n = [], 0, 0
for line in open(sys.argv[1]):
    f, a, b, name = line.split()[:4]
    if not b.isdigit():
        continue
    size = int(b) - int(a) + 1
    n += 1
    long_ += size > 60
    if size > 60:
        print(f"note: {f}:{a}: {name} has {size} lines")
    if size > 120 and f"{f} {name}" not in allowed:
        bad.append(f"{f}:{a}: {name} has {size} lines, 120 are allowed")
for f in sys.argv[2:]:
    lines = sum(1 for _ in open(f, encoding="utf-8"))
    if lines > 1000:
        bad.append(f"{f}: {lines} lines, 1000 are allowed")
print("\n".join(bad) or f"{n} functions, {long_} above 60 lines, none above 120")
sys.exit(bool(bad))
PY
