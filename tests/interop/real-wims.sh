#!/bin/bash
# libwim's own hostile and odd WIMs (tests/wims of its sources), which are not ours to carry: below IMGBUILD_REAL_DATA they
# are found by name, and what must become of each is what their README says.
if [ -z "${IMGBUILD_REAL_DATA:-}" ]; then
	echo "SKIPPED: IMGBUILD_REAL_DATA is not set, none of libwim's WIMs was looked at"
	exit 77
fi
. "$IB_SRC/tests/lib.sh"
need wimverify wimdir wimapply
data=$(realpath "$IMGBUILD_REAL_DATA")
echo content > new.txt
find_wim() { find "$data" -path "*wims/$1.wim" -print -quit; }
seen=0

# refused NAME CAUSE: the tree is not read, by nothing that needs it; nothing is written
refused() {
	local wim command
	wim=$(find_wim "$1")
	[ -n "$wim" ] || { echo "left out: $1.wim is not there"; return 0; }
	for command in "verify $wim" "verify --full $wim" "service $wim:1 --put new.txt=\\new.txt -o out.wim" \
		"hive verify $wim:1:SOFTWARE"; do
		# shellcheck disable=SC2086
		expect 3 "$2" "$imgbuild" $command
		says "$wim"
	done
	[ ! -e out.wim ] || fail "$1: something was written"
	seen=$((seen + 1))
	echo "refused: $1: $2"
}

# damaged NAME CAUSE: found by whoever reads the content, and named with its file
damaged() {
	local wim
	wim=$(find_wim "$1")
	[ -n "$wim" ] || { echo "left out: $1.wim is not there"; return 0; }
	expect 4 "$2" "$imgbuild" verify --full "$wim"
	says "verifying 'file' of image 1"
	# copied as it is: the damage travels along, and is still found afterwards
	expect 0 '' "$imgbuild" service "$wim:1" --put 'new.txt=\new.txt' -o out.wim
	expect 4 "$2" "$imgbuild" verify --full out.wim
	rm out.wim
	seen=$((seen + 1))
	echo "found damaged: $1: $2"
}

detailed() { wimdir "$1" --detailed | grep -vE '^(Offset|Link Group ID|Compressed)'; }
# taken NAME: read, edited, written; all that was in it is as it was
taken() {
	local wim
	wim=$(find_wim "$1")
	[ -n "$wim" ] || { echo "left out: $1.wim is not there"; return 0; }
	expect 0 good "$imgbuild" verify --full "$wim"
	expect 0 '' "$imgbuild" service "$wim:1" --put 'new.txt=\zz new.txt' -o out.wim
	wimverify out.wim > log 2>&1 || { cat log; fail "$1: wimverify"; }
	diff <(detailed "$wim") <(detailed out.wim) > diff.txt || true
	! grep -q '^<' diff.txt || { grep '^<' diff.txt | head; fail "$1: something is not what it was"; }
	grep -q 'zz new.txt' diff.txt || fail "$1: the new file is not there"
	rm -rf before after
	wimapply "$wim" 1 before > log 2>&1 && wimapply out.wim 1 after >> log 2>&1 || { cat log; fail "$1: wimapply"; }
	rm 'after/zz new.txt'
	diff -r --no-dereference before after || fail "$1: applied, it is something else"
	rm out.wim
	seen=$((seen + 1))
	echo "taken as it is: $1"
}

refused cyclic 'directories share their lists of entries'
refused dotdot "a name cannot be a file's name"
refused duplicate_names 'a name occurs twice in a directory'
damaged corrupted_file_1 'the content that should have SHA-1 22596363b3de40b06f981fb85d82312e8c0ed511 has'
damaged corrupted_file_2 'cannot be decompressed'
taken longpaths
taken empty_dacl
taken linux_xattrs_old
[ $seen -gt 0 ] || skip "libwim's tests/wims is not below IMGBUILD_REAL_DATA"
echo "$seen of libwim's 8 WIMs"
