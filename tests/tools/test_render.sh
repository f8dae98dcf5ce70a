#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
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
ok "another name, the same recipe, the same bytes" \
    sh -c "$render --label rain -o again.wav && cmp rain.wav again.wav"
ok "another seed" $render --label rain --seed 2 -o two.wav
ok "another sound" differ "$helper" same rain.wav two.wav
ok "the length asked for" \
    sh -c "$render --label rain --seconds 0.5 -o half.wav &&
        $helper samples half.wav | grep -q '^24000 1 48000'"

# ---- loops ----

ok "a loop" $render --label rain --loop --seconds 2.5 --steps 2 -o loop.wav
ok "of the length asked for" says '^120000 1 48000$' "$helper" samples loop.wav
ok "its file says so" says 'samples 0 to 119999 (2.500 s)' "$ebb" info loop.wav
ok "and JSON does" sh -c "$ebb info loop.wav --json | tr -d ' \n' | grep -q '\"loop\":\[0,120000\]'"
ok "another file says nothing of a loop" sh -c "! $ebb info rain.wav | grep -q loop"
ok "its recipe makes it again, the loop too" \
    sh -c "$render --like loop.wav -o loop2.wav && cmp loop.wav loop2.wav"
ok "an event comes once a round" \
    sh -c "$render --label kick --loop --seconds 0.5 -o beat.wav && \
        $helper samples beat.wav | grep -q '^24000 1 48000'"
printf 'name,label,loop,seconds\nround,rain,true,1\nstraight,rain,,1\n' >loops.csv
ok "a column of a list" \
    sh -c "$render --list loops.csv --steps 1 -o loops/ && \
        $ebb info loops/round.wav | grep -q 'samples 0 to 47999' && \
        ! $ebb info loops/straight.wav | grep -q 'loop  '"
ok "at another rate" \
    sh -c "$render --label rain --loop --seconds 1 --steps 1 --rate 44100 -o r.wav && \
        $ebb info r.wav | grep -q 'samples 0 to 44099'"
ok "a FLAC has no place for it" \
    sh -c "$render --label rain --loop --seconds 1 --steps 1 -o r.flac && \
        ! $ebb info r.flac | grep -q 'samples 0 to'"
ok "a tenth of a second" \
    sh -c "$render --label rain --loop --seconds 0.1 --steps 1 -o tenth.wav && \
        $ebb info tenth.wav | grep -q 'samples 0 to 4799'"
fails 2 'a loop of 0.05 seconds, expected 0.1 to 86400' $render --label rain --loop --seconds 0.05 -o x.wav
fails 2 'a loop of 0.05 seconds, expected 0.1 to 86400' $render --label kick --loop --seconds 0.05 -o x.wav
fails 2 ', 0 to 86400' $render --label rain --loop --seconds 86401 -o x.wav
fails 2 'a WAV can say 0 to 4294967295' \
    $render --label rain --loop --seconds 86400 --rate 96000 --lufs -23 -o x.wav
fails 2 'trim cuts a loop open' $render --label kick --loop --trim -o x.wav
fails 4 'torch noise' $render --label rain --loop --noise torch -o x.wav

# ---- ends, attacks, families ----

ok "an event that is cut short fades" \
    sh -c "$render --label kick --seconds 0.8 -o cut.wav && $ebb info cut.wav | grep -q 'fade  *0.1 s'"
ok "as long as it is asked to" \
    sh -c "$render --label kick --seconds 0.8 --fade 0.3 -o f.wav && ! cmp -s cut.wav f.wav"
fails 2 ', 0 to 60' $render --label kick --fade 61 -o x.wav
fails 2 'a loop has no end to fade' $render --label rain --loop --fade 0.1 -o x.wav
frames() { "$helper" samples "$1" | cut -d' ' -f1; }
bark="$ebb render --model sfx --device cpu --label dog_bark --seed 1 --phase-iterations 2"
leads() { # a bark of the shipped model has its attack after 80 ms
    $bark -o lead.wav && $bark --lead 0.02 -o lead2.wav && $bark --lead 60 -o whole.wav &&
        [ "$(frames lead.wav)" -lt 130500 ] && [ $(($(frames lead2.wav) - $(frames lead.wav))) -eq 720 ] &&
        [ "$(frames whole.wav)" -eq 131072 ]
}
ok "the silence before an attack is cut to 5 ms, or as it is asked" leads
ok "the recipe says so, and makes the sound again" \
    sh -c "$ebb info lead.wav | grep -q 'lead  *0.005 s' && \
        $ebb render --device cpu --like lead.wav -o lead3.wav && cmp lead.wav lead3.wav"
# A file from before events had a lead: its recipe has none.
old_lead() {
    LC_ALL=C sed 's/"lead":60.0,/            /' whole.wav >old.wav && ! cmp -s whole.wav old.wav &&
        "$ebb" render --device cpu --like old.wav -o old2.wav && ! "$ebb" info old2.wav | grep -q lead &&
        "$helper" same whole.wav old2.wav
}
ok "a recipe without a lead makes its sound as it was" old_lead
ok "a length that is asked for stays, with silence behind" \
    sh -c "$bark --seconds 0.5 -o kept.wav && $helper samples kept.wav | grep -q '^24000 1 48000'"
ok "a texture keeps its start" \
    sh -c "$render --label rain -o t.wav && ! $ebb info t.wav | grep -q lead"
fails 2 'lead cuts a loop open' $render --label kick --loop --lead 0.005 -o x.wav
fails 2 ', 0 to 60' $render --label kick --lead -1 -o x.wav
gain_of() { "$ebb" info "$1" | sed -n 's/^  gain *//p'; }
family() {
    $render --label kick --count 3 --lufs -30 --together -o family/ &&
        [ -n "$(gain_of family/kick-s0-000.wav)" ] &&
        [ "$(gain_of family/kick-s0-000.wav)" = "$(gain_of family/kick-s0-002.wav)" ] &&
        ! "$ebb" info family/kick-s0-000.wav | grep -q lufs
}
ok "one gain for a family" family
ok "again: all are there" says '0 of 3 sounds made, 3 were there already' \
    $render --label kick --count 3 --lufs -30 --together -o family/
ok "each makes itself again" \
    sh -c "$render --like family/kick-s0-001.wav -o one.wav && cmp one.wav family/kick-s0-001.wav"
ok "by the highest peak" \
    sh -c "$render --label kick --count 3 --peak -9 --together -o peaks/ && \
        $render --like peaks/kick-s0-000.wav --format wav32f -o p.wav"
fails 2 'give one of them' $render --label kick --count 3 --together -o x/

# ---- stereo ----

stereo="$render --channels 2 --steps 2 --format wav32f"
ok "two channels" $stereo --label rain --width 1 -o wide.wav
ok "are two" says '^131072 2 48000$' "$helper" samples wide.wav
ok "the recipe says how wide, and makes it again" \
    sh -c "$ebb info wide.wav | grep -q 'width  *1' && $render --like wide.wav -o wide2.wav && \
        cmp wide.wav wide2.wav"
ok "longer than a window, an event, a loop" \
    sh -c "$stereo --label rain --seconds 4 -o long.wav && \
        $helper samples long.wav | grep -q '^192000 2 48000' && \
        $stereo --label kick -o e.wav && $helper samples e.wav | grep -q '^131072 2 48000' && \
        $stereo --label rain --loop --seconds 1 -o l2.wav && \
        $helper samples l2.wav | grep -q '^48000 2 48000'"
fails 2 ', 0 to 1' $stereo --label rain --width 1.1 -o x.wav
fails 2 ', 0 to 1' $stereo --label rain --width -0.1 -o x.wav
fails 2 ', 0 to 1' $stereo --label rain --width nan -o x.wav
fails 2 ', 1 to 2' $render --label rain --channels 3 -o x.wav
fails 2 ', 1 to 2' $render --label rain --channels 0 -o x.wav
fails 2 'is for two channels' $render --label rain --width 0.5 -o x.wav
fails 4 'torch noise' $stereo --label rain --noise torch -o x.wav

# ---- many, resumed ----

ok "three of a label" says '3 of 3 sounds made' $render --label kick --count 3 --seed 1 -o out/
ok "named by label, seed and index" test -f out/kick-s1-002.wav
ok "sound 2 does not depend on how many were asked for" \
    sh -c "$render --label kick --seed 1 --index 2 -o alone.wav && cmp alone.wav out/kick-s1-002.wav"
rm out/kick-s1-001.wav
ok "a second run does what is left" says '1 of 3 sounds made, 2 were there already' $render --label kick \
    --count 3 --seed 1 -o out/
fails 1 'is another sound' $render --label kick --count 3 --seed 1 --steps 3 -o out/
ok "and is kept" says '"steps": 4' "$ebb" info out/kick-s1-000.wav --json
ok "unless forced" says '3 of 3 sounds made' $render --label kick --count 3 --seed 1 --steps 3 -o out/ --force
ok "JSON, a line per sound" says '"status":"kept"' $render --label kick --count 3 --seed 1 --steps 3 -o out/ \
    --json
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
ok "left alone they change nothing, the recipe included" \
    sh -c "$guided --guidance-from 0 --guidance-to 1 --rescale 0 --negative none -o d.wav && cmp g.wav d.wav"
ok "a mixture" sh -c "$render --label rain:0.7,wind:0.3 -o mix/ && test -f mix/rain-0.7+wind-0.3-s0-000.wav"
ok "its recipe makes it again" sh -c "$render --like mix/*.wav -o m.wav && cmp m.wav mix/*.wav"
ok "so do those of the others" \
    sh -c "for f in i r n; do $render --like \$f.wav -o again-\$f.wav && cmp \$f.wav again-\$f.wav ||
        exit 1; done"
ledby="$render --label kick --force --model tiny-led"
ok "a classifier's guidance" \
    sh -c "$ledby --classifier-guidance 3 -o c.wav && $ledby --classifier-guidance 9 -o c9.wav &&
        ! cmp -s c.wav c9.wav"
ok "its recipe makes it again" \
    sh -c "$ebb render --device cpu --like c.wav -o again-c.wav && cmp c.wav again-c.wav"
ok "a model says that it has one" says 'classifier-guidance' "$ebb" info tiny-led
ok "and JSON does" says '"classifier": true' "$ebb" info tiny-led --json
cp -r "$data/models/tiny-sfx" own && chmod -R u+w own &&
    sed -i 's/"name": "kick",/"name": "kick", "guidance": 3.5,/' own/ebb.json
ok "a label with a guidance of its own" \
    sh -c "$render --model ./own --label kick -o o.wav && $ebb info o.wav | grep -q 'guidance  *3.5'"
ok "the other labels have the model's" \
    sh -c "$render --model ./own --label wind -o o2.wav && $ebb info o2.wav | grep -q 'guidance  *2$'"
ok "a mixture has the mean" \
    sh -c "$render --model ./own --label kick:1,wind:2 -o o3.wav &&
        $ebb info o3.wav | grep -q 'guidance  *2.5'"
ok "and info says so" says 'guidance 2 to 3.5 by label' "$ebb" info ./own
fails 4 'has no classifier' $guided --classifier-guidance 3 -o x.wav
fails 2 '0 to 1000' $guided --classifier-guidance -1 -o x.wav
fails 2 '0 to 1000' $guided --classifier-guidance nan -o x.wav
fails 2 'guidance = 1 + w' $guided --guidance-w 2 -o x.wav
fails 2 'from <= to' $guided --guidance-from 0.7 --guidance-to 0.2 -o x.wav
fails 2 '0 to 1' $guided --rescale 1.5 -o x.wav
ok "blanks around names and shares" \
    sh -c "$render --label ' rain: 0.7 , Wind:0.3 ' -o b/ && cmp b/rain-0.7+wind-0.3-s0-000.wav mix/*.wav"
ok "and around several labels" \
    sh -c "$render --label 'rain, kick' -o several/ && test -f several/rain-s0-000.wav &&
        test -f several/kick-s0-000.wav"
fails 2 'no share' $render --label rain:0.7,wind -o x.wav
fails 2 'all shares of .* are 0' $render --label rain:0,wind:0 -o x.wav
fails 2 'share' $render --label rain:-1 -o x.wav
fails 3 'rian' $render --label rian:1 -o x.wav
fails 3 'thunder' $guided --negative thunder -o x.wav

# ---- from seed to seed ----

ok "a path of five" says '5 of 5 sounds made' $render --label rain --seed 3 --to-seed 4 --count 5 -o path/
ok "begins at the plain seed, recipe and all" \
    sh -c "$render --label rain --seed 3 -o end.wav && cmp end.wav path/rain-s3-s4-000.wav"
ok "ends at the other" \
    sh -c "$render --label rain --seed 4 -o end.wav --force && cmp end.wav path/rain-s3-s4-004.wav"
ok "and goes somewhere between" \
    sh -c "! cmp -s path/rain-s3-s4-002.wav path/rain-s3-s4-000.wav &&
        ! cmp -s path/rain-s3-s4-002.wav path/rain-s3-s4-003.wav"
ok "whose recipe makes it again" \
    sh -c "$render --like path/rain-s3-s4-002.wav -o half-way.wav && cmp half-way.wav path/rain-s3-s4-002.wav"
ok "a second run has nothing left" says '5 were there already' $render --label rain --seed 3 --to-seed 4 \
    --count 5 -o path/
fails 2 '2 or more' $render --label rain --to-seed 4 -o x.wav
fails 2 'exclude' $render --list list.csv --to-seed 4 -o x/

# ---- lists ----

printf 'name,label,seed,seconds,peak\r\n"gate, ""big""",kick,4,0.25,-3\r\nb,rain,1,,\r\n' >list.csv
ok "a CSV list" says '2 of 2 sounds made' $render --list list.csv -o listed/
silent() { "$@" >silent-out 2>silent-err && [ ! -s silent-out ] && [ ! -s silent-err ]; }
ok "quiet is quiet" silent $render --label kick -q -o quiet.wav
ok "the file is named" says '^kick-s31-000.wav: 1 of 1 sound made' $render --label kick --seed 31
said_beside() { $render --label kick -o - 2>beside-err >beside.wav &&
    grep -q '1 of 1 sound made' beside-err && "$ebb" info beside.wav >/dev/null; }
ok "words go to stderr while sound goes to stdout" said_beside
ok "labels in any case, with blanks" says '^rain-s32-000.wav: 1 of' $render --label Rain --seed 32
ok "samplers in any case" says 'made' $render --label Rain --sampler DDIM -o capitals.wav
ok "recipes spell both as the model and the list do" \
    sh -c "'$ebb' info capitals.wav | grep -q 'label  *rain$' &&
        '$ebb' info capitals.wav | grep -q 'sampler  *ddim$'"
fails 3 'near it: rain; labels are understood, not descriptions (ebb labels' $render \
    --label 'heavy rain on a tin roof' -o x.wav
fails 3 'tiny-direct has no labels' "$ebb" render --model tiny-direct --label all --save-latents x.npy
$render --label kick -o no/such.wav --json >lines.json 2>/dev/null
ok "--json of a sound that fails" sh -c "python3 -m json.tool lines.json | grep -q error"

# Tables as spreadsheets write them: NAME CONTENT; the one sound x.wav, 0.1 s, comes of each.
table() {
    rm -rf table
    printf '%b' "$2" >"$1"
    "$ebb" render --model tiny-sfx --steps 2 --list "$1" -o table >/dev/null 2>table-err ||
        { cat table-err; return 1; }
    [ "$(ls table)" = x.wav ] && "$ebb" info table/x.wav | grep -q '(4800 samples)'
}
ok "rows of empty cells are no sounds" table t.csv 'name,label,seconds\nx,kick,0.1\n,,\n , ,\n'
ok "semicolons, decimal commas, headings in capitals, a byte order mark" table t.csv \
    '\0357\0273\0277Name;Label;SECONDS\r\nx;kick;0,1\r\n;;\r\n'
ok "rows of empty cells above the table" table t.csv '\r\n;;\r\nname;label;seconds\r\nx;kick;0,1\r\n'
ok "a first line that names the separator" table t.csv 'sep=;\nname;label;seconds\nx;kick;0,1\n'
ok "tabs, by content" table t.txt 'name\tlabel\tseconds\nx\tkick\t0,1\n'
ok "columns without a name, blanks around cells, old line ends" table t.tsv \
    'Name , label, seconds,,\r"x" ,kick , 0.1,,\r'
utf16='\0377\0376n\0000a\0000m\0000e\0000\t\0000s\0000e\0000c\0000o\0000n\0000d\0000s\0000\n\0000'
ok "UTF-16" table t.txt "$utf16"'x\0000\t\00000\0000.\00001\0000'
ok "JSON Lines, by content" table t.txt '{"Name": "x", "label": "kick", "seconds": 0.1}\n\n'
printf 'name,label\nGl\366ckchen,kick\n' >latin.csv
fails 2 'latin.csv:2: name: "Gl.xf6ckchen" is not UTF-8; spreadsheets save it as CSV UTF-8' $render \
    --list latin.csv -o latin/
ok "quotes in names" test -f 'listed/gate, "big".wav'
ok "the row's length" says '^12000 1 48000$' "$helper" samples 'listed/gate, "big".wav'
ok "the row's peak" says '^-3.0$' "$helper" peak 'listed/gate, "big".wav'
printf '{"label": "wind", "seconds": 0.25}\n\n{"label": "wind", "seconds": 0.25}\n' >list.jsonl
ok "JSON Lines, numbered where nothing tells them apart" \
    sh -c "$render --list list.jsonl -o lines/ && test -f lines/wind-s0-001.wav"

# ---- again, from the recipe ----

ok "like: the same samples" \
    sh -c "$ebb render --like 'listed/gate, \"big\".wav' --device cpu -o like.wav &&
        cmp like.wav 'listed/gate, \"big\".wav'"
ok "like, changed" \
    sh -c "$ebb render --like rain.wav --device cpu --seed 2 -o like2.wav && $helper same like2.wav two.wav"
"$helper" wav noise plain.wav
fails 4 'no recipe' "$ebb" render --like plain.wav -o x.wav
fails 3 'nosuch.wav' "$ebb" render --like nosuch.wav -o x.wav

# ---- formats and levels ----

ok "24 bit" sh -c "$render --label rain --format wav24 -o f24.wav && $helper close rain.wav f24.wav 6.2e-5"
ok "float" sh -c "$render --label rain --format wav32f -o f32.wav && $helper close f32.wav f24.wav 1.3e-7"
ok "peak" \
    sh -c "$render --label rain --peak -6 --format wav32f -o peak.wav &&
        $helper peak peak.wav | grep -qx -e -6.0"
ok "loudness" \
    sh -c "$render --label rain --lufs -30 --format wav32f -o lufs.wav &&
        $helper loudness lufs.wav | grep -qx -e -30.0"
ok "gain" \
    sh -c "$render --label rain --gain -6.0206 --format wav32f -o gain.wav &&
        $helper sum twice.wav gain.wav gain.wav && $helper close twice.wav f32.wav 1e-5"
ok "standard output" sh -c "$render --label rain -o - | cat >piped.wav && $helper same piped.wav rain.wav"

# ---- latents ----

cp -r "$data/models/tiny-direct" bare && chmod -R u+w bare &&
    rm bare/ebb.json # four channels where a mel has one
ok "a bare network of another domain" \
    sh -c "$ebb render --model ./bare --device cpu --noise torch --seed 42 --steps 2 --save-latents b.npy \
        -o bare-out && $helper shape b.npy | grep -q '(1, 4, 32, 64) 8192'"
ok "latents" \
    sh -c "$render --label rain --noise torch --seed 42 --save-latents z.npy &&
        $helper shape z.npy | grep -q '(1, 4, 16, 32) 2048'"
ok "latents alone write no sound" test ! -e sound-s42-000.wav
fails 2 'one sound' $render --label rain --count 2 --save-latents z.npy
fails 2 'z.wav: expected a name that ends in .npy' $render --label rain --save-latents z.wav
ok "each step's state" \
    sh -c "$render --label rain --save-steps steps --save-latents last.npy &&
        ls steps | grep -c npy | grep -qx 5 && cmp last.npy steps/step-004.npy &&
        ! cmp -s last.npy steps/step-003.npy"
fails 2 'one sound' $render --label rain --count 2 --save-steps steps
fails 5 'rain.wav' $render --label rain --save-steps rain.wav/no
fails 5 'rain.wav/index.html' $render --label rain -o unread/ --report rain.wav
ok "no sound is made for a page that has nowhere to go" test ! -e unread/rain-s0-000.wav

# ---- how a sampler goes about it ----

tuned() { $render --label rain --sampler "$@" --save-latents t.npy && ! cmp -s z.npy t.npy; }
ok "latents as they come" $render --label rain --sampler euler --save-latents z.npy
ok "another spacing" tuned euler --spacing karras
ok "churn" tuned euler --churn 10
ok "churn where nothing is" \
    sh -c "$render --label rain --sampler euler --churn 10 --churn-from 1000 --churn-to 2000 \
        --save-latents t.npy && cmp z.npy t.npy"
ok "dynamic thresholding" tuned euler --threshold 0.5
evals() { $render --label rain --sampler rk45 --tolerance "$1" --force --json -o t.wav |
    sed 's/.*"evaluations":\([0-9]*\).*/\1/'; }
closer() { a=$(evals 0.5) b=$(evals 0.001) && [ "$a" -gt 6 ] && [ "$b" -gt "$a" ]; }
ok "rk45 takes a tolerance and tells its evaluations" closer
again() {
    $render --label rain --sampler euler --spacing karras --churn 3 --threshold 0.9 -o tuned.wav &&
        "$ebb" render --like tuned.wav --device cpu -q -o retuned.wav && cmp tuned.wav retuned.wav
}
ok "a tuned sound can be made again" again
# An option changes the latents, or is said to change nothing. Samplers for distilled models do not run on
# this one.
idle() { $render --label rain --steps 3 --sampler "$@" --save-latents t.npy 2>idle-err; }
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
ok "--churn-from alone is said to change nothing" \
    sh -c "$render --label rain --sampler euler --churn-from 1 --save-latents t.npy 2>&1 |
        grep -q 'without --churn'"
ok "nothing is said of what has a use" \
    sh -c "! $render --label rain --sampler euler --churn 1 --churn-to 1 --save-latents t.npy 2>&1 |
        grep nothing"
ok "info has no line for what the recipe leaves open" sh -c "! $ebb info rain.wav | grep -e eta -e seconds"
ok "and units for the rest" sh -c "$ebb info half.wav | grep -q 'seconds  *0.5 s$'"
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
for ending in mp3 FLAC.m4a opus aiff wv APE ac3 mka voc; do
    fails 2 'ends in .wav, .flac or .ogg' $render --label rain -o x.$ending
    ok "and there is no x.$ending" test ! -e x.$ending
done
ok "a folder may have such a name" \
    sh -c "mkdir x.flac && $render --label rain -o x.flac && test -f x.flac/rain-s0-000.wav && rm -r x.flac"
ok "or get it" sh -c "$render --label rain -o x.ogg/ && test -f x.ogg/rain-s0-000.wav && rm -r x.ogg"
ok "a folder in folders for the steps" \
    sh -c "$render --label rain --save-steps deep/er/steps && test -f deep/er/steps/step-004.npy"

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
fails 5 '/proc' timeout 60 $render --label rain --seconds 3600 -o /proc/nosuch.wav
mkdir -p some/b.wav # a folder stands where the second sound goes
printf 'name,label\na,rain\nb,rain\nc,kick\n' >three.csv
fails 5 'some/b.wav' $render --list three.csv -o some/
ok "a sound that fails leaves the others" test -f some/a.wav -a -f some/c.wav
rm some/a.wav some/c.wav
ok "how many failed is said at the end" \
    sh -c "$render --list three.csv -o some/ | grep -q '2 of 3 sounds made, 1 failed$'"
# shellcheck disable=SC3045 # both shells of Debian know ulimit -f
full_folder() { (ulimit -f 20; $render --list three.csv -o room/ 2>room-err)
    [ "$(wc -l <room-err)" -eq 1 ]; }
ok "a full disk ends all of it" full_folder
ok "nothing half written" tidy .

# ---- interrupts ----

$render --label rain --count 1000 --steps 200 -o many/ >tap-out-int 2>tap-err-int &
pid=$!
interrupt $pid
wait $pid
code=$?
ok "an interrupt ends with 130 (got $code)" test $code -eq 130
ok "says that the same command goes on" grep -q 'left: the same command goes on' tap-out-int
ok "and leaves no half file" tidy .

# nohup leaves SIGHUP ignored; the end of a login comes when the first sound is there
(trap '' HUP && exec $render --label rain --count 20 --steps 20 -o hung/) >tap-out-hup 2>&1 &
pid=$!
until [ -f hung/rain-s0-000.wav ] || ! kill -0 $pid; do sleep 0.01; done
kill -HUP $pid
wait $pid
code=$?
ok "a hangup that is ignored, as under nohup, ends nothing (got $code)" test $code -eq 0
ok "and all sounds are made" test -f hung/rain-s0-019.wav

done_testing
