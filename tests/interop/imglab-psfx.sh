#!/usr/bin/env bash
# The lab's cumulative updates as differentials, held against the same updates with complete payload: what r\ makes of a
# complete file is what f\ makes it from; n\ needs nothing; compressed manifests are the plain ones; what is meant to be
# wrong is wrong, and nothing else.
. "$IB_SRC/tests/lib.sh"
need 7zz cabextract cmp
apply=$IB_BUILD/tool_delta_apply
[ -x "$apply" ] || skip "tool_delta_apply is not built"

"$imglab" packages --seed 5 -o lab
unpack() { # MSU DIR
	mkdir -p "$2"
	7zz x -y "-o$2.msu" "$1" > /dev/null
	cabextract -q -t "$2.msu"/*-x64*.cab > log 2>&1 || { cat log; fail "cabextract on $1"; }
	7zz x -y "-o$2" "$2.msu"/*-x64*.cab > /dev/null
}
unpack lab/$ssu stack
"$apply" dictionary stack/amd64_microsoft-windows-servicingstack_*/wcp.dll dictionary

# One update: full payload in $1, differentials in $2.
forward=0 null=0 complete=0 compressed=0
compare() { # FULL DIFFERENTIAL EVERY: look at each EVERYth file
	local path file m n=0
	grep -qF 'PackageFormat="PSFX"' "$2/update.mum" || fail "$2 does not say what it is"
	! grep -qF 'PackageFormat' "$1/update.mum" || fail "$1 says it is PSFX"
	[ "$(cd "$2.msu" && echo *)" = "$(cd "$1.msu" && echo * | sed -E 's/(-x64|-pkgProperties)\./\1_PSFX./g')" ] ||
		fail "names in $2: $(cd "$2.msu" && echo *)"
	for m in "$2"/*.manifest; do
		file=$m
		[ $((n++ % $3)) = 0 ] || continue
		if [ "$(head -c 3 "$m")" = DCM ]; then
			compressed=$((compressed + 1)) file=out
			"$apply" dcm dictionary "$m" out || fail "$m"
		else
			grep -q '<deployment ' "$m" || fail "$m is plain"
		fi
		cmp "$file" "$1/${m#"$2"/}" || fail "$m is another"
	done
	while read -r path; do
		[ $((n++ % $3)) = 0 ] || continue
		case $path in
		*/r/*) [ -f "$2/${path/\/r\///f/}" ] || fail "$path alone" ;;
		*/f/*)
			forward=$((forward + 1))
			"$apply" apply "$1/${path/\/f\///}" "$2/${path/\/f\///r/}" base || fail "r of $path"
			"$apply" apply base "$2/$path" out || fail "$path"
			cmp out "$1/${path/\/f\///}" || fail "$path makes another file" ;;
		*/n/*)
			null=$((null + 1))
			"$apply" apply - "$2/$path" out || fail "$path"
			cmp out "$1/${path/\/n\///}" || fail "$path makes another file" ;;
		*)
			complete=$((complete + 1))
			cmp "$2/$path" "$1/$path" || fail "$path is another file" ;;
		esac
	done < <(cd "$2" && find . -mindepth 2 -type f -printf '%P\n' | sort)
	# nothing is missing
	diff <(cd "$1" && find . -mindepth 2 -type f | sort) \
		<(cd "$2" && find . -mindepth 2 -type f ! -path '*/r/*' | sed 's,/[fn]/\([^/]*\)$,/\1,' | sort) || fail "payload of $2"
}
for kb in kb5001384 $(basename $lcu -x64.msu | cut -d- -f2) kb5006672; do
	unpack lab/windows10.0-$kb-x64.msu full-$kb
	unpack lab/psfx/windows10.0-$kb-x64.msu psfx-$kb
	compare full-$kb psfx-$kb $([ $kb = kb5005568 ] && echo 4 || echo 20)
done
[ "$forward" -gt 25 ] && [ "$((null + complete))" -gt 0 ] && [ "$compressed" -gt 25 ] ||
	fail "$forward forward, $null without a base, $complete complete, $compressed manifests"
[ "$(($(stat -c %s lab/psfx/$lcu) * 3))" -lt "$(stat -c %s lab/$lcu)" ] || fail "differentials do not make it small"

# what is wrong on purpose
differing() { # KIND: members of the wrong copy that differ from the good one's, in ./differing
	rm -rf bad bad.msu
	unpack "lab/refused/psfx/${lcu%.msu}-$1.msu" bad
	diff -rq psfx-kb5005568 bad > differing || true
	wc -l < differing
}
for kind in manifest base delta; do
	[ "$(differing $kind)" = 1 ] || fail "$kind: not one flaw"
done
expect 4 'CRC-32' "$apply" info "$(awk '{ print $4 }' differing)"
[ "$(differing target)" = 2 ] || fail "a wrong target is in f and r"
[ "$(differing noreverse)" -gt 50 ] || fail "hardly anything is missing"
! find bad -path '*/r/*' | grep . || fail "there are reverse differentials"
# programs: the usual transforms, and each of them alone
kinds=$(find psfx-kb5005568 -path '*/f/*' -exec "$apply" info {} \; | grep '^type' | sort | uniq -c)
[ "$(wc -l <<< "$kinds")" = 2 ] && grep -q 'AMD64 .*flags=0xe63e ' <<< "$kinds" && grep -q 'I386 .*flags=0xe1fe ' <<< "$kinds" ||
	fail "records about programs: $kinds"
alone() { # KEYFORM FILE FLAGS…
	local new=(full-kb5005568/$1*/"$2") back=(psfx-kb5005568/$1*/r/"$2") raw flags
	shift 2
	"$apply" apply "${new[0]}" "${back[0]}" old
	"$imglab" delta --source old -o d "${new[0]}"
	raw=$(stat -c %s d)
	for flags; do
		"$imglab" delta --program --flags "$flags" --source old --pa31 -o d "${new[0]}"
		"$apply" info d | grep -q " flags=$flags " || fail "flags $flags of $new"
		"$apply" apply old d out || fail "$new with $flags alone"
		cmp out "${new[0]}" || fail "$new with $flags alone"
	done
	"$imglab" delta --program --source old -o d "${new[0]}"
	[ "$(stat -c %s d)" -lt "$raw" ] || fail "transforming $new does not pay: $(stat -c %s d), raw $raw"
	echo "$(basename "${new[0]}"): $raw bytes raw, $(stat -c %s d) transformed"
}
alone amd64_microsoft-windows-os-kernel_ ntoskrnl.exe 0x2 0x4 0x8 0x10 0x20 0x40 0x200 0x400 0x2000 0x202 0x220 0x620
alone x86_microsoft-windows-ntdll_ ntdll.dll 0x2 0x4 0x8 0x10 0x20 0x40 0x80 0x100 0x2000 0x82 0x1a2
echo "$forward forward and reverse, $null without a base, $complete complete, $compressed compressed manifests"
