#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds the plugin under ThreadSanitizer and runs the tests of the elements in which threads meet.
# usage: tsan.sh BUILD [--all]   --all: every test, which takes many minutes
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$root/build-tsan}
[ -f "$build/build.ninja" ] || meson setup "$build" "$root" --buildtype=debugoptimized -Db_sanitize=thread \
    -Db_lundef=false -Dvulkan=disabled -Dtools=false -Dexamples=false -Dmodels=false >/dev/null
ninja -C "$build" --quiet gst-plugin/libgstdiffuse.so tests/gst/test-gst-src tests/gst/test-gst-denoise \
    tests/gst/test-gst-fx

# GLib and GStreamer are not built with the sanitizer. tsan_glib.c tells it of their locks; what they do
# between themselves with their own memory, such as free() of what another thread allocated, is not looked at.
export TSAN_OPTIONS="ignore_noninstrumented_modules=1:exitcode=66:second_deadlock_stack=1"
export EBB_MODEL_PATH="$root/tests/models" EBB_TEST_DATA="$root/tests"
export G_SLICE=always-malloc G_DEBUG=fatal-warnings
export EBB_GST_PLUGIN="$build/gst-plugin/libgstdiffuse.so" GST_PRESET_PATH="$root/gst-plugin/presets"
EBB_GST_CORE=$(pkg-config --variable=pluginsdir gstreamer-1.0)/libgstcoreelements.so
export EBB_GST_CORE GST_PLUGIN_SYSTEM_PATH_1_0='' GST_PLUGIN_PATH_1_0='' GST_REGISTRY="$build/registry"
export GST_REGISTRY_UPDATE=no GST_REGISTRY_FORK=no OMP_NUM_THREADS=2

run() {
    program=$1
    shift
    [ "$which" != --all ] || set --
    "$build/tests/gst/test-gst-$program" "$@" || failed=1
}
which=${2:-} failed=0
run fx states sounds_stand_where_their_cues_do overlapping_cues_are_mixed
run denoise states everything_that_went_in_comes_out a_flush_forgets set_while_the_model_loads \
    caps_may_change_in_mid_stream
run src states seeking_lands_on_the_sample events_in_any_state settings_change_while_playing \
    num_clips_may_change two_in_one_process
exit "$failed"
