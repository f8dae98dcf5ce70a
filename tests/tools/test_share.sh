#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Folders that take no more: a full disk, a read-only share. They are mounted here, in a space of mounts of
# their own, which needs root, outside a chroot.
if [ "$(id -u)" -ne 0 ] || ! unshare --mount true 2>/dev/null; then
    echo "1..0 # SKIP a small disk cannot be mounted here: that needs root, outside a chroot"
    exit 0
fi
if [ "${EBB_MOUNTS:-}" != own ]; then
    EBB_MOUNTS=own
    export EBB_MOUNTS
    exec unshare --mount sh "$0" "$@"
fi
. "$(dirname "$0")/tap.sh"
trap 'umount "$work/disk" 2>/dev/null; rm -rf "$work"' EXIT
render="$ebb render --model tiny-sfx --device cpu --phase-iterations 1 --label rain --count 12"
disk() { # SIZE: empty, and of that size
    umount disk 2>/dev/null || true
    mkdir -p disk
    mount -t tmpfs -o "size=$1" none disk
}
only_whole() { # ENDING: all files on the disk are those of the reference
    for file in disk/out/*."$1"; do cmp "$file" "whole/$(basename "$file")" || return 1; done
}
one_message() { [ "$(wc -l <tap-err-full)" -eq 1 ] || { cat tap-err-full >&2; false; }; }
fill() { "$@" >tap-out-full 2>tap-err-full; }

# ---- a full disk ----

for format in wav16 flac ogg; do
    case $format in
    wav16) ending=wav size=1100k ;;
    flac) ending=flac size=800k ;;
    *) ending=ogg size=220k ;;
    esac
    $render --format $format -q -o whole/ --force
    disk $size
    fill $render --format $format -o disk/out/
    ok "$format on a full disk: exit status 5 (got $?)" test $? -eq 5
    ok "one clear message" grep -q 'disk/out/.*No space left on device' tap-err-full
    ok "and no other" one_message
    made=$(find disk/out -name "*.$ending" | wc -l)
    ok "what fitted is whole ($made of 12)" only_whole $ending
    ok "some did" test "$made" -ge 2 -a "$made" -lt 12
    ok "nothing else is left" test -z "$(find disk -type f ! -name "*.$ending")"
    mount -o remount,size=20m none disk
    ok "with room the same command goes on" says "$((12 - made)) of 12 sounds made, $made were" \
        $render --format $format -o disk/out/
    ok "to the same files" only_whole $ending
    ok "and all is there" $render --format $format -o disk/out/ --check
done

# ---- a page that does not fit ----

disk 50k
fill $render --format ogg -o whole/ --report disk/page/
code=$?
ok "a page on a full disk: exit status 5 (got $code)" test $code -eq 5
ok "said once" one_message
ok "is not half there" test ! -e disk/page/index.html

# ---- a read-only share ----

disk 20m
$render -q -o disk/out/
mkdir disk/in
cp disk/out/rain-s0-000.wav disk/in/
mount -o remount,ro none disk
ok "what is there is kept on a read-only share" says '12 were there already' $render -o disk/out/
ok "and checked" says '12 of 12 sounds there' $render -o disk/out/ --check
for what in "--seed 1" "--seed 1 --shard 2/3" "--seed 1 --name {label}/{name}"; do
    # shellcheck disable=SC2086 # words
    fill $render $what -o disk/out/
    code=$?
    ok "$what: exit status 5 (got $code)" test $code -eq 5
    ok "one message, which names the reason" grep -q 'disk/.*Read-only file system' tap-err-full
    ok "and no other" one_message
done
fill "$ebb" denoise --model tiny-denoise --device cpu -r disk/in -o disk/cleaned
code=$?
ok "denoise -r: exit status 5 (got $code)" test $code -eq 5
ok "one message" one_message
mount -o remount,rw none disk
ok "nothing was begun" test ! -e disk/cleaned -a "$(find disk/out -type f | wc -l)" -eq 12
done_testing
