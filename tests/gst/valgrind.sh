#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The elements under valgrind's memcheck. Each works once, from loading the plugin to gst_deinit(); then the
# tests in which it changes state, seeks and is flushed. Fails where memory is misused, or where nothing
# points to a block at the end. valgrind has no AVX-512: it shows Ebb a processor with AVX2.
# usage: valgrind.sh BUILD [--all]   --all: every test of the elements, which takes an hour
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
which=${2:-}
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

export EBB_MODEL_PATH="$root/tests/models" EBB_TEST_DATA="$root/tests"
export EBB_GST_PLUGIN="$build/gst-plugin/libgstdiffuse.so" GST_PRESET_PATH="$root/gst-plugin/presets"
EBB_GST_CORE=$(pkg-config --variable=pluginsdir gstreamer-1.0)/libgstcoreelements.so
export EBB_GST_CORE GST_PLUGIN_SYSTEM_PATH_1_0='' GST_PLUGIN_PATH_1_0='' GST_REGISTRY="$log/registry"
export GST_REGISTRY_UPDATE=no GST_REGISTRY_FORK=no OMP_NUM_THREADS=2 G_SLICE=always-malloc

options="-q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=9
    --num-callers=30"
supp=/usr/share/glib-2.0/valgrind/glib.supp # what GLib's authors list as its own
[ ! -f "$supp" ] || options="$options --suppressions=$supp"

failed=0
# memcheck PROGRAM WORDS...
memcheck() {
    begun=$(date +%s) status=0
    name=$1
    shift
    # shellcheck disable=SC2086 # a list of words
    valgrind $options "$build/tests/$name" "$@" >"$log/out" 2>&1 || status=$?
    echo "memcheck $name $*: $(($(date +%s) - begun)) s"
    [ "$status" -eq 0 ] || { failed=1; cat "$log/out"; }
}

run() {
    program=$1
    shift
    [ "$which" != --all ] || set --
    memcheck "gst/test-gst-$program" "$@"
}

for element in src denoise fx; do memcheck faults/element "$element"; done
run src states events_in_any_state seeking_lands_on_the_sample
run denoise states a_flush_forgets set_while_the_model_loads caps_may_change_in_mid_stream
run fx states a_flush_cancels
run properties
exit "$failed"
