#!/bin/bash
# The papers, judged by xmllint's HTML reader: they parse, hold every digest and KB, and reach for nothing outside.
set -euo pipefail
export LC_ALL=C.UTF-8

tool=$IB_BUILD/tool_report_write
command -v xmllint >/dev/null || { echo "skipped: xmllint is not installed"; exit 77; }
[ -x "$tool" ] || { echo "skipped: tool_report_write is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

# text FILE: what a reader sees, without the style sheet
text() { xmllint --html --xpath 'string(/html/body)' "$1" 2>/dev/null; }

xmllint --noout "$IB_SRC"/manifests/report/*.xml "$IB_SRC"/manifests/report/*.xsl || fail "the data is not XML"
for kind in full empty-server bare hostile; do
	mkdir "$work/$kind"
	"$tool" "$IB_SRC/manifests/report" "$work/$kind" $kind >"$work/list" || fail "$kind was not written"
	(cd "$work/$kind" && ls) | cmp - "$work/list" || fail "the list of files is not what was written"
	for f in "$work/$kind"/*.html; do
		name=$kind/$(basename "$f")
		xmllint --html --noout "$f" 2>"$work/err" || fail "$name: xmllint refused it"
		[ -s "$work/err" ] && { cat "$work/err"; fail "$name: xmllint complained"; }
		head -1 "$f" | grep >/dev/null '^<!DOCTYPE html' || fail "$name: no HTML5 document type"
		[ "$(xmllint --html --xpath 'count(//script|//link|//img|//iframe|//a|//*[@src]|//*[@href]|//*[@onload])' "$f" 2>/dev/null)" = 0 ] ||
			fail "$name: it reaches for something outside"
		grep -Eq 'url\(|@import' "$f" && fail "$name: its style reaches for something outside"
		# headings and tables a screen reader can use
		[ "$(xmllint --html --xpath 'count(//h1)' "$f")" = 1 ] || fail "$name: not one title"
		[ "$(xmllint --html --xpath 'count(//th[not(@scope)])' "$f")" = 0 ] || fail "$name: a table header without scope"
		xmllint --html --xpath '//@id' "$f" | tr ' ' '\n' | sort | uniq -d | grep . && fail "$name: an id twice"
	done
done

for lang in en zh-CN; do
	text "$work/full/risk-disclosure.$lang.html" >"$work/risks"
	text "$work/full/delivery-note.$lang.html" >"$work/note"
	text "$work/full/acceptance.$lang.html" >"$work/form"
	for sha in $(grep -oE '[0-9a-f]{64}' "$IB_SRC/tests/report_sample.h" | sort -u); do
		grep -q "$sha" "$work/risks" || fail "$sha is not in the risk disclosure ($lang)"
		grep -q "$sha" "$work/note" || fail "$sha is not in the delivery note ($lang)"
	done
	for kb in KB5005112 KB5005568; do
		for p in risks note form; do
			grep -q $kb "$work/$p" || fail "$kb is not in $p ($lang)"
		done
	done
	grep -q 'sha256sum -c SHA256SUMS' "$work/note" || fail "no digest command ($lang)"
	grep -q 'openssl cms -verify' "$work/note" || fail "no signature command ($lang)"
done

# The commands printed in the delivery note do what it says they do.
if command -v openssl >/dev/null; then
	cd "$work"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out supplier-root.pem -subj /CN=root -days 3650 2>/dev/null
	openssl req -newkey rsa:2048 -nodes -keyout sign.key -out sign.csr -subj /CN=signing 2>/dev/null
	printf 'extendedKeyUsage=codeSigning\n' >ext
	openssl x509 -req -in sign.csr -CA supplier-root.pem -CAkey root.key -CAcreateserial -days 3650 -extfile ext -out sign.pem 2>/dev/null
	sha256sum full/*.html >SHA256SUMS
	openssl cms -sign -binary -outform DER -in SHA256SUMS -signer sign.pem -inkey sign.key -out SHA256SUMS.p7s
	xmllint --html --xpath 'string(//pre[1])' full/delivery-note.en.html >digest.sh
	xmllint --html --xpath 'string((//pre)[2])' full/delivery-note.en.html >signature.sh
	bash digest.sh >/dev/null || fail "the printed digest command refused good files"
	bash signature.sh 2>said || { cat said; fail "the printed signature command refused a good signature"; }
	grep -q 'CMS Verification successful' said || fail "openssl does not say what the paper says it says"
	echo >>SHA256SUMS
	bash signature.sh 2>/dev/null && fail "the printed signature command took a changed list"
fi

# Chinese papers hold no English sentence of ours: outside values, every clause has Chinese letters.
xmllint --html --xpath '//*[@data-clause]' "$work/full/risk-disclosure.zh-CN.html" 2>/dev/null | sed 's/<[^>]*>/\n/g' |
	grep -E '[a-z]{3,} [a-z]{3,} [a-z]{3,}' | grep -vP '[\x{4e00}-\x{9fff}]' && fail "an English clause in the Chinese paper"
echo "ok: 24 papers"
