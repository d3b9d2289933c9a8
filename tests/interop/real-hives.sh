#!/bin/bash
# Genuine hives, which cannot be part of this tree. IMGBUILD_REAL_DATA names a folder with any hives in it; those of the
# public test sets of yarp (hives_for_tests), regipy (regipy_tests/data) and nt-hive (testhive) are known by name, and
# what must be in them is what those projects' own tests say.
#
# A clean hive is loaded and saved, and hivex, reglookup and libregf must read the same from both. A dirty one with logs
# must become what Windows made of it, where that is known. A hostile one must be refused with exit status 3.
if [ -z "${IMGBUILD_REAL_DATA:-}" ]; then
	echo "SKIPPED: IMGBUILD_REAL_DATA is not set, no genuine hive was looked at"
	exit 77
fi
. "$IB_SRC/tests/lib.sh"
need hivexregedit reglookup regfexport
data=$(realpath "$IMGBUILD_REAL_DATA")

# Refused, and why. yarp refuses them too, or looks only for remnants in them.
declare -A hostile=(
	[BadListHive]='says its parent is' [BadSubkeyHive]='says its parent is' [InvalidParentHive]='says its parent is'
	[DuplicateSubkeysHive]="two subkeys '4500'" [TruncatedNameHive]='a key name of 22 bytes'
	[TruncatedHive]='the file holds' [DeletedDataHiveTruncated]='is no cell' [TruncatedHiveBin]='the smallest hive'
	[InvalidParentFragment]='the smallest hive' [OldLogWithRemnantData]='not a primary file'
	[EffectiveSizeHive]='has checksum' [GarbageHive]='has checksum' [TruncatedDirtyHive]='no log completes it'
	[BadLogHive1/BadLogHive]='no log completes it' [BadLogHive2/BadLogHive]='no log completes it'
	[BadLogHive3/BadLogHive]='no log completes it' [corrupted_system_hive]='no bin begins here'
)
# Dirty, completed by logs: entries and pages. Those of regipy's hives are the numbers its tests expect.
declare -A dirty=(
	[SYSTEM_B]='24 log entries of 315 pages' [UsrClass.dat]='14 log entries of 158 pages'
	[transactions_NTUSER.DAT]='23 log entries of 132 pages'
	[NewDirtyHive1/NewDirtyHive]='4 log entries of 4 pages' [NewDirtyHive2/NewDirtyHive]='3 log entries of 3 pages'
	[OldDirtyHive/OldDirtyHive]='1 log entry of 64 pages' [BadBaseBlockHive/BadBaseBlockHive]='1 log entry of 64 pages'
)
# Where a reader's text may change, and why.
#   order:     the lists are out of Windows' order and are put into it; nothing else changes
#   tombstone: libregf calls the empty values of a differencing hive corrupted; ours it can read
declare -A known=([WrongOrderHive]=order [System_Delta]=tombstone)

printf 'Windows Registry Editor Version 5.00\r\n' > nothing.reg
declare -A count=()
tally() { count[$1]=$((${count[$1]:-0} + 1)); }
# The name of a hive in the tables: with its folder where that tells it from others.
name_of() {
	local base=${1##*/} dir
	dir=$(basename "$(dirname "$1")")
	case $base in BadLogHive | NewDirtyHive | OldDirtyHive | BadBaseBlockHive) echo "$dir/$base" ;; *) echo "$base" ;; esac
}

# libregf reads text without a NUL past its size, into the slack of its cell: sizes and data of texts are left to the others.
read_hivex() { hivexregedit --export "$1" '\' 2> /dev/null; }
read_reglookup() { reglookup -s "$1" 2> /dev/null; }
read_libregf() { regfexport "$1" 2> /dev/null | awk '/^Type: .*string/ { skip = 2; print; next } skip-- > 0 { next } { print }'; }

# same NAME A B: every reader that can read A reads the same from B
same() {
	local reader able=0 tolerate=${known[$1]:-}
	for reader in hivex reglookup libregf; do
		read_$reader "$2" > a.txt || { tally "not read by $reader"; continue; }
		able=$((able + 1))
		read_$reader "$3" > b.txt || fail "$1: $reader cannot read what we saved"
		case $tolerate.$reader in
		order.reglookup) sort -o a.txt a.txt && sort -o b.txt b.txt ;;
		order.libregf) continue ;; # it numbers the values of the keys
		tombstone.libregf) sed -i '/^Is corrupted$/d' a.txt b.txt ;;
		esac
		cmp -s a.txt b.txt || { diff a.txt b.txt | head -6 >&2; fail "$1: $reader reads something else after saving"; }
	done
	[ $able -gt 0 ] || fail "$1: no reader can read it"
}

# The log counts only as regipy and yarp take it, so what is not in a table must be clean, or dirty without logs.
judge() { # FILE
	local name status=0
	name=$(name_of "$1")
	if [ -n "${hostile[$name]:-}" ]; then
		expect 3 "${hostile[$name]}" "$imgbuild" hive verify "$1"
		tally refused
		return
	fi
	"$imgbuild" hive verify "$1" > said 2>&1 || status=$?
	case $status in
	0) ;;
	3)
		grep -q 'no log completes it\|has checksum' said || { cat said >&2; fail "$1 is refused"; }
		expect 0 'dirty, taken as it is' "$imgbuild" hive verify "$1" --accept-dirty-hive
		expect 0 '' "$imgbuild" hive import "$1" nothing.reg -o saved --accept-dirty-hive
		same "$name" "$1" saved
		tally 'dirty without its logs: refused, and taken as it is when asked'
		return ;;
	*) cat said >&2; fail "$1: status $status" ;;
	esac
	rm -f saved
	expect 0 '' "$imgbuild" hive import "$1" nothing.reg -o saved
	if [ -n "${dirty[$name]:-}" ]; then
		expect 0 "dirty, completed by ${dirty[$name]}" "$imgbuild" hive verify "$1"
		expect 0 'state: clean' "$imgbuild" hive verify saved
		cp saved "done.${name//\//.}"
		tally 'completed by logs'
	else
		expect 0 'state: clean' "$imgbuild" hive verify "$1"
		same "$name" "$1" saved
		tally 'clean, read the same after saving'
	fi
}

while IFS= read -r -d '' file; do
	case $file in *.[lL][oO][gG] | *.[lL][oO][gG][12] | */Carving/* | */MemoryCarving/*) continue ;; esac
	[ "$(head -c 4 "$file" 2> /dev/null | tr -d '\0')" = regf ] || continue
	judge "$file"
done < <(find "$data" -type f -print0 | sort -z)
[ ${#count[@]} -gt 0 ] || skip "no hive below IMGBUILD_REAL_DATA"

# What Windows itself made of two of the dirty ones lies beside them.
twin() { # NAME FILE
	local made
	made=$(find "$data" -path "*/$2" -print -quit)
	[ -f "done.$1" ] && [ -n "$made" ] || return 0
	same "$1" "$made" "done.$1"
	expect 0 'count: 0' "$imgbuild" hive diff "$made" "done.$1"
	tally 'completed as Windows did'
}
twin NewDirtyHive1.NewDirtyHive NewDirtyHive1/RecoveredHive_Windows10
twin OldDirtyHive.OldDirtyHive OldDirtyHive/RecoveredHive_Windows7

# has HIVE KEY VALUE WANT, lacks HIVE KEY: facts from yarp's tests
has() {
	[ -f "$1" ] || return 0
	local got
	got=$("$imgbuild" hive get "$1" "$2" "$3") || fail "$1: no $2 : $3"
	[ "$got" = "$4" ] || fail "$1: $2 : $3 is '$got'"
	tally 'facts'
}
lacks() { [ ! -f "$1" ] || { expect 3 'has no key' "$imgbuild" hive get "$1" "$2"; tally facts; }; }
has done.NewDirtyHive1.NewDirtyHive Key3 '' "$(printf '1%.0s' {1..1440})"
lacks done.NewDirtyHive1.NewDirtyHive Key1
lacks done.NewDirtyHive1.NewDirtyHive 'Key2\Key2_1'
has done.OldDirtyHive.OldDirtyHive 'key_with_many_subkeys\4500' v $'a\nbb\nccc'
lacks done.OldDirtyHive.OldDirtyHive 'key_with_many_subkeys\1'
lacks done.OldDirtyHive.OldDirtyHive 'key_with_many_subkeys\5000\find_me'
known_file() { find "$data" -path "*/hives_for_tests/$1" -print -quit; }
if [ -n "$(known_file BigDataHive)" ]; then
	"$imgbuild" hive get "$(known_file BigDataHive)" key_with_bigdata V --format=json > big.json
	[ "$(sed -n 's/.*"hex" : "\([0-9a-f]*\)".*/\1/p' big.json | tr -d '\n' | wc -c)" = $((2 * 81725)) ] || fail "BigDataHive"
	has "$(known_file MultiSzHive)" key 2 $'привет\nкак дела?'
	has "$(known_file StringValuesHive)" key '' 'test тест'
fi
if [ -n "$(known_file ManySubkeysHive)" ]; then
	expect 0 'key_with_many_subkeys\2119\find_me' "$imgbuild" hive get "$(known_file ManySubkeysHive)" \
		'KEY_with_many_subkeys\2119\Find_me'
	expect 0 'keys: 5003' "$imgbuild" hive verify "$(known_file ManySubkeysHive)"
fi

for what in "${!count[@]}"; do echo "${count[$what]} $what"; done | sort -k2
