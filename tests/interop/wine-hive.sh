#!/bin/bash
# The registry that Wine makes for itself: some ten thousand keys of somebody else's. Wine exports it as text; hivex and
# we make hives of that text, which must be the same, and an unedited load and save must not change what readers read.
# Debian's package wine is no part of ci/setup (a gigabyte): without it this is skipped.
. "$IB_SRC/tests/lib.sh"
need hivexregedit reglookup regfexport iconv
command -v wine > /dev/null || skip "Debian's package wine is not installed; no hive of Wine's was looked at"
edit=$IB_BUILD/tool_registry_edit
export WINEPREFIX=$work/wine WINEDEBUG=-all DISPLAY=
server() { local s; for s in wineserver /usr/lib/wine/wineserver; do ! command -v $s > /dev/null || { $s "$@"; return; }; done; }
at_end+=('server -k' 'server -w')

# hivex warns of the wide characters it prints, reglookup of names that it shows in its own way, with offsets
export_hivex() { hivexregedit --export "$1" '\' 2> hivex.log | tr -d '\r'; }
# same A B: three readers see no difference, descriptors and times included
same() {
	diff <(export_hivex "$1") <(export_hivex "$2") > diff.txt || fail "hivex: $2: $(head -5 diff.txt)"
	diff <(reglookup -s "$1" 2> /dev/null) <(reglookup -s "$2" 2> /dev/null) > diff.txt || fail "reglookup: $2: $(head -5 diff.txt)"
	diff <(regfexport "$1") <(regfexport "$2") > diff.txt || fail "regfexport: $2: $(head -5 diff.txt)"
}

"$edit" many new.hiv 0
# check NAME ROOT MIN-KEYS
check() {
	local keys
	wine_run said wine reg export "$2" "C:\\$1.reg" || { cat said; skip "Wine cannot export its registry here"; }
	mv "$WINEPREFIX/drive_c/$1.reg" "$1.reg"
	iconv -f utf-16 -t utf-8 "$1.reg" | tr -d '\r' > "$1.txt"
	keys=$(grep -c '^\[' "$1.txt")
	[ "$keys" -ge "$3" ] || fail "Wine exported only $keys keys of $2"
	cp new.hiv "$1.hivex"
	hivexregedit --merge --prefix "$(sed -n 's/^\[\(.*\)\]$/\1/p' "$1.txt" | head -n 1)" "$1.hivex" "$1.txt"
	# loaded and saved by us: twice the same bytes, and the same for everybody
	"$edit" save "$1.hivex" "$1.saved"
	same "$1.hivex" "$1.saved"
	"$edit" save "$1.saved" "$1.again"
	cmp -s <(tail -c +4097 "$1.saved") <(tail -c +4097 "$1.again") || fail "$1: saving twice gives other bytes"
	# Wine's text, taken in by us
	if [ "$1" = system ]; then
		expect 3 "no usable 'Select\\Default'" "$imgbuild" hive import new.hiv "$1.reg" --root "$2" -o "$1.ours"
		echo "$2: $keys keys; not imported: CurrentControlSet is a key of Wine's, and there is no Select"
		return
	fi
	expect 0 '' "$imgbuild" hive import new.hiv "$1.reg" --root "$2" -o "$1.ours"
	expect 0 'count: 0' "$imgbuild" hive diff "$1.hivex" "$1.ours"
	diff <(export_hivex "$1.hivex") <(export_hivex "$1.ours") > diff.txt || fail "$1: our import: $(head -5 diff.txt)"
	echo "$2: $keys keys, hivex $(stat -c %s "$1.hivex") bytes, ours $(stat -c %s "$1.ours")"
}
check software 'HKEY_LOCAL_MACHINE\Software' 5000
check system 'HKEY_LOCAL_MACHINE\System' 100
check user 'HKEY_CURRENT_USER' 50
