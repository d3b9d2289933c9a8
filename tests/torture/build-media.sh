#!/bin/bash
# A whole build with one read, write, sync or rename failing: while the recovery environment is taken out of its image
# and put back, and while setup updates and boot programs go to the medium. Each time the build fails, the folder of an
# earlier one keeps its bytes, and nothing lies beside it.
. "$IB_SRC/tests/lib.sh"
need 7zz
fault=$IB_BUILD/tool_build_fault
[ -x "$fault" ] || skip "tool_build_fault is not built"
lab
mkdir updates made
cp "$media/packages/$ssu" "$media/packages/windows10.0-kb5005998-x64-safeos.cab" \
	"$media/packages/windows10.0-kb5005999-x64-setup.cab" updates/
cat > p.ini <<-INI
	[profile]
	extends = $IB_SRC/profiles/lab-icbc.ini
	name = torture
	customer = ICBC
	release = 2021-09B
	date = 2021-09-27
	version = 2020.1.2109.21
	[updates]
	search = $work/updates
	require =
INI
torture() { # FIRST-STAGE BEHIND-STAGE POINTS
	"$fault" p.ini "$vars" "$work/made/image" "$IB_SRC" "$@" 'targets=winre, boot' > calls.txt 2> err.txt ||
		{ tail -n 3 calls.txt; tail -n 5 err.txt; fail "stages $1 to $2"; }
	! grep -qE 'Sanitizer|CRITICAL' err.txt || { cat err.txt; fail "stages $1 to $2: a bug"; }
	tail -n 1 calls.txt
}
torture recovery media 14
grep -q ' recovery ' calls.txt || fail "no call of the recovery environment failed"
grep -q ' setup ' calls.txt || fail "no call of Setup failed"
echo ok
