#!/bin/bash
# SDDL texts and what Windows itself makes of them: the test data of Samba (libcli/security/tests, files *.json and
# *.json.gz), written there by Windows, which are not ours to carry. Looked for below IMGBUILD_REAL_DATA.
# Our descriptors must be the same bytes, but for what is said below; shown as text and read again they stay the same.
if [ -z "${IMGBUILD_REAL_DATA:-}" ]; then
	echo "SKIPPED: IMGBUILD_REAL_DATA is not set, no descriptor of Windows' was looked at"
	exit 77
fi
. "$IB_SRC/tests/lib.sh"
need python3
python3 - "$IB_BUILD/tool_wim_sddl" "$(realpath "$IMGBUILD_REAL_DATA")" <<'PY'
import collections, gzip, json, pathlib, re, struct, subprocess, sys

tool, data = sys.argv[1], pathlib.Path(sys.argv[2])
# Texts that are refused, on purpose
REFUSED = {
    "a SID expected: S-1-… or two letters that do not depend on a domain": "SIDs of the machine's own domain",
    "the name of an attribute begins with no digit": "names that look like numbers",
    "'SID(…)' expected": "memberships in other things than SIDs",
}


def lines(how, given):
    r = subprocess.run([tool, how], input="\n".join(given) + "\n", capture_output=True, text=True)
    if r.returncode or len(r.stdout.split("\n")) != len(given) + 1:
        sys.exit(f"FAILED: {tool}: status {r.returncode}: {r.stderr}")
    return r.stdout.split("\n")[:-1]


def parts(b):
    """Control bits, owner, group, and the entries of both lists."""
    control, owner, group, sacl, dacl = struct.unpack_from("<HIIII", b, 2)

    def entries(at):
        found, place = [], at + 8
        for _ in range(struct.unpack_from("<H", b, at + 4)[0] if at else 0):
            size = struct.unpack_from("<H", b, place + 2)[0]
            found.append(b[place:place + size])
            place += size
        return found, at and not any(b[place:at + struct.unpack_from("<H", b, at + 2)[0]])

    return control, *(b[at:at + 8 + 4 * b[at + 1]] if at else None for at in (owner, group)), entries(sacl), entries(dacl)


def oversize(ours, windows):
    """Windows marks a list with revision 4, and leaves zeros behind its entries, when one of them has no rights."""
    return parts(ours) == parts(windows) and b"\0" * 4 in windows and len(windows) > len(ours)


files, count, failed = 0, collections.Counter(), 0
for path in sorted(data.glob("**/*.json*")):
    if not re.search(r"(conditional|short-ordinary|oversize|registry-object).*\.json(\.gz)?$", path.name):
        continue
    files += 1
    want = {t: bytes(b) for t, b in json.loads((gzip.open if path.suffix == ".gz" else open)(path).read()).items() if "\n" not in t}
    got = dict(zip(want, lines("parse", list(want))))
    for text, hexes in got.items():
        if hexes.startswith("! "):
            why = next((k for k in REFUSED if hexes.endswith(k)), hexes)
            kind = REFUSED.get(why)
            count["refused: " + kind if kind else "wrong"] += 1
        elif bytes.fromhex(hexes) == want[text]:
            kind = "same bytes"
            count[kind] += 1
        else:
            kind = oversize(bytes.fromhex(hexes), want[text])
            count["same entries, in a list that Windows makes larger" if kind else "wrong"] += 1
        if not kind:
            failed += 1
            print(f"WRONG: {text[:200]}\n  ours:    {hexes[:400]}\n  windows: {want[text].hex()[:400]}")
    # Windows' bytes as text, and back
    given = sorted({b.hex() for b in want.values()})
    shown = lines("format", given)
    pairs = [(g, s) for g, s in zip(given, shown) if not s.startswith("! ")]
    for (g, s), again in zip(pairs, lines("parse", [s for _, s in pairs])):
        if again != g and not oversize(bytes.fromhex(again), bytes.fromhex(g)):
            failed += 1
            print(f"WRONG: {g[:400]}\n  shown as {s[:200]}\n  becomes  {again[:400]}")
    count["shown as text, and the same after reading it again"] += len(pairs)
    count["not shown: no text gives them"] += len(given) - len(pairs)
if not files:
    print("SKIPPED: Samba's libcli/security/tests is not below IMGBUILD_REAL_DATA")
    sys.exit(77)
for kind, n in sorted(count.items()):
    print(f"{n} {kind}")
sys.exit(1 if failed else 0)
PY
