#!/bin/bash
# The command line: help on stdout in 80 columns, every mistake on stderr with its status and exact words, nothing else.
. "$IB_SRC/tests/lib.sh"
need awk

# 1. help, version, man page, completion
commands=$("$imgbuild" --help | awk '/^commands:/ { on = 1; next } !NF { on = 0 } on && /^  [a-z]/ { print $1 }')
for c in build plan profile inspect verify keyform approve publish check-delivery manual; do
	grep -qx -- "$c" <<< "$commands" || fail "--help does not name '$c'"
done
helped() { # WORDS…: on stdout, at most 80 columns, no tabs, status 0
	expect 0 usage: "$imgbuild" "$@"
	[ ! -s said.err ] || fail "'$*' prints on stderr"
	! awk 'length > 80' said.out | grep . || fail "'$*' is wider than 80 columns"
	! grep -q "$(printf '\t')" said.out || fail "'$*' prints tabs"
}
helped --help
helped -h
helped help
says 'exit status:' '130' 'interrupted'
for c in $commands; do
	helped "$c" --help
	says "imgbuild $c" --format --progress --jobs
	cp said.out one
	helped "$c" -h
	cmp one said.out
	helped help "$c"
	cmp one said.out
done
expect 0 'imgbuild 0.' "$imgbuild" --version
[ "$(wc -l < said.out)" = 1 ] || fail "--version prints more than one line"
expect 0 '.TH IMGBUILD 1' "$imgbuild" manual man
expect 0 'complete -o default -F _imgbuild imgbuild' "$imgbuild" manual completion
bash -n said.out || fail "the completion is no bash"
for c in $commands; do grep -qw -- "$c" said.out || fail "the completion does not know '$c'"; done

# 2. mistakes: the words, then exactly what is said
wrong() { # STATUS WORDS…; stdin: the error
	local status=$1
	shift
	cat > want
	expect "$status" '' "$imgbuild" "$@"
	[ ! -s said.out ] || fail "'$*' prints on stdout"
	diff want said.err || fail "'$*' says something else"
}
wrong 2 <<< 'imgbuild: error: which command? imgbuild --help lists them'
wrong 2 frobnicate <<'END'
imgbuild: error: there is no command 'frobnicate'
  hint: imgbuild --help lists them
END
wrong 2 biuld x <<'END'
imgbuild: error: there is no command 'biuld'
  hint: did you mean 'imgbuild build'?
END
wrong 2 help plann <<'END'
imgbuild: error: there is no command 'plann'
  hint: did you mean 'imgbuild plan'?
END
wrong 2 build <<'END'
imgbuild: error: 'build' takes PROFILE, 0 words were given
  hint: imgbuild build --help
END
wrong 2 plan a b <<'END'
imgbuild: error: 'plan' takes PROFILE, 2 words were given
  hint: imgbuild plan --help
END
wrong 2 build --otuput x p.ini <<'END'
imgbuild: error: 'build' has no option '--otuput'
  hint: did you mean '--output'?
END
wrong 2 plan --publish p.ini <<'END'
imgbuild: error: 'plan' has no option '--publish'
  hint: imgbuild plan --help lists them
END
wrong 2 build -x p.ini <<'END'
imgbuild: error: 'build' has no option '-x'
  hint: imgbuild build --help lists them
END
wrong 2 plan p.ini -o <<< "imgbuild: error: option '--output' needs a value: DIR"
wrong 2 build --publish=yes p.ini <<< "imgbuild: error: option '--publish' takes no value"
wrong 2 build -o a --output=b p.ini <<< "imgbuild: error: option '--output' is given twice"
wrong 2 plan --format=xml p.ini <<< "imgbuild: error: option '--format' takes text|json, not 'xml'"
wrong 2 plan --progress=loud p.ini <<< "imgbuild: error: option '--progress' takes auto|tty|plain|json|none, not 'loud'"
wrong 2 plan --jobs 0 p.ini <<< "imgbuild: error: option '--jobs' takes a number from 1 to 256, not '0'"
wrong 2 plan -j many p.ini <<< "imgbuild: error: option '--jobs' takes a number from 1 to 256, not 'many'"
wrong 2 manual pdf <<< "imgbuild: error: 'manual' takes man or completion, not 'pdf'"
wrong 2 profile chekc p.ini <<< "imgbuild: error: 'profile' takes check, show or keys, not 'chekc'"
wrong 2 profile check <<< "imgbuild: error: 'profile check' needs a profile"
wrong 3 plan no-such.ini <<'END'
imgbuild: error: failed while reading profile 'no-such.ini'
  cause: cannot open 'no-such.ini': No such file or directory
END
wrong 3 inspect no-such.iso <<'END'
imgbuild: error: failed while inspecting 'no-such.iso'
  cause: cannot open 'no-such.iso': No such file or directory
END
echo text > text.txt
wrong 3 inspect -- text.txt <<'END'
imgbuild: error: failed while inspecting 'text.txt'
  cause: 'text.txt' is no ISO, WIM, package, manifest, catalog or hive
END
wrong 3 verify . <<'END'
imgbuild: error: cannot open './SHA256SUMS': No such file or directory
  hint: '.' is no build folder
END
wrong 3 publish . <<'END'
imgbuild: error: cannot open './records/job.json': No such file or directory
  hint: give the profile: imgbuild publish . --profile FILE
END
echo ok
