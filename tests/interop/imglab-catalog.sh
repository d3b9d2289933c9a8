#!/bin/bash
# The lab's certificates and catalogs, judged by openssl and osslsigncode: what is signed is accepted
# with the lab's root, and nothing else is.
set -euo pipefail
export LC_ALL=C.UTF-8

lab=$IB_BUILD/imglab
for tool in openssl osslsigncode 7zz; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -x "$lab" ] || { echo "skipped: imglab is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
# Debian 12's osslsigncode asks no server for revocations; later ones must be told not to.
norevoke=()
[[ $(osslsigncode verify --help 2>&1) != *-ignore-crl* ]] || norevoke=(-ignore-crl)
# verify ROOT CATALOG: at the time in the catalog's own time stamp, which the lab's TSA made
verify() { osslsigncode verify "${norevoke[@]}" -CAfile "$1" -TSA-CAfile certs/lab-root.pem -in "$2" >verify.log 2>&1; }

"$lab" certs --seed 7 -o certs
"$lab" packages --seed 7 -o packages
"$lab" certs --seed 7 -o again
"$lab" certs --seed 8 -o others
diff -r certs again || fail "two runs made different certificates"
! cmp -s certs/lab-root.pem others/lab-root.pem || fail "the root does not depend on the seed"

# 1. certificates: chains hold, keys fit and are not for everybody's eyes
for leaf in tsa image-signing; do
	openssl verify -CAfile certs/lab-root.pem -untrusted certs/$leaf.pem certs/$leaf.pem >/dev/null || fail "$leaf.pem"
	[ "$(stat -c %a certs/$leaf.key)" = 600 ] || fail "mode of $leaf.key"
	[ "$(openssl x509 -in certs/$leaf.pem -noout -pubkey)" = "$(openssl pkey -in certs/$leaf.key -pubout)" ] ||
		fail "$leaf.key does not belong to $leaf.pem"
	openssl rsa -in certs/$leaf.key -check -noout >/dev/null 2>&1 || fail "$leaf.key is no good RSA key"
done
openssl verify -CAfile certs/lab-root.pem -untrusted certs/catalog-signer.pem certs/catalog-signer.pem >/dev/null 2>&1 &&
	fail "the catalog signer has not expired"
openssl verify -attime 1631631600 -CAfile certs/lab-root.pem -untrusted certs/catalog-signer.pem \
	certs/catalog-signer.pem >/dev/null || fail "the catalog signer in September 2021"
openssl x509 -in certs/tsa.pem -noout -ext extendedKeyUsage | grep critical >/dev/null || fail "the TSA's purpose is not critical"

# 2. a delivery can be signed and time-stamped with what is written
echo delivery >list
sed '1,/END CERTIFICATE/d' certs/image-signing.pem >intermediate.pem
openssl cms -sign -binary -in list -signer certs/image-signing.pem -inkey certs/image-signing.key \
	-certfile intermediate.pem -outform DER -out list.p7s
openssl cms -verify -binary -inform DER -in list.p7s -content list -CAfile certs/lab-root.pem -out /dev/null 2>/dev/null ||
	fail "a CMS signature of the image signer"

# 3. every catalog of every good package is accepted with the lab's root, and with no other
for file in packages/*.msu packages/*.cab packages/refused/*-unknown.msu; do
	[[ $file != *-setup.cab ]] || continue # signed itself, it has no catalog
	name=$(basename "$file")
	mkdir -p "x/$name"
	case $file in
	*.msu)
		7zz e -y -ox "$file" '*KB*.cab' >/dev/null
		7zz x -y "-ox/$name" x/*KB*.cab >/dev/null
		rm x/*KB*.cab ;;
	*) 7zz x -y "-ox/$name" "$file" >/dev/null ;;
	esac
done
count=0
for cat in x/*/*.cat; do
	good=certs/lab-root.pem other=certs/unknown-root.pem
	case $cat in *-unknown.msu/*) good=certs/unknown-root.pem other=certs/lab-root.pem ;; esac
	verify $good "$cat" || { cat verify.log; fail "$cat is refused"; }
	grep -q 'Timestamp Server Signature verification: ok' verify.log || fail "$cat has no good time stamp"
	verify $other "$cat" && fail "$cat is accepted with $other"
	count=$((count + 1))
done
[ $count -ge 15 ] || fail "only $count catalogs"

# 4. any changed byte of list, signature or time stamp is noticed. The names: where it lies.
cat=x/windows10.0-kb5005568-x64.msu/update.cat
openssl asn1parse -inform DER -i -in $cat >shape
# offset of the n-th line that matches, plus its header
at() { grep -E "$1" shape | sed -n "${2}p" | sed -E 's/^ *([0-9]+):d=[0-9]+ +hl=([0-9]+).*/\1 \2/' | { read -r o h; echo $((o + h + 5)); }; }
for where in "UTCTIME 1" "HEX.DUMP 1" "HEX.DUMP 2" "messageDigest 1" "OCTET.STRING.*HEX.DUMP..[0-9A-F]{500} 1" "HEX.DUMP..3081 1"; do
	off=$(at ${where% *} ${where##* })
	cp $cat bad.cat
	byte=$(od -An -tu1 -j "$off" -N1 $cat)
	printf "$(printf '\\x%02x' $((byte ^ 1)))" | dd of=bad.cat bs=1 seek="$off" conv=notrunc status=none
	cmp -s $cat bad.cat && fail "nothing was changed at $off"
	verify certs/lab-root.pem bad.cat && fail "a changed byte at $off ($where) is not noticed"
done

# 5. programs are listed by the digest that others compute of them; a changed one is not
member() {
	osslsigncode verify "${norevoke[@]}" -CAfile certs/lab-root.pem -TSA-CAfile certs/lab-root.pem -catalog "$1" -in "$2" >verify.log 2>&1
}
september=$(dirname $cat)
for pair in "x/Lab-OpenTools*/Lab-OpenTools-Core-Package*.cat x/Lab-OpenTools*/*_lab-opentools-core_*/opentool.exe" \
	"$september/package_2_*.cat $september/amd64_microsoft-windows-notepad_*/notepad.exe" \
	"$september/package_3_*.cat $september/wow64_microsoft-windows-notepad_*/notepad.exe"; do
	read -r list program <<<"$(echo $pair)"
	member "$list" "$program" || { cat verify.log; fail "$program is not in $list"; }
	cp "$program" bad.exe
	printf 'X' | dd of=bad.exe bs=1 seek=3000 conv=notrunc status=none
	cmp -s "$program" bad.exe || ! member "$list" bad.exe || fail "a changed $program is accepted"
done

# 6. the list is Microsoft's kind: a SEQUENCE as content, SHA-256 list, both kinds of members
for oid in 1.3.6.1.4.1.311.10.1 1.3.6.1.4.1.311.12.1.1 1.3.6.1.4.1.311.12.1.3 1.3.6.1.4.1.311.12.2.3 \
	1.3.6.1.4.1.311.2.1.4 1.3.6.1.4.1.311.2.1.25 1.3.6.1.4.1.311.12.2.1 1.3.6.1.4.1.311.2.1.12 1.3.6.1.4.1.311.3.3.1; do
	grep -q ":$oid\$" shape || fail "no $oid in the catalog"
done
grep -A3 ':1.3.6.1.4.1.311.10.1$' shape | sed -n '3p' | grep SEQUENCE >/dev/null || fail "the content is not a SEQUENCE"

# 7. with real data at hand: the same nesting of tags and object identifiers as in a real catalog
# depth, tag and object identifier of everything in the third member of SignedData, once each
skeleton() {
	openssl asn1parse -inform DER -in "$1" | sed -E 's/^ *[0-9]+:d=([0-9]+) +hl=[^:]*: */\1 /; s/ *\[HEX DUMP\].*//; s/(TIME) *:.*/\1/; s/ +$//' |
		awk '$1 == 3 { member++ } member == 3' | sort -u
}
real=$(find "${IMGBUILD_REAL_DATA:-/nonexistent}" -name 'OpenSSH-Server-Package*.cab' 2>/dev/null | head -n1 || true)
if [ -n "$real" ]; then
	7zz x -y -oreal "$real" >/dev/null
	while read -r genuine ours; do
		skeleton real/$genuine >real.skeleton
		skeleton x/Lab-OpenTools*/$ours >lab.skeleton
		[ "$(wc -l <lab.skeleton)" -gt 25 ] || fail "no skeleton of $ours"
		diff real.skeleton lab.skeleton || fail "the list's shape differs from a real catalog's"
	done <<-'END'
		update.cat update.cat
		Microsoft-OneCore-OpenSSH-ServerOnly*.cat Lab-OpenTools-Server*.cat
	END
fi
echo "ok: $count catalogs"
