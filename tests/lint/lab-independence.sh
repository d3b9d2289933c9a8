#!/usr/bin/env bash
# imglab shares none of imgbuild's beliefs: its link map names no servicing, registry, wim, package or delta.
set -euo pipefail
map=$IB_BUILD/imglab.map
[ -s "$map" ] || { echo "no link map '$map'"; exit 1; }
if grep -oE 'libib_(servicing|registry|wim|package|delta|codec|trust|xml|archive|build)\.a' "$map" | sort -u | grep .; then
	echo "imglab links the modules above"
	exit 1
fi
# The check must be able to fail: what imglab does link is seen in the same way.
grep -q 'libib_base\.a' "$map" || { echo "the map does not even name libib_base.a"; exit 1; }
echo "imglab is independent"
