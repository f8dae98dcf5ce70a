#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Recipes in files: of earlier versions, of streams, of strangers.
. "$(dirname "$0")/tap.sh"
render="$ebb render --model tiny-sfx --device cpu --threads 1 --phase-iterations 2"
like="$ebb render --device cpu --threads 1 --quiet"
# comment FILE [TEXT]: makes a sound with this comment; without TEXT, with the next lines joined to one.
comment() { "$helper" comment sound.wav "$1" "${2-$(tr -d '\n')}"; }
"$helper" wav noise sound.wav
samples="sh -c 'tail -c +57 \"\$0\" | head -c 48000'" # 0.25 s of float at 48 kHz stand behind 56 bytes
mkdir bad

# ---- what earlier versions wrote, byte for byte ----

hash=6778b3d41bafd09cfe742109f72ecb2483c7809b30f1e4ee755ef4eb34b8003e
comment old-path.wav <<END
{"ebb":1,"model":"tiny-sfx","model_sha256":"$hash","label":"rain","seed":3,"index":0,"to_seed":5,
"share":0.5,"seconds":0.0,"sampler":"heun","steps":4,"guidance":2.0,"guidance_from":0.20000000000000001,
"eta":-1.0,"churn":2.0,"noise":"philox","noise_version":1,"phase_iterations":2,"trim":true,
"gain_db":-3.0,"lufs":null,"peak_db":null,"format":"wav16","version":"0.1.0",
"device":"cpu: 2 threads, AVX-512","licence":"CC0-1.0","credit":null}
END
comment old.wav <<END
{"ebb":1,"model":"tiny-sfx","model_sha256":"$hash","label":null,"seed":2,"index":0,"seconds":0.25,
"sampler":"dpmpp-2m","steps":4,"guidance":1.0,"eta":-1.0,"noise":"philox","noise_version":1,
"phase_iterations":2,"trim":false,"gain_db":0.0,"lufs":null,"peak_db":-6.0,"format":"wav16",
"version":"0.1.0","device":"cpu: 2 threads, AVX-512","licence":"CC0-1.0","credit":null}
END
comment old-edit.wav <<END
{"ebb_edit":1,"source":"old.wav","source_print":8920879778819149517,"from":1.2,"to":2.0,"t":1.0,
"model":"tiny-sfx","model_sha256":"$hash","label":"rain","seed":0,"index":0,"sampler":"dpmpp-2m",
"steps":4,"guidance":2.0,"eta":-1.0,"noise":"philox","noise_version":1,"phase_iterations":2,
"format":"wav16","version":"0.1.0","device":"cpu: 2 threads, AVX-512","licence":"CC0-1.0","credit":null}
END
comment old-denoise.wav <<END
{"ebb_denoise":1,"model":"tiny-denoise",
"model_sha256":"f07270dbe67e0aa110495c92eba58e49e33b8bfdc6a682cba6fa342e09f78cb9","source":"old.wav",
"wet":1.0,"seed":0,"version":"0.1.0","t":"auto","model_licence":"CC0-1.0"}
END

ok "an old sound: gain has its unit" says 'gain  *-3 dB$' "$ebb" info old-path.wav
ok "a part of a path" says 'share  *0.5$' "$ebb" info old-path.wav
ok "in JSON by today's names" says '"gain": -3.0' "$ebb" info old-path.wav --json
ok "it is made again, with the noise of its version" \
    sh -c "$like --like old-path.wav -o p.wav && '$ebb' info p.wav | grep -q 'noise-version  *1' &&
        $like --like p.wav -o p2.wav && cmp p.wav p2.wav"
ok "a new sound of a label has noise of its own" \
    sh -c "$render --label rain --seed 3 --to-seed 5 --share 0.5 --sampler heun --guidance-from 0.2 \
        --churn 2 --trim --gain -3 -o q.wav && ! cmp -s p.wav q.wav"
ok "without a label the samples are those of today" \
    sh -c "$like --like old.wav -f wav32f -o o.wav &&
        $render --seed 2 --seconds 0.25 --peak -6 -f wav32f -o o2.wav && $samples o.wav >o.raw &&
        $samples o2.wav >o2.raw && [ \$(wc -c <o.raw) -eq 48000 ] && cmp o.raw o2.raw"
cp old.wav there.wav
ok "an old sound is there already" says '1 was there already' $ebb render --like there.wav --device cpu \
    --threads 1 --model tiny-sfx -o there.wav
fails 1 'is another sound' $render --seed 2 --seconds 0.25 --peak -7 -o there.wav
ok "an old edit" says 'to  *2 s$' "$ebb" info old-edit.wav
ok "names its recording" says 'source-print  *8920879778819149517$' "$ebb" info old-edit.wav
fails 4 'ebb edit made it out of a recording' $like --like old-edit.wav -o x.wav
ok "an old cleaned recording" says 'auto-t  *true$' "$ebb" info old-denoise.wav
ok "and its licence" says '"licence": "CC0-1.0"' "$ebb" info old-denoise.wav --json
fails 4 'ebb denoise made it out of a recording' $like --like old-denoise.wav -o x.wav

# ---- of a student, which this model has not got ----

comment student.wav <<END
{"ebb":2,"verb":"generate","model":"tiny-sfx","label":"rain","seed":3,"student":true,"sampler":"ddim",
"steps":1,"guidance":1,"guidance_from":0,"guidance_to":1,"phase_iterations":2}
END
fails 4 'has no student' $like --like student.wav -o x.wav
fails 4 'has no student' $like --like student.wav --seed 4 -o x.wav
ok "with other settings it is the teacher's, as if nothing had been said" \
    sh -c "$like --like student.wav --rescale 0.5 -o t.wav &&
        $render --label rain --seed 3 --rescale 0.5 -o u.wav && cmp t.wav u.wav"
ok "so is a mixture" \
    sh -c "$like --like student.wav --label rain:1,wind:1 -o t.wav --force &&
        $render --label rain:1,wind:1 --seed 3 -o u.wav --force && cmp t.wav u.wav"

# ---- streams ----

stream='"ebb":2,"verb":"stream","model":"tiny-sfx","label":"rain","seed":3,"phase_iterations":2'
comment two.wav "{$stream,\"num_clips\":2}"
comment four.wav "{$stream,\"num_clips\":4}"
comment endless.wav "{$stream}" # 24001 frames at 44100 Hz
begins() { # the samples of the first are those that the second begins with
    python3 - "$1" "$2" <<'PYTHON'
import sys
a, b = (open(name, "rb").read().split(b"data", 1)[1][4:] for name in sys.argv[1:])
size = len(a) // 4 // 2 * 4  # what stands behind the samples is not compared
sys.exit(0 if size and a[:size] == b[:size] else 1)
PYTHON
}
ok "clips of a stream" sh -c "$like --like two.wav -o 2.wav && $like --like four.wav -o 4.wav"
twice() { a=$("$helper" samples 2.wav) b=$("$helper" samples 4.wav) && [ $((2 * ${a%% *})) -eq "${b%% *}" ]; }
ok "four are twice as long as two" twice
ok "and begin as two do" begins 2.wav 4.wav
ok "a stream without end: as long as the file, at the model's rate" \
    sh -c "$like --like endless.wav -o e.wav && $helper samples e.wav | grep -qx '26124 1 48000'"
ok "and the same sound" begins e.wav 4.wav
ok "its recipe is settled" says 'sampler  *dpmpp-2m$' "$ebb" info 4.wav
ok "and makes it again" sh -c "$like --like 4.wav -o again.wav && cmp 4.wav again.wav"
ok "another seed is another sound" sh -c "$like --like two.wav --seed 4 -o s.wav && ! cmp -s s.wav 2.wav"
ok "which is there already" says '1 was there already' "$ebb" render --device cpu --like two.wav --seed 4 \
    -o s.wav
ok "into standard output, as 16 bit" \
    sh -c "$like --like endless.wav --format wav16 -o - | cat >piped.wav &&
        $helper samples piped.wav | grep -qx '26124 1 48000'"
fails 2 '\-\-seconds: two.wav was recorded from a stream' $like --like two.wav --seconds 2 -o x.wav
fails 2 'two.wav was recorded from a stream' $like --like two.wav --count 2 -o x.wav
fails 2 'two.wav was recorded from a stream' $like --like two.wav --save-latents x.npy
$like --like four.wav --steps 1000 -o stopped.wav 2>stop-err &
pid=$!
interrupt $pid
wait $pid
ok "it can be stopped" grep -q interrupted stop-err
ok "and leaves nothing" test ! -e stopped.wav

# ---- one row of the table is an option, a column and a line of the recipe ----

knob="--label rain --guidance 3.5 --guidance-from 0.2 --guidance-to 0.7"
printf 'name,label,guidance,guidance-from,guidance-to\ncell,rain,3.5,0.2,0.7\nempty,rain,3.5,,\n' >knob.csv
cat >knob.jsonl <<END
{"name": "key", "label": "rain", "guidance": 3.5, "guidance_from": 0.2, "guidance_to": 0.7, "index": 0}
END
ok "guidance times as options" \
    sh -c "$render $knob -o option.wav && $render --label rain --guidance 3.5 -o always.wav &&
        ! cmp -s option.wav always.wav"
ok "as columns" \
    sh -c "$render --list knob.csv --index 0 -o list/ && cmp option.wav list/cell.wav &&
        ! cmp -s option.wav list/empty.wav"
ok "as keys" sh -c "$render --list knob.jsonl -o list/ && cmp option.wav list/key.wav"
ok "in the recipe" says 'guidance-from  *0.2$' "$ebb" info option.wav
ok "made again" sh -c "$like --like option.wav -o again-option.wav && cmp option.wav again-option.wav"
ok "changed, of a sound made before" \
    sh -c "$like --like always.wav --guidance-from 0.2 --guidance-to 0.7 -o late.wav &&
        cmp option.wav late.wav"
ok "in a stream's recipe" \
    sh -c "$helper comment sound.wav timed.wav \
        '{$stream,\"num_clips\":1,\"guidance\":3.5,\"guidance_to\":0.7}' &&
        $like --like timed.wav -o t1.wav && $like --like timed.wav --guidance-to 1 -o t2.wav &&
        ! cmp -s t1.wav t2.wav"
fails 2 'knob.csv:2: guidance-from: "2", expected a number, 0 to 1' \
    sh -c "sed 's/,0.2,/,2,/' knob.csv >bad/knob.csv; cd bad && $render --list knob.csv -o x/"

# ---- strangers ----

stranger() { # stranger CODE WORDS RECIPE: refused as a recipe; info says the same and goes on
    comment bad.wav "$3"
    fails "$1" "$2" $like --like bad.wav -o x.wav
    ok "info says so too" sh -c "$ebb info bad.wav 2>&1 >/dev/null | grep -q -e '$2'"
}
stranger 4 'noise version 99' '{"ebb":2,"verb":"generate","noise_version":99}'
stranger 4 'format 3' '{"ebb":3,"verb":"generate"}'
stranger 4 'no setting "stepz" (did you mean steps?)' '{"ebb":2,"verb":"generate","stepz":3}'
stranger 4 'steps: "0", expected a whole number, 1 to 1000' '{"ebb":2,"verb":"generate","steps":0}'
stranger 4 'steps is no text' '{"ebb":2,"verb":"generate","steps":[[[[3]]]]}'
stranger 4 'damaged' '{"ebb":2,"verb":"generate",'
comment other.wav '{"title":"rain"}'
fails 4 'there is no recipe in it' $like --like other.wav -o x.wav
ok "a comment of another make is shown" says '{"title":"rain"}' "$ebb" info other.wav
comment escape.wav "$(printf 'rain\033[2J\a')"
ok "its control characters are made visible" says 'rain\\x1b\[2J\\x07' "$ebb" info escape.wav
comment escape2.wav '{"ebb":2,"verb":"generate","label":"rain\u001b[2J"}'
fails 4 'control character' $like --like escape2.wav -o x.wav
ok "nothing was written" test ! -e x.wav
ok "nothing half written" tidy .

done_testing
