#!/bin/bash
# Random edit scripts: our writer against a model, judged by libwim.
#   tests/roundtrip/wim.sh [SCRIPTS [SEED]]     200 scripts; "large" adds a file above 4 GiB
set -euo pipefail
for tool in wimcapture wimverify wimdir wimapply mkntfs python3; do
	PATH=$PATH:/usr/sbin command -v $tool >/dev/null || { echo "SKIPPED: $tool is not installed"; exit 77; }
done
edit=$IB_BUILD/tool_wim_edit
[ -x "$edit" ] || { echo "SKIPPED: $edit is not built"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/imgbuild-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
if [ "${1:-}" = large ]; then
	truncate -s 4G big && printf 'the end' >>big
	"$edit" - big.wim new=1 compression=lzx level=1 put big big - 0x20 set big big
	wimverify big.wim >/dev/null 2>&1 && "$edit" big.wim - verify
	wimapply big.wim applied >/dev/null 2>&1 && cmp big applied/big
	echo "a file above 4 GiB comes out as it went in"
	exit 0
fi
PATH=$PATH:/usr/sbin python3 "$IB_SRC/tests/roundtrip/wim.py" "$edit" "${1:-200}" "${2:-}"
