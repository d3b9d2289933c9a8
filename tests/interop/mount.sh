#!/bin/bash
# imgbuild mount: what FUSE shows is what was captured; where FUSE is missing, it says so.
. "$IB_SRC/tests/lib.sh"
need wimcapture
mkdir -p tree/docs mnt && echo one > tree/docs/a.txt && : > tree/empty
wimcapture tree a.wim first --compress=LZX > /dev/null
expect 3 "no image 2" "$imgbuild" mount a.wim:2 mnt
expect 3 "cannot mount on" "$imgbuild" mount a.wim nowhere
expect 3 "cannot be used as a WIM" "$imgbuild" mount tree/docs/a.txt mnt
{ head -c 32769 /dev/zero; printf 'CD001'; head -c 4096 /dev/zero; } > disc.iso
expect 3 "only a WIM file can be mounted" "$imgbuild" mount disc.iso:1 mnt
if ! [ -r /dev/fuse ] || ! [ -w /dev/fuse ]; then
	expect 5 "FUSE needs '/dev/fuse'" "$imgbuild" mount a.wim mnt
	echo "left out: no FUSE here"
	exit 0
fi
if ! "$imgbuild" mount a.wim mnt > said 2>&1; then
	cat said
	grep -q 'wimlib' said || fail "mount fails without a reason"
	echo "mounting is not allowed here"
	exit 0
fi
at_end+=("mountpoint -q '$work/mnt' && fusermount -u '$work/mnt'")
diff -r tree mnt || fail "the mounted image differs"
! touch mnt/new 2> /dev/null || fail "the mounted image can be written"
expect 0 "unmounted mnt" "$imgbuild" unmount mnt
[ -z "$(ls mnt)" ] || fail "still mounted"
expect 5 "cannot unmount" "$imgbuild" unmount mnt
echo "an image can be looked into"
