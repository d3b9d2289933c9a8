#!/bin/bash
# profile check, show and keys; the main profile as its user wrote it is a good one, and the project's copy is that one.
. "$IB_SRC/tests/lib.sh"
need python3
reference=$IB_SRC/tests/data/icbc-v2020l-9b.ini
sets=(--set media=/m --set keys=/k --set records=/r --set catalog=/c)

cmp "$reference" "$IB_SRC/profiles/icbc-v2020l-9b.ini" || fail "the project's copy of the main profile differs"
for p in "$IB_SRC/profiles/icbc-v2020l-9b.ini" "$IB_SRC/profiles/lab-icbc.ini"; do
	expect 0 "$p: good" "$imgbuild" profile check "$p" "${sets[@]}" --set base-sha256="$(printf %064d 0)"
	! grep -v 'changes nothing' said.err || fail "a good profile is complained about: $(cat said.err)"
done
expect 3 "icbc-v2020l-9b.ini:25: variable 'media' is not set" "$imgbuild" profile check "$IB_SRC/profiles/icbc-v2020l-9b.ini"
says '--set media=VALUE' 'hint:'
printf '[vars]\nmedia = /from-file\nkeys = /k\nrecords = /r\ncatalog = /c\n' > vars.ini
expect 0 good "$imgbuild" profile check "$IB_SRC/profiles/icbc-v2020l-9b.ini" --vars vars.ini
expect 0 good "$imgbuild" profile check "$IB_SRC/profiles/icbc-v2020l-9b.ini" --vars vars.ini --set media=/from-option

# --set of what the profile has not: said, with the name that was meant
expect 0 good "$imgbuild" profile check "$IB_SRC/profiles/icbc-v2020l-9b.ini" --vars vars.ini --set mediaa=/m --set base.edition=x
says 'warning: profile: --set mediaa changes nothing' 'has no ${mediaa}, did you mean media?' 'has no ${base.edition}'
expect 0 good "$imgbuild" profile check "$IB_SRC/profiles/icbc-v2020l-9b.ini" --vars vars.ini --set media=/m
[ ! -s said.err ] || fail "a variable that the profile has is complained about: $(cat said.err)"

# show: parents, defaults and variables carried out, each value with its place; --set wins over --vars
show() { expect 0 '' "$imgbuild" profile show "$IB_SRC/profiles/icbc-v2020l-9b.ini" --vars vars.ini "$@"; }
show
says '[base]' 'image = /from-file/' "# $IB_SRC/profiles/icbc-v2020l-9b.ini:25" "# $IB_SRC/profiles/cmge-v2020-l.ini:" '# default'
show --set media=/from-option
says 'image = /from-option/'
show --format=json
python3 - <<'PY' || fail "the JSON of profile show"
import json
p = json.load(open("said.out"))
assert p["profile"]["customer"] == "ICBC", p["profile"]
assert p["profile"]["vendor"] == "CMGE", "the parent's"
assert p["base"]["image"].startswith("/from-file/"), p["base"]
PY
# what it shows is a profile again, with the same effect
show
grep -v '^#' said.out | sed '/^extends/d' > again.ini
"$imgbuild" profile show again.ini | grep -v '^#' | sed '/^$/d' | sort > b
grep -v '^$' again.ini | sort | diff - b || fail "the shown profile has another effect"

# keys: each key of the shipped profiles is in the reference
expect 0 '[profile]' "$imgbuild" profile keys
for k in customer extends require update-server host-key clock patch-days; do
	grep -qw -- "$k" said.out || fail "profile keys does not name '$k'"
done

# mistakes have file, line and the nearest word
bad() { # TEXT HINT, lines on stdin
	{ cat "$IB_SRC/profiles/icbc-v2020l-9b.ini"; cat; } | sed "s,^extends.*,extends = $IB_SRC/profiles/cmge-v2020-l.ini," > bad.ini
	expect 3 "$1" "$imgbuild" profile check bad.ini "${sets[@]}"
	says "bad.ini:" "${2:-cause:}"
	[ ! -s said.out ] || fail "an error is on stdout"
}
last=$(wc -l < "$reference")
bad "bad.ini:$((last + 2)): key 'lable' is not known in section '[media]'" "did you mean 'label'?" <<< $'[media]\nlable = X'
bad "bad.ini:$((last + 2)): section '[signn]' is not known" "did you mean 'sign'?" <<< $'[signn]\nx = y'
bad "is given twice in section '[base]'" <<< $'[base]\nedition = x'
bad "key 'path' is required in section '[file:x]'" <<< $'[file:x]\nsource = a'
bad 'holds a secret itself' 'env:' <<< $'[publish]\npassword = hunter2'
! grep -q hunter2 said || fail "the secret is repeated"
printf '[profile]\n# \xb9\xa4\xd0\xd0\n' | bad "bad.ini:$((last + 2)): this is not UTF-8" 'gbk'
printf '\xff\xfe[\0p\0' > wide.ini
expect 3 "'wide.ini' is UTF-16" "$imgbuild" profile check wide.ini
says 'hint:' 'save it as UTF-8'
# the label is the name of a file: another one leads nowhere else
for label in 工行 a/b ../../up CON .hidden 'a:b' "$(printf 'x%.0s' {1..31})"; do
	awk -v l="$label" '/^label/ { $0 = "label = " l } { print }' "$IB_SRC/profiles/lab-icbc.ini" |
		sed "s,^extends.*,extends = $IB_SRC/profiles/cmge-v2020-l.ini," > label.ini
	expect 3 "'label' cannot be '$label'" "$imgbuild" profile check label.ini "${sets[@]}" --set base-sha256="$(printf %064d 0)"
done
for level in 0 101 1e1; do
	awk -v l="$level" '{ print } /^label/ { print "level = " l }' "$IB_SRC/profiles/lab-icbc.ini" |
		sed "s,^extends.*,extends = $IB_SRC/profiles/cmge-v2020-l.ini," > level.ini
	expect 3 "not '$level'" "$imgbuild" profile check level.ini "${sets[@]}" --set base-sha256="$(printf %064d 0)"
	says "level.ini:" "'level' is a"
done
bad 'no-such-variable' '--set no-such-variable=VALUE' <<< $'[sign]\nmodule = ${no-such-variable}'
echo ok
