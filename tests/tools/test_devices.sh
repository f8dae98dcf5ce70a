#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Missing devices: each gives one clear line; auto falls back to the CPU. test_driver.sh is for what is there.
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/on_devices.sh"

# ---- no driver, no loader ----

export VK_ICD_FILENAMES=/nonexistent
fails 6 'Vulkan' render --device vulkan -o no.wav
silent() { "$@" >silent-out 2>silent-err && [ ! -s silent-err ]; }
ok "auto plays without a driver, and says nothing of it" silent render -o a.wav
ok "the recipe says where" says 'device  *cpu' "$ebb" info a.wav
ok "and the file is there" test -s a.wav
unset VK_ICD_FILENAMES

mkdir loader
: >loader/libvulkan.so.1
LD_LIBRARY_PATH=$work/loader${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} fails 6 \
    'no Vulkan loader\|no Vulkan backend' render --device vulkan -o no.wav
(
    LD_LIBRARY_PATH=$work/loader${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
    silent render -o b.wav
)
ok "auto plays without a loader" test $? -eq 0

fails 6 'nosuch' render --device nosuch -o no.wav

done_testing
