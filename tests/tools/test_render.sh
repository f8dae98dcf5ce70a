#!/bin/sh
# Rendering: files, resuming, recipes, levels, interrupts.
. "$(dirname "$0")/tap.sh"
render="$ebb render --model tiny-sfx --device cpu --phase-iterations 2"

# ---- a folder of sounds called as the model does not hide it ----

mkdir tiny-sfx
ok "a model beside a folder of its name" $render --label rain --quiet -o tiny-sfx/
rm -r tiny-sfx

ok "one sound into a file" $render --label rain -o rain.wav
ok "it has a window's length" says '^131072 1 48000$' "$helper" samples rain.wav
ok "its recipe says how" says '"label": "rain"' "$ebb" info rain.wav --json
ok "its recipe names the model's bytes" says '"model_sha256": "[0-9a-f]\{64\}"' "$ebb" info rain.wav --json
ok "another name, the same recipe, the same bytes" sh -c "$render --label rain -o again.wav && cmp rain.wav again.wav"
ok "another seed" $render --label rain --seed 2 -o two.wav
ok "another sound" differ "$helper" same rain.wav two.wav
ok "the length asked for" sh -c "$render --label rain --seconds 0.5 -o half.wav && $helper samples half.wav | grep -q '^24000 1 48000'"

# ---- many, resumed ----

ok "three of a label" says '3 of 3 sounds made' $render --label kick --count 3 --seed 1 -o out/
ok "named by label, seed and index" test -f out/kick-s1-002.wav
ok "sound 2 does not depend on how many were asked for" sh -c "$render --label kick --seed 1 --index 2 -o alone.wav && cmp alone.wav out/kick-s1-002.wav"
rm out/kick-s1-001.wav
ok "a second run does what is left" says '1 of 3 sounds made, 2 were there already' $render --label kick --count 3 --seed 1 -o out/
fails 1 'is another sound' $render --label kick --count 3 --seed 1 --steps 3 -o out/
ok "and is kept" says '"steps": 4' "$ebb" info out/kick-s1-000.wav --json
ok "unless forced" says '3 of 3 sounds made' $render --label kick --count 3 --seed 1 --steps 3 -o out/ --force
ok "JSON, a line per sound" says '"status":"kept"' $render --label kick --count 3 --seed 1 --steps 3 -o out/ --json
ok "several labels" sh -c "$render --label rain,bell -o two/ && test -f two/bell-s0-000.wav"
ok "all labels" says '4 of 4 sounds made' $render --label all -o all/
ok "no label" $render -o none.wav
ok "is another sound again" differ "$helper" same none.wav rain.wav

# ---- guidance ----

guided="$render --label rain --guidance 3.5 --force"
$guided -o g.wav >/dev/null
ok "both conventions" sh -c "$render --label rain --guidance-w 2.5 -o w.wav && cmp g.wav w.wav"
ok "an interval" sh -c "$guided --guidance-from 0.2 --guidance-to 0.7 -o i.wav && ! cmp -s g.wav i.wav"
ok "rescaled" sh -c "$guided --rescale 0.7 -o r.wav && ! cmp -s g.wav r.wav"
ok "away from another label" sh -c "$guided --negative bell -o n.wav && ! cmp -s g.wav n.wav"
ok "left alone they change nothing, the recipe included" sh -c "$guided --guidance-from 0 --guidance-to 1 --rescale 0 --negative none -o d.wav && cmp g.wav d.wav"
ok "a mixture" sh -c "$render --label rain:0.7,wind:0.3 -o mix/ && test -f mix/rain-0.7+wind-0.3-s0-000.wav"
ok "its recipe makes it again" sh -c "$render --like mix/*.wav -o m.wav && cmp m.wav mix/*.wav"
ok "so do those of the others" sh -c "for f in i r n; do $render --like \$f.wav -o again-\$f.wav && cmp \$f.wav again-\$f.wav || exit 1; done"
ledby="$render --label kick --force --model tiny-led"
ok "a classifier's guidance" sh -c "$ledby --classifier-guidance 3 -o c.wav && $ledby --classifier-guidance 9 -o c9.wav && ! cmp -s c.wav c9.wav"
ok "its recipe makes it again" sh -c "$ebb render --device cpu --like c.wav -o again-c.wav && cmp c.wav again-c.wav"
ok "a model says that it has one" says 'classifier-guidance' "$ebb" info tiny-led
ok "and JSON does" says '"classifier": true' "$ebb" info tiny-led --json
cp -r "$data/models/tiny-sfx" own && chmod -R u+w own && sed -i 's/"name": "kick",/"name": "kick", "guidance": 3.5,/' own/ebb.json
ok "a label with a guidance of its own" sh -c "$render --model ./own --label kick -o o.wav && $ebb info o.wav | grep -q 'guidance  *3.5'"
ok "the other labels have the model's" sh -c "$render --model ./own --label wind -o o2.wav && $ebb info o2.wav | grep -q 'guidance  *2.0'"
ok "a mixture has the mean" sh -c "$render --model ./own --label kick:1,wind:2 -o o3.wav && $ebb info o3.wav | grep -q 'guidance  *2.5'"
ok "and info says so" says 'guidance 2 to 3.5 by label' "$ebb" info ./own
fails 4 'has no classifier' $guided --classifier-guidance 3 -o x.wav
fails 2 '0..1000' $guided --classifier-guidance -1 -o x.wav
fails 2 '0..1000' $guided --classifier-guidance nan -o x.wav
fails 2 'guidance = 1 + w' $guided --guidance-w 2 -o x.wav
fails 2 'from <= to' $guided --guidance-from 0.7 --guidance-to 0.2 -o x.wav
fails 2 '0..1' $guided --rescale 1.5 -o x.wav
fails 2 'no share' $render --label rain:0.7,wind -o x.wav
fails 2 'all shares are 0' $render --label rain:0,wind:0 -o x.wav
fails 2 'share' $render --label rain:-1 -o x.wav
fails 3 'rian' $render --label rian:1 -o x.wav
fails 3 'thunder' $guided --negative thunder -o x.wav

# ---- from seed to seed ----

ok "a path of five" says '5 of 5 sounds made' $render --label rain --seed 3 --to-seed 4 --count 5 -o path/
ok "begins at the plain seed, recipe and all" sh -c "$render --label rain --seed 3 -o end.wav && cmp end.wav path/rain-s3-s4-000.wav"
ok "ends at the other" sh -c "$render --label rain --seed 4 -o end.wav --force && cmp end.wav path/rain-s3-s4-004.wav"
ok "and goes somewhere between" sh -c "! cmp -s path/rain-s3-s4-002.wav path/rain-s3-s4-000.wav && ! cmp -s path/rain-s3-s4-002.wav path/rain-s3-s4-003.wav"
ok "whose recipe makes it again" sh -c "$render --like path/rain-s3-s4-002.wav -o half-way.wav && cmp half-way.wav path/rain-s3-s4-002.wav"
ok "a second run has nothing left" says '5 were there already' $render --label rain --seed 3 --to-seed 4 --count 5 -o path/
fails 2 '2 or more' $render --label rain --to-seed 4 -o x.wav
fails 2 'exclude' $render --list list.csv --to-seed 4 -o x/

# ---- lists ----

printf 'name,label,seed,seconds,peak\r\n"gate, ""big""",kick,4,0.25,-3\r\nb,rain,1,,\r\n' >list.csv
ok "a CSV list" says '2 of 2 sounds made' $render --list list.csv -o listed/
ok "quotes in names" test -f 'listed/gate, "big".wav'
ok "the row's length" says '^12000 1 48000$' "$helper" samples 'listed/gate, "big".wav'
ok "the row's peak" says '^-3.0$' "$helper" peak 'listed/gate, "big".wav'
printf '{"label": "wind", "seconds": 0.25}\n\n{"label": "wind", "seconds": 0.25}\n' >list.jsonl
ok "JSON Lines, numbered where nothing tells them apart" sh -c "$render --list list.jsonl -o lines/ && test -f lines/wind-s0-001.wav"

# ---- again, from the recipe ----

ok "like: the same samples" sh -c "$ebb render --like 'listed/gate, \"big\".wav' --device cpu -o like.wav && cmp like.wav 'listed/gate, \"big\".wav'"
ok "like, changed" sh -c "$ebb render --like rain.wav --device cpu --seed 2 -o like2.wav && $helper same like2.wav two.wav"
"$helper" wav noise plain.wav
fails 4 'no recipe' "$ebb" render --like plain.wav -o x.wav
fails 3 'nosuch.wav' "$ebb" render --like nosuch.wav -o x.wav

# ---- formats and levels ----

ok "24 bit" sh -c "$render --label rain --format wav24 -o f24.wav && $helper close rain.wav f24.wav 6.2e-5"
ok "float" sh -c "$render --label rain --format wav32f -o f32.wav && $helper close f32.wav f24.wav 1.3e-7"
ok "peak" sh -c "$render --label rain --peak -6 --format wav32f -o peak.wav && $helper peak peak.wav | grep -qx -e -6.0"
ok "loudness" sh -c "$render --label rain --lufs -30 --format wav32f -o lufs.wav && $helper loudness lufs.wav | grep -qx -e -30.0"
ok "gain" sh -c "$render --label rain --gain -6.0206 --format wav32f -o gain.wav && $helper sum twice.wav gain.wav gain.wav && $helper close twice.wav f32.wav 1e-5"
ok "standard output" sh -c "$render --label rain -o - | cat >piped.wav && $helper same piped.wav rain.wav"

# ---- latents ----

cp -r "$data/models/tiny-direct" bare && chmod -R u+w bare && rm bare/ebb.json # four channels where a mel has one
ok "a bare network of another domain" sh -c "$ebb render --model ./bare --device cpu --noise torch --seed 42 --steps 2 --save-latents b.npy -o bare-out && $helper shape b.npy | grep -q '(1, 4, 32, 64) 8192'"
ok "latents" sh -c "$render --label rain --noise torch --seed 42 --save-latents z.npy && $helper shape z.npy | grep -q '(1, 4, 16, 32) 2048'"
ok "latents alone write no sound" test ! -e sound-s42-000.wav
fails 2 'one sound' $render --label rain --count 2 --save-latents z.npy
ok "each step's state" sh -c "$render --label rain --save-steps steps --save-latents last.npy && ls steps | grep -c npy | grep -qx 5 && cmp last.npy steps/step-004.npy && ! cmp -s last.npy steps/step-003.npy"
fails 2 'one sound' $render --label rain --count 2 --save-steps steps
fails 5 'rain.wav' $render --label rain --save-steps rain.wav/no

# ---- how a sampler goes about it ----

tuned() { $render --label rain --sampler "$@" --save-latents t.npy && ! cmp -s z.npy t.npy; }
ok "latents as they come" $render --label rain --sampler euler --save-latents z.npy
ok "another spacing" tuned euler --spacing karras
ok "churn" tuned euler --churn 10
ok "churn where nothing is" sh -c "$render --label rain --sampler euler --churn 10 --churn-from 1000 --churn-to 2000 --save-latents t.npy && cmp z.npy t.npy"
ok "dynamic thresholding" tuned euler --threshold 0.5
evals() { $render --label rain --sampler rk45 --tolerance "$1" --force --json -o t.wav | sed 's/.*"evaluations":\([0-9]*\).*/\1/'; }
closer() { a=$(evals 0.5) b=$(evals 0.001) && [ "$a" -gt 6 ] && [ "$b" -gt "$a" ]; }
ok "rk45 takes a tolerance and tells its evaluations" closer
again() {
    $render --label rain --sampler euler --spacing karras --churn 3 --threshold 0.9 -o tuned.wav &&
        "$ebb" render --like tuned.wav --device cpu -q -o retuned.wav && cmp tuned.wav retuned.wav
}
ok "a tuned sound can be made again" again
# An option changes the latents, or is said to change nothing. Samplers for distilled models do not run on this one.
idle() { $render --label rain --sampler "$@" --save-latents t.npy 2>idle-err; }
told() {
    for s in $("$ebb" samplers --names); do
        idle "$s" "$1" "$2" && cp t.npy other.npy || continue
        idle "$s" "$1" "$3" && { cmp -s t.npy other.npy && same=0 || same=1; }
        grep -q "has no use for $1" idle-err && no_use=0 || no_use=1
        [ $same -eq $no_use ] || { echo "$s: $1"; return 1; }
    done
}
ok "every sampler has a use for --eta, or says so" told --eta 0 1
ok "every sampler has a use for --churn, or says so" told --churn 0 10
ok "every sampler has a use for --tolerance, or says so" told --tolerance 0.001 0.5
ok "--churn-from alone is said to change nothing" sh -c "$render --label rain --sampler euler --churn-from 1 --save-latents t.npy 2>&1 | grep -q 'without --churn'"
ok "nothing is said of what has a use" sh -c "! $render --label rain --sampler euler --churn 1 --churn-to 1 --save-latents t.npy 2>&1 | grep nothing"
ok "info has words for what the recipe leaves open" sh -c "$ebb info rain.wav | grep -q 'eta  *the sampler.s own' && $ebb info rain.wav | grep -q 'seconds  *one window'"
fails 2 'trailing, leading' $render --label rain --spacing nosuch -o x.wav
fails 2 'tolerance' $render --label rain --tolerance 0 -o x.wav
fails 2 'churn' $render --label rain --churn nan -o x.wav
fails 2 'threshold' $render --label rain --threshold 2 -o x.wav
fails 2 'steps' $render --label rain --steps 0 -o x.wav
fails 2 'steps' $render --label rain --steps 100000 -o x.wav
fails 2 'eta' $render --label rain --eta -0.5 -o x.wav
fails 2 'guidance' $render --label rain --guidance nan -o x.wav
fails 4 'consistency-distilled' $render --label rain --sampler lcm -o x.wav

# ---- names that say what is in them ----

ok "WAV in capitals is a file" sh -c "$render --label rain -o CAPITALS.WAV && cmp CAPITALS.WAV rain.wav"
for ending in mp3 FLAC ogg aiff; do
    fails 2 'sound is written as WAV' $render --label rain -o x.$ending
    ok "and there is no x.$ending" test ! -e x.$ending
done
ok "a folder may have such a name" sh -c "mkdir x.flac && $render --label rain -o x.flac && test -f x.flac/rain-s0-000.wav && rm -r x.flac"
ok "or get it" sh -c "$render --label rain -o x.ogg/ && test -f x.ogg/rain-s0-000.wav && rm -r x.ogg"
ok "a folder in folders for the steps" sh -c "$render --label rain --save-steps deep/er/steps && test -f deep/er/steps/step-004.npy"

# ---- what cannot be ----

fails 3 'rain' $render --label rian -o x.wav
fails 2 'one file' $render --label rain --count 2 -o x.wav
unsaid() { "$@" >unsaid-out 2>unsaid-err; [ $? -ne 0 ] && ! grep -q 'goes on' unsaid-out; }
ok "what fails does not go on" unsaid $render --label rain --spacing nosuch -o x.wav
ok "nor without its device" unsaid "$ebb" render --model tiny-sfx --device cuda -o x.wav
fails 5 'plain.wav' $render --label rain -o plain.wav/out/
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked && chmod 555 locked
    fails 5 'locked' $render --label rain -o locked/
else
    fails 5 '/proc' $render --label rain -o /proc/nosuch/
fi
if [ -c /dev/full ]; then
    fails 5 '/dev/full' $render --label rain -o /dev/full
    full() { $render --label rain -o - >/dev/full; }
    fails 5 'standard output' full
    full_list() { "$ebb" samplers >/dev/full; }
    fails 5 'standard output' full_list
else
    skip "full disk" "there is no /dev/full"
fi
fails 5 '/proc' timeout 5 $render --label rain --seconds 3000 -o /proc/nosuch.wav
ok "nothing half written" tidy .

# ---- interrupts ----

$render --label rain --count 1000 --steps 200 -o many/ >tap-out-int 2>tap-err-int &
pid=$!
sleep 1.5
kill -INT $pid
wait $pid
code=$?
ok "an interrupt ends with 130 (got $code)" test $code -eq 130
ok "says that the same command goes on" grep -q 'left: the same command goes on' tap-out-int
ok "and leaves no half file" tidy .

done_testing
