#!/bin/bash
# What may go wrong around a build: a full disk, a limit on files, Ctrl-C, SIGKILL, two builds of one folder, nobody
# to print to. The earlier folder stays as it was, nothing half made remains, and the next build works.
# A build is caught in the middle by stopping it (SIGSTOP) as soon as a file of its workspace is there.
. "$IB_SRC/tests/lib.sh"
need 7zz sha256sum mountpoint
lab
iso=CMGE_V2020L_9B.iso
mkdir made
expect 0 'not published' build -o made/image
snapshot made > before
cp made/image/$iso good.iso

unchanged() { # WHEN
	snapshot made | grep -v '/\.work-' | diff before - > differ || fail "$1: the old folder changed: $(head -3 differ)"
}
clean() { unchanged "$1"; [ -z "$(find made -maxdepth 1 -name '.work-*')" ] || fail "$1: left behind: $(ls -A made)"; }
works_again() { # WHEN: the next build takes away what lies there, and makes the same bytes
	expect 0 'not published' build -o made/image
	cmp good.iso made/image/$iso || fail "$1: the next build makes another ISO"
	snapshot made > before
	clean "$1"
}

# caught FILE OPTION…: a build that is stopped when FILE of its workspace is there; its number is in $pid
pid=
at_end+=('[ -z "$pid" ] || kill -9 "$pid" 2> /dev/null')
caught() {
	local file=made/.work-image/$1 try
	shift
	for try in 1 2 3 4 5; do
		"$imgbuild" build "$profile" --vars "$vars" --progress=none -o made/image "$@" > build.log 2>&1 < /dev/null &
		pid=$!
		while [ ! -e "$file" ] && kill -0 $pid 2> /dev/null; do :; done
		kill -STOP $pid 2> /dev/null && [ -e "$file" ] && return
		kill -CONT $pid 2> /dev/null || true
		wait $pid || true
		snapshot made > before
	done
	fail "no build could be caught at $file: $(cat build.log)"
}
ended() { # STATUS: the caught build goes on and ends with it
	local got=0
	kill -CONT $pid
	wait $pid || got=$?
	pid=
	[ $got = "$1" ] || { cat build.log; fail "the stopped build ended with $got, not $1"; }
}

# 1. Ctrl-C, early and while the ISO is written
for moment in . $iso; do
	caught $moment
	kill -INT $pid
	ended 130
	grep -q 'cause: .*interrupted' build.log || { cat build.log; fail "it does not say that it was interrupted"; }
	clean "SIGINT at $moment"
done
# while it plans: nothing was made yet, and nothing is
"$imgbuild" build "$profile" --vars "$vars" --progress=none -o made/image > build.log 2>&1 < /dev/null &
pid=$!
until ls -l /proc/$pid/fd 2> /dev/null | grep -q lab-base.iso; do kill -0 $pid || fail "it ended too early: $(cat build.log)"; done
kill -INT $pid
ended 130
grep -q "while planning" build.log || { cat build.log; fail "it was interrupted too late"; }
clean 'SIGINT while planning'
caught $iso
kill -TERM $pid
ended 130
clean SIGTERM
works_again SIGINT

# 2. SIGKILL: the workspace stays, the old folder too; the next build clears it away
for moment in . $iso; do
	caught $moment
	kill -KILL $pid
	wait $pid || true
	pid=
	[ -d made/.work-image ] || fail "SIGKILL left nothing: it came too late"
	unchanged SIGKILL
done
echo rubbish > made/.work-image/$iso.old
works_again SIGKILL

# 3. two builds of one folder: the second is refused and disturbs nothing; another folder is free
caught $iso
expect 5 "another build of '$work/made/image' is running" build -o made/image
says 'hint:' '-o'
unchanged 'a second build'
[ -s made/.work-image.lock ] || [ -e made/.work-image.lock ] || fail "the second build took the first one's lock away"
expect 5 'is running' build -o made/image
expect 0 'not published' build -o made/other
rm -r made/other
ended 0
cmp good.iso made/image/$iso || fail "the first build was disturbed"
snapshot made > before
clean 'a second build'

# 4. what the output folder may not be
mkdir made/mine && echo precious > made/mine/letter.txt
snapshot made > before
expect 3 "made/mine' is no build folder" build -o made/mine
says 'hint:'
expect 3 "is no build folder" "$imgbuild" plan "$profile" --vars "$vars" -o made/mine
expect 3 'is no folder' build -o made/mine/letter.txt
clean 'a folder of somebody'
expect 5 'Not a directory' build -o made/mine/letter.txt/x
rm -r made/mine
snapshot made > before

# 5. a limit on the size of files: a write fails in the middle, while the recovery environment is taken out and while
# the disc is written
(trap '' XFSZ; ulimit -f 256; expect 5 'File too large' build -o made/image; says 'winre.wim')
clean 'a limit on temporary files'
(trap '' XFSZ; ulimit -f $(($(stat -c %s good.iso) / 1024 - 1024)); expect 5 'File too large' build -o made/image; says "$iso")
clean 'a limit on files'

# 6. a full disk: refused before the first write; and when it fills up later
mkdir small
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=20m none small 2> /dev/null; then
	at_end+=("umount -l $work/small")
	for command in plan build; do
		expect 5 'bytes needed, ' "$imgbuild" $command "$profile" --vars "$vars" -o small/image
		says "$work/small" 'too little space' ' available' 'hint:'
		[ -z "$(ls -A small)" ] || fail "a refused $command wrote: $(ls -A small)"
	done
	grep -oE '[0-9]+ bytes needed, [0-9]+ available' said > numbers
	read -r needed _ _ available _ < numbers
	[ "$available" -le 20971520 ] && [ "$needed" -gt "$available" ] || fail "the numbers: $(cat numbers)"
	mount -o remount,size=200m small
	ln -s "$work/small/made" made-there
	mv made made-kept && mkdir small/made && ln -s small/made made && cp -r made-kept/. made/
	for moment in . $iso; do
		caught $moment
		dd if=/dev/zero of=small/filler bs=64k 2> /dev/null || true
		ended 5
		grep -qE 'No space left|bytes needed' build.log || { cat build.log; fail "it does not say why"; }
		clean 'a full disk'
		rm small/filler
	done
	works_again 'a full disk'
	rm made && mv made-kept made
	snapshot made > before
else
	echo "NOT TESTED: a full disk; that needs root and a tmpfs"
fi

# 7. nobody to print to: the result could not be told, so it is no success; the folder is whole all the same, and
#    what was printed did not go into a file of ours
for closed in '>&-' '> /dev/full' '<&- >&- 2>&-'; do
	for words in --version --help 'build --help' 'profile keys'; do
		status=0
		eval "\"$imgbuild\" $words $closed" 2>> err.txt || status=$?
		[ $status = 5 ] || fail "$words $closed: status $status, not 5"
	done
done
status=0
build -o made/image >&- || status=$?
[ $status = 5 ] || fail "build that cannot print: status $status, not 5"
cmp good.iso made/image/$iso || fail "a build that cannot print makes another ISO"
expect 0 good "$imgbuild" verify made/image
echo ok
