#!/bin/bash
# Reparse points and named streams that lib/wim makes, as libwim sees and applies them.
set -euo pipefail

edit=$IB_BUILD/tool_wim_edit
for tool in wimcapture wimverify wimdir wimapply; do
	command -v $tool >/dev/null || { echo "SKIPPED: $tool is not installed"; exit 77; }
done
[ -x "$edit" ] || { echo "SKIPPED: $edit is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0
fail() { echo "FAILED: $*"; failed=1; }
verify() { wimverify "$1" >log 2>&1 || { cat log; fail "$2: wimverify"; }; }
mkdir -p tree/Windows/System32 && echo t >tree/Windows/System32/text
for n in a c Zed; do echo "$n" >"tree/$n"; done
: >tree/nothing
seq 100000 >big.txt
head -c 70000 /dev/urandom >random.bin
wimcapture tree lzx.wim --compress=LZX >/dev/null 2>&1

# reparse points and named streams of our making, as libwim sees and applies them
rm -rf out.wim applied && "$edit" lzx.wim out.wim stream a first big.txt stream a Empty tree/nothing stream nothing n random.bin \
	stream Windows onDir random.bin stream c gone tree/a stream c kept tree/a unstream c GONE stream a FIRST random.bin stream Zed t tree/a unstream Zed t \
	junction junc 'C:\Windows' symlink sub.lnk 'Windows\System32\text' dirlink dl Windows stream junc js random.bin stream sub.lnk ls tree/a >/dev/null 2>log || { cat log; fail "streams"; }
verify out.wim "streams"
# hashes FILE…: as --detailed shows them
sha1() { sha1sum <"$1" | cut -c1-40; }
has() { wimdir out.wim --detailed --path="$1" >log; grep -qF -- "$2" log || { cat log; fail "$1: no '$2'"; }; }
has /a "Named data stream \"first\"" && has /a "$(sha1 random.bin)" && has /a 'Named data stream "Empty"' && has /a "$(sha1 tree/a)"
has /nothing 'Named data stream "n"' && has /Windows 'Named data stream "onDir"' && has /c 'Named data stream "kept"'
! grep -q gone log || fail "a removed stream is there"
has /junc 'Reparse Tag         = 0xa0000003' && has /junc 'Named data stream "js"' && has /junc 'Reparse point stream'
has /sub.lnk 'Reparse Tag         = 0xa000000c' && has /sub.lnk 'Named data stream "ls"'
wimapply out.wim applied >/dev/null 2>&1 || fail "streams: wimapply"
cmp -s applied/a tree/a && cmp -s applied/Zed tree/Zed && [ ! -s applied/nothing ] || fail "streams: content"
[ "$(readlink applied/sub.lnk)" = Windows/System32/text ] && [ "$(readlink applied/dl)" = Windows ] || fail "links: $(readlink applied/sub.lnk applied/dl)"
[[ "$(readlink applied/junc)" = */Windows ]] || fail "junction: $(readlink applied/junc)"
[ $failed = 0 ] || exit 1
echo "libwim sees the links and streams as they were made"
