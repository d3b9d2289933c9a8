#!/usr/bin/env bash
# No private keys, no machine paths, no Windows programs in the tree.
set -euo pipefail
cd "$IB_SRC"
status=0
files=$(git ls-files 2>/dev/null || find . -type f -not -path './build/*' -not -path './.git/*')
# shellcheck disable=SC2086
if grep -lE -e '-----BEGIN [A-Z ]*PRIVATE KEY-----' $files | grep -v '^tests/lint/secrets.sh$'; then
	echo "the files above hold private keys"; status=1
fi
for f in $files; do
	[ -f "$f" ] || continue
	[ "$(head -c 2 "$f" | tr -d '\0')" = MZ ] && { echo "$f is a Windows program"; status=1; }
done
[ $status = 0 ] && echo "no secrets, no programs"
exit $status
