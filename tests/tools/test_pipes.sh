#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Pipes, FIFOs and standard output; recordings that were cut off; limits, kills and memory.
. "$(dirname "$0")/tap.sh"
render="$ebb render --model tiny-sfx --device cpu --phase-iterations 2"
denoise="$ebb denoise --model tiny-denoise --device cpu --force"
$render --label rain --seconds 1 -q -o take.wav

# ---- a folder for what is kept ----

# A FLAC from a pipe is kept in a temporary file. The folder of a job that has ended may still be named.
$render --label rain --seconds 1 -q -o take.flac
ok "TMPDIR may name a folder that is gone" \
    sh -c "cat take.flac | TMPDIR=\$PWD/gone $denoise - kept.wav && test -s kept.wav"

# ---- a terminal ----

# script runs a command in a terminal of its own.
refused_by_a_terminal() {
    script -qec "$*" /dev/null >terminal-out </dev/null
    [ $? -eq 2 ] && grep -q 'standard output is a terminal' terminal-out
}
if command -v script >/dev/null; then
    ok "no sound goes to a terminal" refused_by_a_terminal "$render --label rain -o -"
    ok "nor what was cleaned" refused_by_a_terminal "$denoise take.wav -"
    ok "nor what was taken away" refused_by_a_terminal "$denoise take.wav x.wav --keep-noise -"
    ok "nor a recording that was edited" \
        refused_by_a_terminal "$ebb edit take.wav --model tiny-sfx --vary 10 -o /dev/stdout"
    ok "nor a picture" refused_by_a_terminal "$ebb plot spectrogram take.wav -o -"
fi

# ---- in ----

# The recording with another size of its samples: $1, four bytes; $2: how many bytes there are.
resized() {
    at=$(LC_ALL=C grep -abo data take.wav | head -n 1 | cut -d: -f1)
    head -c $((at + 4)) take.wav
    printf '%b' "$1"
    tail -c +$((at + 9)) take.wav | head -c "$2"
}
for size in 000:000:000:000 000:000:377:177 000:360:377:177 377:377:377:377; do
    resized "$(echo ":$size" | sed 's/:/\\0/g')" 96000 >open.wav
    ok "a file of unknown length, $size" \
        sh -c "$denoise open.wav a.wav && $helper samples a.wav | grep '^48000 '"
    ok "the same through a pipe" sh -c "cat open.wav | $denoise - b.wav && $helper same a.wav b.wav"
done
resized '\0000\0167\0001\0000' 60000 >cut.wav # 96000 were promised
for how in 'cut.wav cut-1.wav' '- cut-2.wav <cut.wav'; do
    ok "a cut-off recording is cleaned: $how" \
        sh -c "$denoise $how 2>words &&
            grep -q 'cut off: 96000 bytes of samples were promised, 60000 are there' words"
done
ok "and from a pipe" \
    sh -c "cat cut.wav | $denoise - cut-3.wav 2>words && grep -q 'cut off: 96000 bytes' words"
ok "as far as it goes" says '^30000 ' "$helper" samples cut-1.wav
ok "the same every way" sh -c "$helper same cut-1.wav cut-2.wav && $helper same cut-1.wav cut-3.wav"
ok "ebb info of a pipe" sh -c "cat take.wav | $ebb info - | grep -q '48000 samples'"
ok "ebb info says so" sh -c "$ebb info cut.wav 2>&1 | grep -q 'cut off'"
ok "ebb edit too" \
    sh -c "$ebb edit cut.wav --model tiny-sfx --device cpu --from 0.1 --to 0.2 -o e.wav 2>&1 |
        grep -q 'cut off'"
ok "ebb mel too" sh -c "$ebb mel cut.wav --model tiny-sfx -o m.npy 2>&1 | grep -q 'cut off'"
ok "the mel of a pipe" \
    sh -c "$ebb mel take.wav -m tiny-sfx -o 1.npy && cat take.wav | $ebb mel - -m tiny-sfx -o 2.npy &&
        cmp 1.npy 2.npy"
ok "an empty pipe is refused" sh -c "head -c 44 open.wav | $denoise - no.wav; [ \$? = 4 ]"

# ---- out ----

samples() { tail -c "$1" "$2"; }
$denoise take.wav clean.wav -q
$denoise take.wav - >dash.wav
for name in /dev/stdout /dev/fd/1; do
    $denoise take.wav $name | cat >pipe.wav
    ok "$name in a pipe: a header and the samples" \
        sh -c "[ \$(wc -c <pipe.wav) = $((44 + 96000)) ] && tail -c 96000 pipe.wav >p &&
            tail -c +45 pipe.wav | cmp - p"
    ok "that can be read" says '^48000 ' sh -c "$helper samples pipe.wav"
    $denoise take.wav $name >redirected.wav
    ok "$name redirected: what - gives" cmp redirected.wav dash.wav
done
mkfifo fifo
cat fifo >through.wav &
ok "a FIFO" $denoise take.wav fifo
wait
ok "what came through" cmp through.wav pipe.wav
ok "it is a FIFO still" test -p fifo
# Nobody writes to it: first it cannot even be opened, then (3 holds it open) nothing comes.
stopped() { "$ebb" "$@" >stopped-out 2>stopped-err &
    pid=$!
    interrupt $pid
    wait $pid
    [ $? -eq 130 ] && grep -q ': interrupted$' stopped-err; }
for state in "without a writer" "that stays empty"; do
    ok "waiting for a list from a pipe $state can be interrupted" \
        stopped render --model tiny-sfx --list fifo -o listed/
    ok "so can waiting for numbers" stopped eval "$data/models/tiny-sfx/vae" --input fifo --decode \
        --output x.npy
    ok "so can waiting for a sound" stopped denoise --model tiny-denoise fifo x.wav
    exec 3<>fifo
done
exec 3<&-
ok "render -o - is the sound and nothing else" \
    sh -c "$render --label rain -o - | cat >r.wav && $helper samples r.wav | grep -q '^131072 '"
mkdir played
ok "one sound without a place goes down a pipe" \
    sh -c "cd played && $render --label rain 2>words | cat >../played.wav &&
        cmp rain-s0-000.wav ../played.wav"
ok "words go beside it" grep -q '1 of 1 sound made' played/words
ok "again, with the sound that is there" \
    sh -c "cd played && $render --label rain 2>words | cmp - rain-s0-000.wav"
ok "several sounds do not" sh -c "cd played && $render --label rain,kick | grep -q '2 sounds made'"
ok "JSON instead" sh -c "cd played && $render --label rain --json | grep -q '^{'"
fails 2 'both go to standard output' $render --label rain --json -o -

# ---- files ----

name=$(printf '%0251d' 0).wav
ok "a name of 255 bytes" $denoise take.wav "$name"
ok "is there" test -f "$name"
chmod 600 clean.wav
ln -s clean.wav link.wav
ok "onto a link, in place" $denoise link.wav link.wav
ok "the link stays" test -h link.wav
ok "the mode stays" test "$(stat -c %a clean.wav)" = 600
for what in "render --model tiny-sfx --device cpu --label rain -o big.wav" \
    "denoise take.wav big.wav --model tiny-denoise --device cpu" "mel take.wav -m tiny-sfx -o big.npy"; do
    ok "a limit on files is a full disk: $what" \
        sh -c "ulimit -f 20; $ebb $what 2>words; [ \$? = 5 ] && grep -q 'File too large' words"
done
ok "nothing is left" sh -c '[ -z "$(ls -A | grep tmp$)" ]'
( cat open.wav; sleep 9 ) | $denoise - killed.wav -q &
victim=$!
tries=0
while [ -z "$(find . -maxdepth 1 -name '.ebb-*tmp')" ] && [ $tries -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
kill -9 $victim
wait $victim 2>/dev/null
ok "a killed run leaves its file" sh -c 'ls -A | grep -q "^\.ebb-.*tmp$"'
ok "the next run of that name" $denoise take.wav killed.wav
ok "removes it" tidy .

# ---- sizes ----

fails 3 'has no labels' $ebb render -m tiny-direct --device cpu --label all --save-latents x.npy
fails 3 'has no labels' $ebb render -m tiny-direct --device cpu --label all
printf 'RIFF\377\377\377\377WAVE' >zeros.wav
truncate -s 300M zeros.wav
fails 4 'chunks and no samples' "$ebb" info zeros.wav
rm zeros.wav
{ echo seed; yes 1 | head -n 400000; } >many.csv
EBB_MEMORY=9M fails 1 'EBB_MEMORY' $render --list many.csv -o many
EBB_MEMORY=64M fails 2 'steps' $render --list many.csv -o many --steps -1
EBB_MEMORY=100K fails 4 'EBB_MEMORY' $ebb mel take.wav -m "$data/models/tiny-sfx" -o no.npy
done_testing
