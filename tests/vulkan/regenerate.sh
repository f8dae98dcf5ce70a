#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The words in shaders/generated equal the output of glslang for today's sources. Skipped (77) with an older
# glslang.
set -eu
shaders=$1
major=$(glslangValidator --version | sed -n 's/^Glslang Version: [0-9]*:\([0-9]*\)\..*/\1/p')
if [ "${major:-0}" -lt 15 ]; then
    echo "glslang ${major:-?} is older than 15: not compared"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$shaders/generated/make" "$folder"
for file in "$folder"/*.h; do
    # The first line names the compiler's version.
    tail -n +2 "$file" >"$folder/new"
    tail -n +2 "$shaders/generated/$(basename "$file")" | cmp - "$folder/new"
done
echo "the same words"
