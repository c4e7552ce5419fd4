#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Checks the model of stage control with spin: the variant of the predecessor must show the empty
# result, the variant of what is built must not. Exit status 77 (skipped) where spin is missing.
#   run.sh MODEL.pml
set -eu
model=$(realpath "$1")
if ! command -v spin >/dev/null; then
    echo "SKIP: spin is not installed" >&2
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# check NAME SPIN-FLAGS…: prints the number of errors that the search finds.
check() {
    name=$1
    shift
    spin -a "$@" "$model" >"$name.log" 2>&1 || { cat "$name.log" >&2; exit 1; }
    cc -O2 -w -DSAFETY -DVECTORSZ=2048 -o "$name" pan.c
    "./$name" -m200000 >>"$name.log" 2>&1 || true
    grep -q 'search depth too small' "$name.log" && { echo "$name: incomplete" >&2; exit 1; }
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$name.log"
}

unawaited=$(check unawaited -DUNAWAITED)
awaited=$(check awaited)
if [ "$awaited" != 0 ]; then
    cat awaited.log >&2
    echo "the model of what is built has $awaited errors" >&2
    exit 1
fi
if [ "$unawaited" = 0 ] || ! grep -q 'assertion violated' unawaited.log; then
    cat unawaited.log >&2
    echo "the model with the un-awaited call no longer shows the empty result" >&2
    exit 1
fi
grep 'assertion violated' unawaited.log
echo "un-awaited: the empty result is found; awaited: $(grep 'states, stored' awaited.log | head -1), no errors"
