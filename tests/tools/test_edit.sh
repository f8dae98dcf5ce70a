#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ebb edit: untouched samples, output files, refused options, interrupts.
. "$(dirname "$0")/tap.sh"
edit="$ebb edit --model tiny-sfx --device cpu --phase-iterations 2"
for kind in noise clean16 wide high one nan empty; do "$helper" wav $kind $kind.wav; done
"$ebb" render --model tiny-sfx --device cpu --phase-iterations 2 --label rain --seconds 4 --format wav32f \
    -o rain.wav >/dev/null

ok "a span" says 'edited in' $edit rain.wav --from 1.2 --to 2.0 --label rain -o span.wav
ok "of the same length" sh -c "$helper samples rain.wav >a && $helper samples span.wav >b && cmp a b"
ok "another sound" differ "$helper" same rain.wav span.wav
ok "the recipe says what was done" says '"from": 1.2' "$ebb" info span.wav --json
ok "and to what" says '"source": "rain.wav"' "$ebb" info span.wav --json
ok "and with which weights" says '"model_sha256": "[0-9a-f]\{64\}"' "$ebb" info span.wav --json
fails 4 'ebb edit made it out of a recording' "$ebb" render --like span.wav -o x.wav
ok "the same bits again" \
    sh -c "$edit rain.wav --from 1.2 --to 2.0 --label rain -o again.wav && cmp span.wav again.wav"
ok "another take" \
    sh -c "$edit rain.wav --from 1.2 --to 2.0 --label rain --seed 2 -o take.wav && ! cmp -s span.wav take.wav"
ok "16 bit stays 16 bit, stereo stereo" \
    sh -c "$edit clean16.wav --from 0.1 --to 0.15 -o c.wav &&
        $helper samples c.wav | grep -qx '12345 1 48000' &&
        $edit noise.wav --band 2000:8000 --from 0.1 --to 0.3 -o n.wav &&
        $helper samples n.wav | grep -qx '24001 2 44100'"
ok "eight channels, and 192 kHz" \
    sh -c "$edit wide.wav --from 0.02 -o w.wav && $edit high.wav --to 0.05 --resample 1 -o h.wav &&
        $helper samples h.wav | grep -qx '19200 1 192000'"
print_fits() { p=$("$ebb" info span.wav | sed -n 's/^  source-print *//p'); 
    [ -n "$p" ] && [ "$p" -lt 9007199254740992 ]; }
ok "the recording's print has 53 bits" print_fits
ok "IN OUT, as ebb denoise has it" \
    sh -c "$edit rain.wav in-out.wav --from 1.2 --to 2.0 --label rain && cmp in-out.wav span.wav"
ok "the shortest span" $edit rain.wav --from 1.2 --to 1.201 -o short.wav
ok "one sample" $edit one.wav --after 0.1 -o o.wav
ok "before and after" \
    sh -c "$edit clean16.wav --before 0.5 --after 1 -o long.wav &&
        $helper samples long.wav | grep -qx '84345 1 48000'"
ok "nearer to a label" \
    sh -c "$edit rain.wav --t 0.4 --label bell -o near.wav && ! $helper same rain.wav near.wav"
ok "a variation" \
    sh -c "$edit rain.wav --vary 20 --steps 10 -o vary.wav &&
        $ebb info vary.wav --json | grep -q '\"vary\": 20'"
ok "a mixture" $edit rain.wav --from 1 --to 2 --label rain:0.7,wind:0.3 -o mix.wav
ok "open bands" \
    sh -c "$edit rain.wav --band 6000: --from 1 --to 1.5 -o hi.wav &&
        $edit rain.wav --band :300 --from 1 --to 1.5 -o lo.wav"
ok "pipes on either side" \
    sh -c "cat rain.wav | $edit - --from 1.2 --to 2.0 --label rain -o - | cat >pipe.wav &&
        $helper same pipe.wav span.wav"
ok "JSON" says '"status":"made"' $edit rain.wav --from 1 --to 1.1 -o j.wav --json

ok "a loop" \
    sh -c "$edit rain.wav --loop --label rain --resample 1 -o loop.wav && $helper samples rain.wav >a && \
        $helper samples loop.wav >b && cmp a b"
ok "its file says so" says 'samples 0 to 191999 (4.000 s)' "$ebb" info loop.wav
ok "once, also of a loop" \
    sh -c "$edit loop.wav --loop --resample 1 -o loop2.wav && [ \"\$(grep -c smpl loop2.wav)\" = 1 ]"
fails 2 'goes with none of' $edit rain.wav --loop --from 1 -o x.wav
fails 2 'goes with none of' $edit rain.wav --loop --after 1 -o x.wav
fails 2 'a loop of' $edit one.wav --loop -o x.wav

# ---- what is there already ----

ok "made already" says 'there already' $edit rain.wav --from 1.2 --to 2.0 --label rain -o span.wav
fails 1 'is another sound; kept' $edit rain.wav --from 1.3 --to 2.0 --label rain -o span.wav
fails 1 'is another sound; kept' $edit take.wav --from 1.2 --to 2.0 --label rain -o span.wav
fails 1 'is another sound; kept' $edit rain.wav --from 1.2 --to 2.0 -o rain.wav
ok "onto itself, when forced" \
    sh -c "cp rain.wav self.wav && $edit self.wav --from 1.2 --to 2.0 --label rain -o self.wav --force &&
        $helper same self.wav span.wav"

# ---- other formats ----

part="$edit rain.wav --from 1.2 --to 2.0 --label rain"
ok "FLAC, in 24 bits where the recording has more than 16" \
    sh -c "$part -o part.flac && $part --format wav24 -o part24.wav && $helper same part.flac part24.wav && \
        $ebb info part.flac | grep -q 'format  *flac24'"
ok "again: it is there" says 'there already' $part -o part.flac
ok "Ogg" \
    sh -c "$part -o part.ogg && head -c 4 part.ogg | grep -q OggS && \
        $ebb info part.ogg | grep -q 'label  *rain'"

# ---- what makes no sense ----

fails 2 'say what to edit' $edit rain.wav -o x.wav
fails 2 'x.mp3: expected a name that ends in .wav, .flac or .ogg' $edit rain.wav --from 1 -o x.mp3
fails 2 'expected a name that ends in .ogg' $edit rain.wav --from 1 --format ogg -o x.flac
fails 2 'say where it goes' $edit rain.wav --from 1
fails 2 'name the recording' $edit --from 1 -o x.wav
fails 2 'one recording is edited' $edit rain.wav span.wav --from 1 -o x.wav
fails 2 "from is 4 s, expected 0 to 4, the recording's length" $edit rain.wav --from 4 -o x.wav
fails 2 "to is 4.5 s, expected 0 to 4" $edit rain.wav --to 4.5 -o x.wav
fails 2 'from must be below to' $edit rain.wav --from 2 --to 1 -o x.wav
fails 2 'from must be below to' $edit rain.wav --from 2 --to 2 -o x.wav
fails 2 'not LOW:HIGH' $edit rain.wav --band 2000 -o x.wav
fails 2 'not LOW:HIGH' $edit rain.wav --band : -o x.wav
fails 2 'the lower comes first' $edit rain.wav --band 8000:2000 -o x.wav
fails 2 'expected 0 to 24000' $edit rain.wav --band 2000:30000 -o x.wav
fails 2 'expected 0 to 22050' $edit noise.wav --band 22100: -o x.wav
fails 2 'where nothing changes; expected above 0' $edit rain.wav --t 0 -o x.wav
for bad in nan inf 1.1 -1 x ''; do fails 2 ', 0 to 1' $edit rain.wav --t "$bad" -o x.wav; done
fails 2 ', 0 to 600' $edit rain.wav --after 601 -o x.wav
fails 2 ', 0 to 600' $edit rain.wav --before nan -o x.wav
fails 2 'one or the other' $edit rain.wav --after 1 --from 1 -o x.wav
fails 2 'one or the other' $edit rain.wav --before 1 --t 0.5 -o x.wav
fails 2 ', 0 to 90' $edit rain.wav --vary 91 -o x.wav
fails 2 ', 1 to 100' $edit rain.wav --from 1 --resample 0 -o x.wav
fails 4 'done again' $edit rain.wav --from 1 --resample 3 --sampler rk45 -o x.wav
fails 3 'rain' $edit rain.wav --from 1 --label rian -o x.wav
fails 3 'dpmpp-2m' $edit rain.wav --from 1 --sampler dpmpp2m -o x.wav
fails 3 'nosuch.wav' $edit nosuch.wav --from 1 -o x.wav
fails 4 'empty.wav: holds no samples' $edit empty.wav --after 1 -o x.wav
cp noise.wav slow.wav && printf '\144\0\0\0' | dd of=slow.wav bs=1 seek=24 conv=notrunc 2>dd-err
fails 2 'slow.wav: the rate is 100 Hz, expected 1000 to' $edit slow.wav --after 1 -o x.wav
fails 4 'nan.wav: .*100' $edit nan.wav --from 0.01 -o x.wav
fails 4 'cleans recordings' "$ebb" edit --model tiny-denoise rain.wav --from 1 -o x.wav
fails 5 'nosuch' $edit rain.wav --from 1 -o nosuch/x.wav
fails 2 'standard output' $edit rain.wav --from 1 -o - --json
ok "nothing was written" test ! -e x.wav

# ---- interrupted ----

$edit rain.wav --t 0.9 --steps 1000 -o stopped.wav >stop-out 2>stop-err &
pid=$!
interrupt $pid
wait $pid
code=$?
ok "interrupted: 130" test $code -eq 130
ok "said so" grep -q interrupted stop-err
ok "left nothing" sh -c 'test ! -e stopped.wav'
ok "nothing half written" tidy .

done_testing
