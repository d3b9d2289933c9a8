#!/bin/bash
# Images whose own component store is hostile: a manifest, a package's description or a catalog replaced by somebody who
# could write there. What reads them says which file is wrong and stops, without an output and within bounds; `verify`
# makes findings of them. The image is never changed.
. "$IB_SRC/tests/lib.sh"
need 7zz python3 wimupdate wimdir
lab
wimdir "$media/sources/install.wim" 1 > names
manifest=$(grep -i 'Manifests/amd64_microsoft-windows-notepad_.*manifest$' names | sed -n 1p)
mum=$(grep -i 'servicing/Packages/Microsoft-Windows-Foundation-Package.*mum$' names | sed -n 1p)
[ -n "$manifest" ] && [ -n "$mum" ] || fail "the base has no notepad"

# what is put in their place
python3 - <<'PY'
open("deep", "w").write("<assembly>" + "<a>" * 100000 + "</a>" * 100000 + "</assembly>")
open("laughs", "w").write('<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><assembly>&b;</assembly>')
open("huge", "wb").truncate(500 << 20)
open("none", "w").close()
ID = '<assemblyIdentity name="%s" version="10.0.17763.1" processorArchitecture="amd64" language="neutral" publicKeyToken="31bf3856ad364e35" versionScope="nonSxS"/>'
A = '<assembly xmlns="urn:schemas-microsoft-com:asm.v3">%s</assembly>'
open("other", "w").write(A % (ID % "Lab-Other"))
open("escape", "w").write(A % (ID % "Microsoft-Windows-Notepad" + r'<file name="..\..\up.dll"/>'))
open("dcm", "wb").write(b"DCM\1PA30" + bytes(range(256)))
PY

image() { # FILE NAME: image.wim, the base with the file under that name
	rm -f image.wim
	cp "$media/sources/install.wim" image.wim
	{ echo "delete \"$2\""; echo "add $1 \"$2\""; } > commands
	wimupdate image.wim 1 < commands > wimupdate.log 2>&1 || { cat wimupdate.log; fail "wimupdate"; }
	before=$(sha256 image.wim)
}
bounded() { # COMMAND…: at most 20 s of the processor and 400 MB
	python3 - "$@" <<-'PY'
		import resource, subprocess, sys
		code = subprocess.call(sys.argv[1:])
		used = resource.getrusage(resource.RUSAGE_CHILDREN)
		seconds, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
		if seconds > 20 or peak > 400:
		    print(f"{seconds:.1f} s, {peak:.0f} MB", file=sys.stderr)
		    code = 99
		sys.exit(code)
	PY
}
# refused FILE NAME TEXT…: by servicing that must read it, and found by verify
refused() {
	local file=$1 name=$2
	shift 2
	image "$file" "$name"
	expect 3 'imgbuild: error:' bounded "$imgbuild" service image.wim:1 --add-package "$media/packages/$ssu" \
		--add-package "$media/packages/$lcu" --trust "$media/lab-root.pem" -o new.wim --progress=none
	says "$(basename "$name")" 'cause:' 'hint: the image is damaged' "$@"
	[ ! -e new.wim ] || fail "$file: an output appeared"
	expect 4 FINDING bounded "$imgbuild" verify image.wim --trust "$media/lab-root.pem"
	says "$(basename "${name%.*}"): "
	[ "$(sha256 image.wim)" = "$before" ] || fail "$file: the image changed"
}
refused deep "$manifest" 'Excessive depth'
refused laughs "$manifest" 'has a DOCTYPE, which is refused'
refused huge "$manifest" 'has 524288000 bytes, at most 67108864'
refused other "$manifest" 'gives the name' amd64_lab-other_
refused escape "$manifest" "'..\..\up.dll' is not the name of a file"
refused dcm "$manifest" 'the delta ends inside its header'
refused laughs "$mum" 'has a DOCTYPE, which is refused'
refused huge "$mum" 'has 524288000 bytes, at most 67108864'
refused none "$mum" 'is empty, not an XML file'
echo ok
