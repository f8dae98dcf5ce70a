#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Batches: names and folders, seeds, formats, rates.
. "$(dirname "$0")/tap.sh"
render="$ebb render --model tiny-sfx --device cpu --phase-iterations 2"
files() { (cd "$1" && find . -type f | sort | tr '\n' ' '); }
holds() { got=$(files "$1"); [ "$got" = "$2" ] || { echo "$1 holds $got" >&2; false; }; }
prints() { printf '%b' "$1" >"$2"; }

# ---- names ----

ok "a template with folders" \
    $render --label rain,kick --count 2 --seed 7 --name '{label}/{seed:03}_{index}' -o named/
ok "names every sound" holds named './kick/007_0.wav ./kick/007_1.wav ./rain/007_0.wav ./rain/007_1.wav '
ok "a second run has nothing left" says '4 were there already' \
    $render --label rain,kick --count 2 --seed 7 --name '{label}/{seed:03}_{index}' -o named/
$render --label rain --seed 7 -o plain.wav >/dev/null
ok "the name does not change the sound" cmp plain.wav named/rain/007_0.wav
ok "{name} is the usual name" $render --label rain --name 'take {name}' -o usual/
ok "with words around it" test -f 'usual/take rain-s0-000.wav'
ok "braces" sh -c "$render --label rain --name '{{x}}' -o braces/ && test -f 'braces/{x}.wav'"
ok "a mixture" $render --label rain:0.5,kick:0.5 --name '{label}/{index}' -o mixed/
ok "is one part of a path" test -f mixed/rain-0.5+kick-0.5/0.wav
fails 2 'there is no field {labl} (did you mean {label}?)' $render --label rain --name '{labl}' -o x/
fails 2 'there is no field {fooooooo}' $render --label rain --name '{fooooooo}' -o x/
fails 2 'there is no field {version}' $render --label rain --name '{version}' -o x/
fails 2 '{steps}: the model decides it' $render --label rain --name '{steps}' -o x/
fails 2 'only whole numbers have digits' $render --label rain --name '{label:03}' -o x/
fails 2 'digits behind the colon, 1 to 19' $render --label rain --name '{index:20}' -o x/
fails 2 'digits behind the colon, 1 to 19' $render --label rain --name '{index:-3}' -o x/
fails 2 'a field is' $render --label rain --name '{index' -o x/
fails 2 'a } without its {' $render --label rain --name 'index}' -o x/
for name in ../x /x a/../x a//x .x a/.x a/ ./x; do
    fails 2 'is not a file name in the output folder' $render --label rain --name "$name" -o x/
done
fails 2 'more than 240 bytes' $render --label rain --name "$(printf '%0241d' 0)" -o x/
ok "a name of 80 letters of three bytes is one" \
    $render --label rain --name "$(printf 'あ%.0s' $(seq 80))" -f flac -o long/ --report long-page/
ok "and leaves no claim" test "$(ls -A long)" = "$(printf 'あ%.0s' $(seq 80)).flac"
fails 2 'too long' $render --label rain --name "$(printf 'abcdefg/%.0s' $(seq 200))x" -o x/
fails 2 'two sounds are named "x"' $render --label rain --name x --count 2 -o x/
ok "nothing was made of all that" test ! -e x

# ---- lists ----

prints 'label,folder,name,seed\nrain,amb/{label},{label}_{index:02},\nkick,,k,4\nrain,amb,,5\n' list.csv
ok "folders and names in a list" $render --list list.csv -o listed/
ok "are where they are said to be" holds listed './amb/rain-s5-000.wav ./amb/rain/rain_00.wav ./k.wav '
printf 'label,name,seed\nrain,end,' >end.csv
ok "a list may end behind a comma" $render --list end.csv -o end/
ok "and has its sound" holds end './end.wav '
prints 'label,name\nrain,a.FLAC\nrain,b.ogg\nkick,c.wav\nkick,d.2\n' ends.csv
ok "names with endings" $render --list ends.csv -o ends/
ok "ask for their formats" holds ends './a.flac ./b.ogg ./c.wav ./d.2.wav '
ok "names with endings, and a format" $render --list ends.csv --format wav24 -o ends24/
ok "have the one that was given" holds ends24 './a.wav ./b.wav ./c.wav ./d.2.wav '
ok "a template with an ending" $render --label rain --name '{label}.flac' -o ended/
ok "asks for its format" holds ended './rain.flac '
prints 'label,name\nrain,a.mp3\n' foreign.csv
fails 2 'foreign.csv:2: name: "a.mp3", expected a name that ends in' $render --list foreign.csv -o x/
fails 2 '\-\-name: "rain.mp3", expected a name that ends in' $render --label rain --name '{label}.mp3' -o x/
prints 'label,folder,name\nrain,amb,far {name}\n' usual.csv
ok "{name} in the column name" $render --list usual.csv -o column/
ok "is the usual name" holds column './amb/far rain-s0-000.wav '
ok "a template around a list's names" $render --list list.csv --name 'v1/{name}' -o v1/
ok "stands in the row's folder" holds v1 './amb/rain/v1/rain_00.wav ./amb/v1/rain-s5-000.wav ./v1/k.wav '
ok "a list with seeds" says '6 of 6 sounds made' $render --list list.csv --seed-count 2 -o seeds/
ok "has each in its name" holds seeds "$(printf './%s.wav ' amb/rain-s5-000 amb/rain-s6-000 \
    amb/rain/rain_00-s0 amb/rain/rain_00-s1 k-s4 k-s5)"
ok "the first seed is the row's" cmp seeds/k-s4.wav listed/k.wav
prints '{"label": "rain", "folder": "../up"}\n' list.jsonl
fails 2 'list.jsonl:1: .*is not a file name' $render --list list.jsonl -o x/
prints '{"label": "rain", "folder": "/tmp"}\n' list.jsonl
fails 2 'list.jsonl:1: .*is not a file name' $render --list list.jsonl -o x/
prints 'label,name\nrain,{labell}\n' bad.csv
fails 2 'bad.csv:2: name: there is no field {labell} (did you' $render --list bad.csv -o x/
prints 'label,folder\nrain,{labell}\n' bad.csv
fails 2 'bad.csv:2: folder: there is no field {labell}' $render --list bad.csv -o x/
prints 'label,name\nrain\302\240,\302\240 unbroken \302\240\n' unbroken.csv
ok "blanks that do not break" $render --list unbroken.csv -o unbroken/
ok "are none of the name" test -f unbroken/unbroken.wav
prints '[\n{"label":"rain"},\n{"label":"rain"}]\n' one.json
fails 2 "one.json:1: not a JSON object .*expected an object on each line, as jq -c '.\[\]' writes" \
    $render --list one.json -o x/
prints 'label,folders\nrain,x\n' bad.csv
fails 2 'no column "folders" (did you mean folder?)' $render --list bad.csv -o x/
prints 'PK\003\004' book.xlsx
fails 4 'save the list as CSV' $render --list book.xlsx -o x/

# ---- seeds ----

ok "seeds that follow one another" says '4 of 4 sounds made' \
    $render --label rain --seed 5 --seed-count 2 --count 2 -o many/
ok "with their usual names" holds many "$(printf './rain-%s.wav ' s5-000 s5-001 s6-000 s6-001)"
$render --label rain --seed 6 --index 1 -o alone.wav >/dev/null
ok "each as if asked for alone" cmp alone.wav many/rain-s6-001.wav
fails 2 'exclude each other' $render --label rain --seed-count 2 --to-seed 4 --count 2 -o x/
fails 2 'seed' $render --label rain --seed 9223372036854775807 --seed-count 2 -o x/

# pandas writes a column of numbers with gaps as 3.0
prints 'label,seed,steps\nkick,3.0,2.00\nkick,,\n' gaps.csv
prints '{"label": "kick", "seed": 3.0, "steps": 2.0}\n' gaps.jsonl
ok "whole numbers of a column with gaps" $render --list gaps.csv -o gaps/
ok "and of JSON" $render --list gaps.jsonl -o gaps-json/
ok "are the numbers" cmp gaps/kick-s3-000.wav gaps-json/kick-s3-000.wav
prints 'label,seed\nkick,3.5\n' gaps.csv
fails 2 'gaps.csv:2: seed: "3.5", expected a whole number' $render --list gaps.csv -o x/
prints 'label,seed\nkick,3.\n' gaps.csv
fails 2 'seed: "3.", expected a whole number' $render --list gaps.csv -o x/

# ---- formats and rates ----

for format in flac flac24 ogg; do
    ending=${format%24}
    ok "$format" $render --label rain --format $format -o $format/
    ok "$format has its ending" test -f $format/rain-s0-000.$ending
    ok "info reads its recipe" says '"label": "rain"' "$ebb" info $format/rain-s0-000.$ending --json
    ok "a second run keeps it" says '1 was there already' $render --label rain --format $format -o $format/
    ok "made again" "$ebb" render --device cpu --like $format/rain-s0-000.$ending -o again.$ending --force
    ok "it is the same" cmp again.$ending $format/rain-s0-000.$ending
done
$render --label rain -o v.wav >/dev/null
ok "like a FLAC, as a WAV" "$ebb" render --device cpu --like flac/rain-s0-000.flac -o w.wav
ok "is as if it had been one" cmp w.wav v.wav
ok "FLAC has the samples of the WAV" "$helper" same v.wav flac/rain-s0-000.flac
ok "the ending says the format" sh -c "$render --label rain -o one.flac && cmp one.flac flac/rain-s0-000.flac"
ok "down a pipe" sh -c "$render --label rain --format flac -o - | cmp - one.flac"
ok "into what can only be written" sh -c "$render --label rain --format ogg -o - >out.ogg"
ok "too" cmp out.ogg ogg/rain-s0-000.ogg
fails 2 'ends in .flac' $render --label rain --format flac -o x.wav
fails 2 'ends in .wav' $render --label rain --format wav24 -o x.ogg
fails 2 'ends in .flac' "$ebb" denoise --format flac x.wav y.wav
prints 'label,format,name\nrain,ogg,a\nrain,,b.ogg\nkick,wav16,c.ogg\n' formats.csv
ok "a format for each row" $render --list formats.csv -o rows/
ok "with its ending" holds rows './a.ogg ./b.ogg ./c.wav '
ok "another rate" $render --label rain --rate 22050 -o r.wav
ok "and as many samples" says '^60211 1 22050$' "$helper" samples r.wav
ok "which the recipe says" says '"rate": 22050' "$ebb" info r.wav --json
ok "so that it can be made again" sh -c "$ebb render --device cpu --like r.wav -o r2.wav && cmp r.wav r2.wav"
ok "the level is the resampled sound's" $render --label rain --rate 22050 --peak -6 --format wav32f -o p.wav
ok "as asked for" says '^-6.0$' "$helper" peak p.wav
fails 2 '8000 to 192000' $render --label rain --rate 100 -o x.wav

# ---- a folder of recordings ----

denoise="$ebb denoise --model tiny-denoise --device cpu --t 0.3"
mkdir -p archive/a/b archive/.hidden "archive/c d"
$render --label rain --count 3 -o source/ >/dev/null
cp source/rain-s0-000.wav archive/one.wav
cp source/rain-s0-001.wav archive/a/b/two.WAV
cp source/rain-s0-001.wav archive/.hidden/no.wav
$render --label kick -o "archive/c d/three.x.flac" >/dev/null
echo text >archive/a/notes.txt
ln -s .. archive/a/up
ok "a folder with its folders" says '^cleaned: 3 of 3 recordings cleaned$' $denoise -r archive -o cleaned
ok "at the same places" holds cleaned './a/b/two.wav ./c d/three.x.wav ./one.wav '
$denoise archive/one.wav alone-clean.wav >/dev/null
ok "each as if cleaned alone" cmp alone-clean.wav cleaned/one.wav
rm cleaned/a/b/two.wav
ok "a second run does what is left" says '1 of 3 recordings cleaned, 2 were there already' \
    $denoise -r archive/ -o cleaned/
ok "with --json each is told" says '"status":"kept"' $denoise -r archive -o cleaned --json
fails 1 'was cleaned otherwise' $denoise --t 0.2 -r archive -o cleaned
touch -d '2 seconds' archive/one.wav
fails 1 'before archive/one.wav changed' $denoise -r archive -o cleaned
ok "--force cleans all again" says '3 of 3 recordings cleaned$' $denoise -r archive -o cleaned --force
echo half >cleaned/one.wav && touch -d '4 seconds' cleaned/one.wav
fails 1 'was cleaned otherwise' $denoise -r archive -o cleaned
echo nothing >archive/a/broken.wav
broken() { $denoise -r archive -o cleaned --force >broken-out; }
fails 4 'broken.wav' broken
ok "the others are cleaned" grep -q '3 of 4 recordings cleaned, 1 failed' broken-out
rm archive/a/broken.wav
cp archive/one.wav archive/one.flac
fails 2 'would both become cleaned/one.wav' $denoise -r archive -o cleaned
rm archive/one.flac
fails 2 'lie in one another' $denoise -r archive -o archive/cleaned
fails 2 'lie in one another' $denoise -r archive/a -o archive/a/../
fails 2 'lie in one another' $denoise -r archive -o ./archive
fails 2 'takes a folder' $denoise -r archive
fails 3 'nosuch' $denoise -r nosuch -o cleaned
mkdir odd
for ending in voc sph snd 8svx mp2 caf wv mka; do cp archive/one.wav odd/$ending.$ending; done
ok "whatever sound files are called" says '8 of 8 recordings cleaned' $denoise -r odd -o cleaned/odd
mkdir empty
fails 3 'no sound files' $denoise -r empty -o cleaned
mkdir twelve
for number in 1 2 3 4 5 6 7 8 9 10 11 12; do cp source/rain-s0-000.wav twelve/$number.wav; done
$denoise -r twelve -o interrupted >tap-out-int 2>tap-err-int &
pid=$!
until [ -f interrupted/1.wav ] || ! kill -0 $pid; do sleep 0.01; done
kill -KILL $pid
wait $pid
ok "a killed run goes on where it ended" says 'of 12 recordings cleaned, .* there already' \
    $denoise -r twelve -o interrupted
$denoise -r twelve -o uninterrupted >/dev/null
ok "to the same files" diff -r uninterrupted interrupted
ok "nothing half written" tidy interrupted

done_testing
