#!/bin/bash
# Packages with one fault each (imglab/hostile.h), and images that must not be serviced. `service`, `plan` and `build`
# refuse each with its status; the message names package, component and file as far as they apply and says what to do;
# no output appears, an older one and the base stay as they are, and nothing takes more time and memory than it may.
. "$IB_SRC/tests/lib.sh"
need 7zz python3 sha256sum wimupdate wimextract
lab
base=$media/sources/install.wim
"$imglab" hostile -o hostile
before=$(sha256 "$base") iso_before=$(sha256 "$media/lab-base.iso")
root='Package_for_KB5005970~31bf3856ad364e35~amd64~~10.0.1.0'
component='amd64_lab-hostile_31bf3856ad364e35_10.0.17763.2183_none_ec279408113f67ae'
n=0

service() { "$imgbuild" service "$base:1" --trust "$media/lab-root.pem" --progress=none "$@"; }
unharmed() { # WHAT
	[ "$(sha256 "$base")" = "$before" ] || fail "$1: the base changed"
	[ -z "$(find . -maxdepth 1 -name '*.wim.*')$(find . -maxdepth 1 -name '.work-*')" ] || fail "$1: something is left behind"
}
# The step and the place are in the message, it is of bounded length and obeyed by no terminal.
good_message() { # WHAT STATUS TEXT...
	local what=$1 status=$2
	shift 2
	says 'imgbuild: error: ' 'cause: ' "$@"
	[ $status = 8 ] || says 'hint: '
	[ ! -s said.out ] || fail "$what: an error is on stdout"
	awk 'length > 1000' said.err | (! grep -q .) || fail "$what: an endless message"
	! LC_ALL=C grep -q '[[:cntrl:]]' said.err || fail "$what: the message holds control characters"
}

# a folder built before, which every build that is refused must leave alone
cat > p.ini <<-INI
	[profile]
	extends = $IB_SRC/profiles/lab-icbc.ini
	name = hostile
	customer = ICBC
	release = 2021-09B
	date = \${day}
	version = 2020.1.2109.21
	[updates]
	search =
	require =
	cumulative = \${package}
INI
mkdir made
day=2021-09-27 # the build's clock: what has no time stamp is judged by it
run() { "$imgbuild" "$1" p.ini --vars "$vars" --set targets=install --set "day=$day" --set "package=$2" -o made/image "${@:3}"; }
expect 0 '' run build hostile/good.cab --progress=none
snapshot made > made.before

# refused STATUS FILE TEXT...: by all three; TEXT is in each message
refused() {
	local status=$1 file=$2
	shift 2
	[ -e "hostile/$file" ] || fail "imglab makes no $file"
	expect "$status" "hostile/$file" service --add-package "hostile/$file" -o new.wim
	good_message "$file" "$status" "$@"
	[ ! -e new.wim ] || fail "$file: an output appeared"
	echo old > old.wim
	expect "$status" '' service --add-package "hostile/$file" -o old.wim
	[ "$(cat old.wim)" = old ] || fail "$file: the old output changed"
	unharmed "$file"
	expect "$status" "$file" run plan "hostile/$file"
	good_message "$file (plan)" "$status" "$@"
	expect "$status" "$file" run build "hostile/$file" --progress=none
	good_message "$file (build)" "$status" "$@"
	snapshot made | cmp -s made.before - || fail "$file: the old folder changed"
	[ "$(find made -mindepth 1 -maxdepth 1 ! -name '*.lock')" = made/image ] || fail "$file: left behind: $(ls -A made)"
	touch "tried.$file"
	n=$((n + 1))
}
accepted() { # FILE
	expect 0 '' service --add-package "hostile/$1" -o new.wim
	rm new.wim
	touch "tried.$1"
}

accepted good.cab

# trees
refused 3 tree-cycle.cab "the package '$root' holds itself" "> 'Package_1_for_KB5005970"
refused 3 tree-self.cab "the package '$root' holds itself"
refused 3 tree-deep.cab 'packages hold each other more than 16 deep' Package_17_for_KB5005970
refused 6 tree-parent.cab "needs 'Package_for_KB5005970' 10.0.1.0" 0x800f081e
refused 3 deployment-cycle.cab 'the deployment' 'holds itself' fedcba9876543210
accepted deployment-maze.cab # 8^12 ways, no cycle: quick, if each deployment is planned once

# one identity, two contents
refused 4 twice-stored.cab "the image has the component 'amd64_microsoft-windows-notepad_" "$root"
refused 3 twice.cab "twice, with different content" "${component^^}"

# names of files: of no package's making
no_file=': it holds a character that Windows does not allow'
refused 3 name-up.cab "$component.manifest" "'..\..\up.dll' is not the name of a file"
refused 3 name-drive.cab "$component.manifest" "'C:\up.dll' is not the name of a file"
refused 3 name-root.cab "$component.manifest" "'\up.dll' is not the name of a file"
refused 3 name-slash.cab "$component.manifest" "'/etc/passwd' is not the name of a file"
refused 3 name-stream.cab "$component.manifest" "'up.dll:stream' is not the name of a file"
refused 3 name-con.cab "$component.manifest" "'CON' is not" 'the name of a device'
refused 3 name-nul.cab "$component.manifest" "'sub\nul.dll' is not" 'the name of a device'
refused 3 name-com1.cab "$component.manifest" 'the name of a device'
refused 3 name-dot.cab "$component.manifest" "'up.dll.' is not" 'a dot or a blank'
refused 3 name-space.cab "$component.manifest" "'up.dll ' is not" 'a dot or a blank'
refused 3 name-star.cab "$component.manifest" "'up*.dll' is not" "$no_file"
refused 3 name-less.cab "$component.manifest" "'up<1>.dll' is not" "$no_file"
refused 3 name-tab.cab "$component.manifest" "'up\u0009.dll' is not" "$no_file"
refused 3 name-terminal.cab "$component.manifest" '\u009b2J\u202e'
refused 3 name-empty.cab "$component.manifest" "'' is not the name of a file"
refused 3 name-long.cab "$component.manifest" 'more than 255 characters'

# where files go
refused 3 destination-up.cab "$component.manifest" 'leads upwards'
refused 3 destination-here.cab "$component" "the file 'labhostile.dll'" 'leaves its folder'
refused 3 destination-drive.cab "$component" "the file 'labhostile.dll'" "'D:\Windows" 'leaves its folder'
refused 3 destination-stream.cab "$component" "the file 'labhostile.dll'" 'leaves its folder'
refused 3 destination-nul.cab "$component" "the file 'labhostile.dll'" 'the name of a device'
refused 3 destination-dot.cab "$component" "the file 'labhostile.dll'" 'a dot or a blank'
refused 3 destination-space.cab "$component" "the file 'labhostile.dll'" 'a dot or a blank'
refused 3 destination-long.cab "$component" "the file 'labhostile.dll'" 'has 40231 characters'
refused 3 destination-file.cab "$component" 'Windows\System32\ntdll.dll\labhostile.dll'
refused 3 destination-macro.cab "$component" "the file 'labhostile.dll'" "the macro '\$(runtime.nosuch)' is not known"
refused 3 destination-open.cab "$component" "the file 'labhostile.dll'" 'a macro without meaning'
refused 3 destination-build.cab "$component" "the file 'labhostile.dll'" '$(build.nosuch)'
refused 3 destination-name.cab "$component.manifest" "'..\up.dll' is not the name of a file"
refused 3 link-up.cab "$component.manifest" 'leads upwards'
refused 3 link-macro.cab "$component" "the file 'labhostile.dll'" "the macro '\$(runtime.nosuch)' is not known"
refused 3 directory-up.cab "$component.manifest" 'leads upwards'
refused 3 directory-con.cab "$component" 'the folder' 'the name of a device'

# the registry
refused 3 key-root.cab "$component" "HKEY_NOWHERE\SOFTWARE\Imglab' begins with no known root"
refused 3 key-macro.cab "$component" 'HKEY_LOCAL_MACHINE\SOFTWARE\$(runtime.nosuch)' 'is not known'
refused 3 key-long.cab "$component" 'at most 255 are possible'
refused 3 key-deep.cab "$component" 'bytes more)'
refused 3 value-dword.cab "$component" 'SOFTWARE\Imglab\Hostile!Bad' 'not a number from 0 to 4294967295'
refused 3 value-qword.cab "$component" 'SOFTWARE\Imglab\Hostile!Bad' '0x12345678901234567'
refused 3 value-macro.cab "$component" 'SOFTWARE\Imglab\Hostile!Bad' "the macro '\$(runtime.nosuch)' is not known"
refused 3 value-multi.cab "$component" 'SOFTWARE\Imglab\Hostile!Bad' 'a comma is missing'
refused 3 value-odd.cab "$component" 'AAAA… (' 'bytes more)'
refused 3 value-long.cab "$component.manifest" 'AttValue length too long'
refused 3 value-name.cab "$component" 'has 20000 characters, at most 16383'
refused 3 value-type.cab "$component" 'SOFTWARE\Imglab\Hostile!Bad' "the unknown type 'REG_LAUGH'"

# what else a component brings
refused 3 service-name.cab "$component.manifest" "'..\Lab' is not the name of a service"
refused 3 service-start.cab "$component" "'whenever' is no start type for the service 'LabHostile'"
refused 3 service-image.cab "$component" 'service LabHostile' "the macro '\$(runtime.nosuch)' is not known"
refused 3 svchost-name.cab "$component.manifest" 'a serviceGroup needs a group and a service'
refused 3 task-up.cab "$component" 'the task ' 'leaves its folder'
refused 3 task-con.cab "$component" 'the task CON' 'the name of a device'
refused 3 task-stream.cab "$component" 'the task a:b' 'leaves its folder'
refused 3 event-guid.cab "$component" "'..\..\Run' is no GUID"
refused 3 sddl.cab "$component" "the file 'labhostile.dll'" 'a SID expected'

# what it is for
refused 6 arch.cab 'is for arm64, the image is amd64' 0x800f081e
refused 6 build.cab 'the image has 10.0.17763.1' 0x800f081e
refused 3 package-name.cab "update.mum" "name '..\Package' of an assemblyIdentity"
refused 3 package-star.cab "update.mum" "own identity has a '*'"

# sizes and XML
refused 3 huge-manifest.cab "$component.manifest' has 524288000 bytes, at most 67108864"
refused 3 huge-manifest-claim.cab "$component.manifest" 'holds 524288000 bytes, at most'
refused 3 huge-mum.cab "'update.mum' has 524288000 bytes, at most"
refused 3 huge-index.cab ".manifest' has 524288000 bytes, at most"
refused 4 huge-payload.cab "$component\labhostile.dll' has 15 bytes" 'says 524288000'
refused 3 xml-deep.cab '.manifest' 'Excessive depth'
refused 3 xml-deep-mum.cab "'update.mum'" 'Excessive depth'
refused 3 xml-laughs.cab '.manifest' 'has a DOCTYPE, which is refused'
refused 3 xml-laughs-mum.cab "'update.mum'" 'has a DOCTYPE, which is refused'
refused 3 xml-foreign.cab '.manifest' 'has a DOCTYPE, which is refused'
refused 3 xml-entity.cab '.manifest' "Entity 'nothing' not defined"
refused 3 xml-none.cab '.manifest' 'is not well-formed XML'
refused 3 updates-many.cab "'update.mum'" 'more than 20000 updates'

# hashes, from the catalog down
deployment=amd64_0123456789abcdef0123456789abcdef_
unlisted="is a member of none of the package's 1 catalogs"
refused 4 catalog-missing.cab "$root" "unsigned: its catalog 'update.cat' is missing"
refused 4 catalog-changed.cab "'update.cat': the content was changed after it was signed"
refused 3 catalog-cut.cab "'update.cat' is not a catalog"
refused 4 catalog-empty.cab "$root" "is not a member of its catalog 'update.cat'"
refused 4 catalog-stranger.cab "'update.cat'" 'Imglab Unknown Publisher' 'no trust anchor is above it'
day=2026-01-02 refused 4 catalog-unstamped.cab "'update.cat'" 'had expired on' 'no time stamp proves an earlier signature'
refused 4 mum-unlisted.cab "$root" "is not a member of its catalog 'update.cat'"
refused 4 mum-changed.cab "$root" "is not a member of its catalog 'update.cat'"
refused 3 mum-renamed.cab "Package_for_KB5009999" "gives the name '$root.mum'"
refused 4 deployment-unlisted.cab "$deployment" "$unlisted"
refused 4 deployment-changed.cab "$deployment" "$unlisted"
refused 3 deployment-missing.cab "$deployment" 'which neither it nor the image has' 0x800f081f
refused 4 manifest-unlisted.cab "$component.manifest" "$unlisted"
refused 4 manifest-changed.cab "$component.manifest" "$unlisted"
refused 3 manifest-missing.cab "$component" 'which neither it nor the image has' 0x800f081f
refused 3 manifest-renamed.cab '_0123456789abcdef.manifest' "gives the name '$component.manifest'"
refused 4 payload-changed.cab "$component" "file 'labhostile.dll'" 'its manifest says'
refused 3 payload-missing.cab "$component" "the file 'labhostile.dll'" 0x800f081f

# names in containers
refused 3 member-up.cab "'..\..\up.dll' of member" 'leads out of it'
refused 3 member-drive.cab "'C:\up.dll' of member" 'leads out of it'
refused 3 member-root.cab "'\etc\up' of member" 'leads out of it'
refused 3 index-up.cab '_manifest_.cix.xml' "'..\..\up.dll' leads out of the package"
refused 3 index-drive.cab '_manifest_.cix.xml' "'C:\up.dll' leads out of the package"
refused 3 index-stream.cab '_manifest_.cix.xml' "'a\up.dll:b' leads out of the package"
accepted index-root.cab # below the package all the same
for f in hostile/*.cab; do [ -e "tried.${f#*/}" ] || fail "nobody tried $f"; done

# a good cabinet cut and changed at many places; a changed date of a member is nobody's business
size=$(stat -c %s hostile/good.cab)
for ((at = 0; at < size; at += size / 25)); do
	head -c $at hostile/good.cab > hostile/cut.cab
	expect 3 cut.cab service --add-package hostile/cut.cab -o new.wim
	python3 - hostile/good.cab hostile/spoiled.cab $at <<-'PY'
		import sys
		b = bytearray(open(sys.argv[1], "rb").read())
		b[int(sys.argv[3])] ^= 0x55
		open(sys.argv[2], "wb").write(b)
	PY
	expect '[034]' '' service --add-package hostile/spoiled.cab -o new.wim
	[ ! -s said.err ] || { says hint: spoiled.cab && [ ! -e new.wim ] || fail "spoiled at $at: an output appeared"; }
	rm -f new.wim
done
unharmed 'a damaged cabinet'

# differentials: what they make must be what the manifest means
for bad in target delta base manifest; do
	f=$media/packages/refused/psfx/windows10.0-kb5005568-x64-$bad.msu
	expect 4 "windows10.0-kb5005568-x64-$bad.msu" service --add-package "$media/packages/$ssu" --add-package "$f" -o new.wim
	good_message "$bad" 4
	[ ! -e new.wim ] || fail "$bad: an output appeared"
done

# how much time and memory what is too large may take; the good one for comparison
measured() { # FILE
	python3 - "$1" "$imgbuild" service "$base:1" --trust "$media/lab-root.pem" --progress=none --add-package "hostile/$1" \
		-o measured.wim <<-'PY'
		import resource, subprocess, sys
		code = subprocess.call(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
		used = resource.getrusage(resource.RUSAGE_CHILDREN)
		seconds, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
		print(f"{sys.argv[1]}: status {code}, {seconds:.1f} s of the processor, peak {peak:.0f} MB")
		sys.exit(seconds > 30 or peak > 400)
	PY
	rm -f measured.wim
}
for f in good huge-manifest huge-manifest-claim huge-mum huge-index huge-payload xml-deep xml-laughs updates-many value-long \
	deployment-maze tree-deep destination-long; do
	measured $f.cab || fail "$f.cab takes too much"
done

# images: with pending work, with a value of 2 GB, with the update or a newer one
echo '<PendingTransaction/>' > pending.xml
cp "$base" pending.wim && wimupdate pending.wim 1 --command='add pending.xml /Windows/WinSxS/pending.xml' > /dev/null 2>&1
base=pending.wim before=$(sha256 pending.wim)
expect 3 0x800f0806 service --add-package hostile/good.cab -o new.wim
good_message pending 3 pending.xml
[ ! -e new.wim ] && unharmed pending
wimextract "$media/sources/install.wim" 1 /Windows/System32/config/SOFTWARE --dest-dir=. > /dev/null 2>&1
python3 - SOFTWARE <<-'PY'
	import struct, sys
	b = bytearray(open(sys.argv[1], "rb").read())
	at = b.find(b"vk")  # the first value cell: 2 name length, 4 data length
	while not 0 < struct.unpack_from("<H", b, at + 2)[0] < 64 or struct.unpack_from("<I", b, at + 4)[0] & 0x80000000:
	    at = b.find(b"vk", at + 1)
	struct.pack_into("<I", b, at + 4, 0x7fffffff)
	open(sys.argv[1], "wb").write(b)
PY
cp "$media/sources/install.wim" huge.wim && wimupdate huge.wim 1 --command='delete /Windows/System32/config/SOFTWARE' > /dev/null 2>&1
wimupdate huge.wim 1 --command='add SOFTWARE /Windows/System32/config/SOFTWARE' > /dev/null 2>&1
base=huge.wim before=$(sha256 huge.wim)
expect 3 'a value of 2147483647 bytes, at most' service --add-package hostile/good.cab -o new.wim
good_message 'a value of 2 GB' 3 'Windows\System32\config\SOFTWARE' huge.wim
[ ! -e new.wim ] && unharmed 'a value of 2 GB'
base=$media/sources/install.wim before=$(sha256 "$media/sources/install.wim")
expect 0 '' service --add-package "$media/packages/$ssu" --add-package "$media/packages/$lcu" -o done.wim
base=done.wim before=$(sha256 done.wim)
expect 8 'is in the image already' service --add-package "$media/packages/$lcu" -o new.wim
good_message same 8 'Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.2183.1.5' "$lcu"
expect 8 "the image has the newer 'Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.2183.1.5'" \
	service --add-package "$media/packages/windows10.0-kb5001384-x64.msu" -o new.wim
good_message newer 8 windows10.0-kb5001384-x64.msu
[ ! -e new.wim ] && unharmed 'nothing to do'
[ "$(sha256 "$media/lab-base.iso")" = "$iso_before" ] || fail "the base disc changed"
echo "ok: $n bad packages refused, by service, plan and build"
