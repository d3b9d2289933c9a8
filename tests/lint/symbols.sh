#!/usr/bin/env bash
# Symbols the libraries export begin with ib_; functions private to one module may be plain, but must not clash:
# only those a second file of the same module uses.
set -euo pipefail
status=0
for lib in "$IB_BUILD"/libib_*.a; do
	module=$(basename "$lib" .a); module=${module#libib_}
	# What other files of the module refer to may be plain; what nobody refers to must be public or static.
	nm -A --defined-only "$lib" 2>/dev/null | awk '$2 ~ /^[TDBRC]$/ {print $3}' | grep -v '^ib_' | sort -u > "$IB_BUILD/defined.$$" || true
	nm -A --undefined-only "$lib" 2>/dev/null | awk '{print $NF}' | sort -u > "$IB_BUILD/used.$$"
	lost=$(comm -23 "$IB_BUILD/defined.$$" "$IB_BUILD/used.$$" | grep -vE '^(__|_GLOBAL|asan|_ZN)' || true)
	[ -z "$lost" ] || { echo "$module exports without need: $lost"; status=1; }
	# Two modules must not share a plain name.
	sed "s/$/ $module/" "$IB_BUILD/defined.$$" >> "$IB_BUILD/all.$$"
done
clash=$(awk '{print $1}' "$IB_BUILD/all.$$" | sed -E '/^(__|asan|_ZN)/d' | sort | uniq -d)
rm -f "$IB_BUILD"/{defined,used,all}.$$
[ -z "$clash" ] || { echo "plain names in two modules: $clash"; status=1; }
[ $status = 0 ] && echo "symbols are sane"
exit $status
