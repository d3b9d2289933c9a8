#!/usr/bin/env bash
# The references in docs/ are what the program says today: docs/generate is run again and compared.
set -euo pipefail
export LC_ALL=C.UTF-8
[ -x "$IB_BUILD/imgbuild" ] || { echo "SKIPPED: imgbuild is not built"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/imgbuild-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

"$IB_SRC/docs/generate" "$work/docs"
for f in "$work"/docs/*; do
	diff -u "$IB_SRC/docs/${f##*/}" "$f" || fail "docs/${f##*/} is not up to date; run docs/generate and commit it"
done

# help fits a terminal, and the shell accepts the completion
"$IB_BUILD/imgbuild" --help > "$work/help"
for c in $(sed -n '/^commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' "$work/help"); do
	"$IB_BUILD/imgbuild" "$c" --help >> "$work/help"
done
if grep -nE '^.{81}' "$work/help"; then fail "a line of the help is longer than 80 columns"; fi
bash -n "$work/docs/imgbuild.bash-completion" || fail "the completion is no bash"
(
	. "$work/docs/imgbuild.bash-completion"
	COMP_WORDS=(imgbuild check-delivery --ho) COMP_CWORD=2 && _imgbuild
	[ "${COMPREPLY[*]}" = --host-key ]
) || fail "the completion does not complete --host-key"

# the man page, by the strictest reader that is here
page=$work/docs/imgbuild.1
if command -v mandoc > /dev/null; then
	# a generated page has no date of its own
	mandoc -T lint -W warning "$page" > "$work/warnings" || true
	! grep -v 'missing date' "$work/warnings" >&2 || fail "mandoc finds fault with the man page"
elif command -v groff > /dev/null; then
	groff -man -Tutf8 -ww "$page" > "$work/page" 2> "$work/warnings"
	[ ! -s "$work/warnings" ] || { cat "$work/warnings" >&2; fail "groff finds fault with the man page"; }
	grep -q 'EXIT STATUS' "$work/page" || sed 's/.\x08//g' "$work/page" | grep >/dev/null 'EXIT STATUS' || fail "the man page has no text"
else
	echo "note: neither mandoc nor groff is here; the man page was compared, not linted"
fi
echo "the references are up to date"
