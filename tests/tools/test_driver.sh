#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a Vulkan driver is asked for: devices by number and name, and caches that cannot be used, each of which
# gives one clear line.
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/on_devices.sh"
MESA_SHADER_CACHE_DIR=$work/mesa # the software driver compiles once, wherever Ebb's own cache is
export MESA_SHADER_CACHE_DIR

warns() { # warns WORDS COMMAND...: it succeeds, and says WORDS once
    words=$1
    shift
    "$@" >warn-out 2>warn-err || { cat warn-err >&2; return 1; }
    [ "$(grep -c -e "$words" warn-err)" -eq 1 ] || { cat warn-err >&2; return 1; }
}
quiet() { "$@" >quiet-out 2>quiet-err && ! grep -e damaged -e "not kept" -e auto quiet-err; }

if ! "$ebb" info devices 2>/dev/null | grep -q 'vulkan:0'; then
    skip "devices by number, name, cache" "no Vulkan device here"
    done_testing
fi

fails 6 'vulkan:99.*there is' render --device vulkan:99 -o no.wav
fails 6 'vulkan:NOSUCH.*there is' render --device vulkan:NOSUCH -o no.wav

ok "a first run writes its cache" quiet render --device vulkan:0 -o c.wav
file=$(ls "$XDG_CACHE_HOME"/ebb/vulkan-*.bin)
ok "under no temporary name" test "$(ls "$XDG_CACHE_HOME"/ebb | wc -l)" -eq 1
ok "a second run reads it" quiet render --device vulkan:0 -o d.wav
ok "the same sound" cmp c.wav d.wav

for damage in 'truncate -s +2' 'truncate -s 60' 'truncate -s 10' 'truncate -s 0' 'cp /bin/sh'; do
    case $damage in
    cp*) cp /bin/sh "$file" ;;
    *) $damage "$file" ;;
    esac
    cp "$file" damaged
    ok "a poisoned cache ($damage) is named" warns "vulkan-.*bin: damaged" render --device vulkan:0 \
        -o d.wav
    ok "and written anew" differ cmp -s "$file" damaged
done
printf 'x' | dd of="$file" bs=1 seek=70 conv=notrunc 2>/dev/null
ok "one wrong byte is seen" warns "vulkan-.*bin: damaged" render --device vulkan:0 -o d.wav
ok "the new cache is read" quiet render --device vulkan:0 -o d.wav

: >not-a-folder
XDG_CACHE_HOME=$work/not-a-folder
ok "a cache that cannot be written is named" warns 'not-a-folder/ebb.*not kept' render --device vulkan:0 \
    -o d.wav
ok "the same sound without it" cmp c.wav d.wav
XDG_CACHE_HOME=$work/cache
EBB_VULKAN=fp32,frobnicate
export EBB_VULKAN
ok "an option that is none is named" warns 'there is no "frobnicate"' render --device vulkan:0 -o d.wav
unset EBB_VULKAN

done_testing
