#!/bin/bash
# Genuine differentials and manifests, which cannot be part of this tree. IMGBUILD_REAL_DATA names a folder that has
# msdelta/tests/fixtures (the public repository jlevere/msdelta). Every one must come out byte for byte.
set -euo pipefail
export LC_ALL=C.UTF-8

apply=$IB_BUILD/tool_delta_apply
real=${IMGBUILD_REAL_DATA:-}/msdelta/tests/fixtures
if [ -z "${IMGBUILD_REAL_DATA:-}" ] || [ ! -d "$real" ]; then
	echo "SKIPPED: IMGBUILD_REAL_DATA does not name a folder with msdelta/tests/fixtures, no genuine delta was applied"
	exit 77
fi
[ -x "$apply" ] && [ -x "$IB_BUILD/tool_delta_encode" ] || { echo "skipped: tool_delta_apply or _encode is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
good=0 bad=0

# one NAME EXPECTED COMMAND...: the command writes $work/out, which must be EXPECTED
one() {
	local name=$1 expected=$2
	shift 2
	rm -f "$work/out"
	if "$@" "$work/out" 2>"$work/err" && cmp -s "$work/out" "$expected"; then
		echo "exact: $name"
		good=$((good + 1))
	else
		echo "NOT EXACT: $name: $(tr '\n' ' ' <"$work/err") $(cmp "$work/out" "$expected" 2>&1 || true)"
		bad=$((bad + 1))
	fi
}

delta() { one "$1" "$real/$3" "$apply" apply "$real/$2" "$real/$1"; }

for d in amd64_kbdwol amd64_provdiagnostics wow64_kbdmaori x86_mscordbi; do
	delta "pe-decode/$d/delta.pa30" "pe-decode/$d/base.bin" "pe-decode/$d/target.bin"
done
s=deltas/sources
delta deltas/advapi32_pe.pa30 $s/advapi32_old.dll $s/advapi32_new.dll
delta deltas/advapi32_raw.pa30 $s/advapi32_old.dll $s/advapi32_new.dll
delta deltas/cmd__to__cmd_patched__pe_amd64.pa30 $s/cmd.exe $s/cmd_patched.exe
delta deltas/cmd__to__notepad__raw.pa30 $s/cmd.exe $s/notepad.exe
delta deltas/cmd__to__notepad__raw_bsdiff_flag0x100.pa30 $s/cmd.exe $s/notepad.exe
delta deltas/cmd__to__notepad__raw_flag0x20000.pa30 $s/cmd.exe $s/notepad.exe
delta deltas/cmd__to__where__raw.pa30 $s/cmd.exe $s/where.exe
delta deltas/genuine/advapi32_pe_genuine.pa30 $s/advapi32_old.dll $s/advapi32_new.dll
delta deltas/genuine/cmd_pe_genuine.pa30 $s/cmd.exe $s/cmd_patched.exe
delta atoms/FridaExportOracle/raw-apply-delta-b/delta.pa30 atoms/FridaExportOracle/raw-apply-delta-b/source.bin \
	atoms/FridaExportOracle/raw-apply-delta-b/target.bin
for d in "$real"/atoms/ManagedNativeCorpus/*/; do
	d=atoms/ManagedNativeCorpus/$(basename "$d")
	[ -f "$real/$d/delta.pa30" ] && delta "$d/delta.pa30" "$d/source.dll" "$d/target.dll"
done
deltas=$((good + bad))

# manifests have no hash of their own: these are the SHA-256 of what an independent decoder made of them
while read -r size hash name; do
	file=("$real"/*"$name"*.manifest)
	if "$apply" dcm "$real/base_manifest.bin" "${file[0]}" "$work/out" &&
		[ "$(stat -c %s "$work/out")" = "$size" ] && [ "$(sha256sum <"$work/out" | cut -d' ' -f1)" = "$hash" ]; then
		echo "exact: $name"
		good=$((good + 1))
	else
		echo "NOT EXACT: $name"
		bad=$((bad + 1))
	fi
done <<'LIST'
52889 bbc5cf55df9876c5684f41aaefdced6ac56bdffc85906eef833ef4546ebeacb5 netvg63a
415 35e21bbbdb4854ff60fb599a00fd7562dc0b4491f138b1d7dd89fba5e4b568e9 windows-core_
2305 4eeda2114f9d1ce154ae88434202a2d483c02cb98df30f3886d855108d31de1b truetype-gadugi
96246 863d7bb403667dfc0b9a7ed646b9b54a4c2e613bae7d6f8eb48b0612ea7798f7 network-security
7080 84b1066ac79b4ec1e97f4416fa8597a39aa37de7c661c20aa30b15a056c87c5c riencehost.appxmain
1961 acb6e9128fe1b325f0d4c6fc3f16bc69d580980601c59e17c4d831cdc7a57ec1 multipoint-srcres
3263571 43c1523772b6a61fa70228fb029a8e2b6bcaff8f2c361a11e6ad2cd8364bf459 euapcommonproxystub
LIST
manifests=$((good + bad - deltas))

# genuine buffers of the Compression API, as bodies of records around them
for f in "$IMGBUILD_REAL_DATA"/msdelta/crates/lzms/tests/fixtures/lzms/*.lzms; do
	[ -f "$f" ] || continue
	"$IB_BUILD/tool_delta_encode" wrap "${f%.lzms}.raw" "$f" "$work/record"
	one "$(basename "$f")" "${f%.lzms}.raw" "$apply" apply - "$work/record"
done
buffers=$((good + bad - deltas - manifests))

# malformed ones must be refused as input (3) or for their hash (4), never crash
for f in "$real"/fuzz_crash_*.pa30; do
	status=0
	"$apply" apply - "$f" "$work/out" 2>/dev/null || status=$?
	case $status in
	3 | 4) echo "refused ($status): $(basename "$f")" ;;
	*) echo "NOT REFUSED ($status): $(basename "$f")"; bad=$((bad + 1)) ;;
	esac
done

echo "$good exact, $bad wrong, of $deltas deltas, $manifests manifests and $buffers LZMS buffers"
[ $deltas = 28 ] && [ $manifests = 7 ] && [ $bad = 0 ]
