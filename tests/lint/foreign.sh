#!/usr/bin/env bash
# Each foreign library is included by the modules that own it, and never in a public header.
set -euo pipefail
cd "$IB_SRC"
python3 - <<'PY'
import glob, re, sys
owners = {
    "openssl/": {"digest", "trust"}, "wimlib.h": {"codec", "wim"}, "archive.h": {"archive"}, "archive_entry.h": {"archive"},
    "libxml/": {"xml"}, "libxslt/": {"xml"}, "libexslt/": {"xml"}, "libssh/": {"publish"}, "sqlite3.h": {"ledger"},
    "udfread/": set(), "hivex.h": set(), "ntfs-3g/": set(), "mspack.h": {"archive"},
}
bad = []
for f in glob.glob("lib/**/*.[ch]", recursive=True) + glob.glob("tools/imgbuild/*.[ch]"):
    module = f.split("/")[1]
    public = f == f"lib/{module}/{module}.h"
    for n, line in enumerate(open(f, encoding="utf-8"), 1):
        m = re.match(r"\s*#include <([^>]+)>", line)
        if not m:
            continue
        for lib, who in owners.items():
            if m.group(1).startswith(lib) and (module not in who or public):
                bad.append(f"{f}:{n}: includes <{m.group(1)}>")
print("\n".join(bad) or "every foreign library stays in its module")
sys.exit(bool(bad))
PY
