#!/usr/bin/env bash
# The large hive that bench_registry makes, measured by it in a process of its own: memory counts from zero.
#   tests/bench/registry.sh [BUILD]
set -euo pipefail
build=$(realpath "${1:-$(dirname "$0")/../../build/release}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/bench_registry" make "$work/hive"
"$build/bench_registry" "$work/hive"
