#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ./dev install and uninstall, into a home that is thrown away. Builds Ebb twice; ends in a count of what
# passed.
set -u
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work" "$PWD/build-try" "$PWD/build-try-install"' EXIT
home="$work/a home" # of a name with a blank
mkdir -p "$home/.local/bin"
: >"$home/.local/bin/own"
passed=0 failed=0

check() { # check DESCRIPTION COMMAND...
    what=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        tail -n 12 "$work/out"
    fi
}
ours() { HOME=$home EBB_BUILD=build-try "$@"; }
gone() { [ "$(find "$home/.local" -type f)" = "$home/.local/bin/own" ]; }
refused() { ! "$@"; }

check "there is nothing to uninstall" refused ours ./dev uninstall --user
check "installs" ours ./dev install --user
check "ebb runs from there, on the installed models" \
    env -u EBB_MODEL_PATH HOME="$home" "$home/.local/bin/ebb" labels
check "an application finds the library" \
    env PKG_CONFIG_PATH="$home/.local/lib/pkgconfig" pkg-config --exists ebb
check "GStreamer finds the plugin" test -s "$home/.local/share/gstreamer-1.0/plugins/libgstdiffuse.so"
check "installs over itself" ours ./dev install --user
check "uninstalls" ours ./dev uninstall --user
check "leaves nothing" gone
check "of its folders neither" test ! -e "$home/.local/share/ebb"
check "takes no other words" refused ours ./dev uninstall --nobody

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
