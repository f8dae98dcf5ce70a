#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# GStreamer's own tracer of leaks: which of its objects are alive when a program that used an element ends.
# usage: leaks.sh ELEMENT_PROGRAM GSTDIFFUSE PLUGINS_FOLDER MODELS
set -u
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
export EBB_GST_PLUGIN="$2" EBB_GST_CORE="$3/libgstcoreelements.so" EBB_MODEL_PATH="$4"
export GST_PLUGIN_SYSTEM_PATH_1_0='' GST_PLUGIN_PATH_1_0="$log/plugins" GST_REGISTRY="$log/registry"
export GST_TRACERS=leaks GST_DEBUG=GST_TRACER:7 GST_DEBUG_NO_COLOR=1
mkdir "$log/plugins" && ln -s "$3/libgstcoretracers.so" "$log/plugins/"
number=0 failed=0
echo 1..3
for element in src denoise fx; do
    number=$((number + 1))
    verdict=ok
    "$1" "$element" >"$log/$element" 2>&1 || verdict='not ok'
    # The tracer was there, and names nothing.
    grep -q 'new format string: object-alive' "$log/$element" || verdict='not ok'
    alive=$(grep -v 'new format string' "$log/$element" | grep 'object-alive, type-name') && verdict='not ok'
    [ "$verdict" = ok ] || { failed=1; tail -n 3 "$log/$element" | sed 's/^/# /'; }
    [ -z "$alive" ] || echo "$alive" | sed 's/^.*object-alive/# alive/'
    echo "$verdict $number - $element"
done
exit "$failed"
