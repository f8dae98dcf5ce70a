#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sounds whose level or cut needs all of them, and which are too large to be held: they wait on the disk. The
# bound of memory is set so low that eight seconds are large.
. "$(dirname "$0")/tap.sh"
render="$ebb render --model tiny-sfx --device cpu --steps 1 --phase-iterations 2 --quiet --force --seconds 8"
small="env EBB_MEMORY=10M"

# ---- the bits of a sound in memory ----

alike() {
    $render "$@" -o memory.wav && $small $render "$@" -o spool.wav && cmp memory.wav spool.wav
}
ok "a loudness" alike --label rain --lufs -23
ok "a peak, in stereo" alike --label rain --peak -3 --channels 2 --width 0.7
ok "a loudness at another rate" alike --label rain --lufs -30 --rate 44100
ok "silence cut at both ends" alike --label kick --trim --lufs -20
ok "the start cut at the attack, silence behind" alike --label kick --lead 0.01
ok "all of it, and a gain" alike --label kick --lead 0.01 --trim --rate 22050 --gain -7
ok "a loudness that the peak forbids" alike --label kick --lufs -3 --format wav24
ok "a FLAC" sh -c "$render --label rain --lufs -23 --format flac -o m.flac &&
    $small $render --label rain --lufs -23 --format flac -o t.flac && cmp m.flac t.flac"
ok "one gain for a family" sh -c "$render --label rain --count 2 --lufs -30 --together -o m/ &&
    $small $render --label rain --count 2 --lufs -30 --together -o t/ &&
    cmp m/rain-s0-001.wav t/rain-s0-001.wav"
ok "one for sounds that are cut" sh -c "$render --label kick --count 2 --peak -9 --together -o m2/ &&
    $small $render --label kick --count 2 --peak -9 --together -o t2/ --name {label}/{name} &&
    cmp m2/kick-s0-001.wav t2/kick/kick-s0-001.wav"
ok "down a pipe" sh -c "mkdir tmp && TMPDIR=\$PWD/tmp $small $render --label rain --lufs -23 -o - |
    cat >piped.wav && $helper samples piped.wav | grep -q '^384000 1 48000' && [ -z \"\$(ls -A tmp)\" ]"
ok "so it is where TMPDIR names a folder that is gone" sh -c "TMPDIR=\$PWD/gone $small $render --label rain \
    --lufs -23 -o - | cat >again.wav; cmp again.wav piped.wav"
ok "nothing is left beside the files" sh -c "! ls -A . m t m2 t2 | grep -q '^\.ebb'"

# ---- at another rate, as it is made ----

ok "it has the length of its time" sh -c "$render --label rain --rate 44100 -o r.wav &&
    $helper samples r.wav | grep -q '^352800 1 44100'"

# ---- what goes wrong ----

# shellcheck disable=SC3045 # both shells of Debian know ulimit -f; 1000 blocks are a third of the sound
full() { (ulimit -f 1000; $small $render --label rain --lufs -23 -o full/x.wav); }
mkdir full
fails 5 'full/x.wav: its samples, kept on the disk until their level is known: File too large' full
ok "and leaves nothing" sh -c "[ -z \"\$(ls -A full)\" ]"
done_testing
