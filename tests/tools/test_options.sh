#!/bin/sh
# Options, help, lists: nothing here needs the weights of a model.
. "$(dirname "$0")/tap.sh"

# ---- overview, help, version ----

ok "bare ebb gives an overview" says 'usage: ebb COMMAND' "$ebb"
ok "ebb --version" says '^ebb [0-9]' "$ebb" --version
ok "ebb help render" says 'usage: ebb render' "$ebb" help render
for c in render denoise edit info labels samplers schedules plot bench mel eval; do
    ok "$c --help has examples" says '^examples:' "$ebb" $c --help
    ok "the man page has ebb $c" grep -q "ebb $c" "$data/../docs/ebb.1"
    options=$("$ebb" $c --help | sed -n 's/^  \(-[a-z], \|    \)\(--[a-z-]*\).*/\2/p' | grep -v help)
    of_command() { awk -v c="$c" '/^\.S[SH]/ { on = $0 ~ "[ ,]" c "(,|$)" } on' "$data/../docs/ebb.1"; }
    in_man() {
        for o in $options; do
            of_command | grep -q -E -e "$(echo "$o" | sed 's/-/\\\\-/g')([^a-z\\]|\\\\f|$)" || { echo "$o is missing"; return 1; }
        done
    }
    ok "the man page has all options of $c" in_man
done
fails 2 'did you mean render' "$ebb" rendr
fails 2 'there are: render, denoise' "$ebb" xyzzy

# ---- options and numbers ----

fails 2 'did you mean --label' "$ebb" render --labl rain
fails 2 'there are: label, count, seed' "$ebb" render --xyzzy
far() { "$ebb" edit --count 3 2>far-err; [ $? -eq 2 ] && grep -q 'no option --count; there are' far-err; }
ok "a letter that is in it is not near" far
fails 2 'exclude' "$ebb" labels tiny-sfx --names --json
fails 2 'exclude' "$ebb" samplers --names --json
fails 2 'needs a value' "$ebb" render --label
fails 2 'takes no value' "$ebb" render --trim=yes
for bad in 1x '' nan inf 1e3 0 1001 -5 ' 7' 7.5; do
    fails 2 "\-\-steps: \"$bad\" is not a whole number in 1..1000" "$ebb" render --steps "$bad"
done
for option in label output list like model device save-latents save-steps negative spacing; do
    fails 2 "\-\-$option needs a value, .*, not an empty one" "$ebb" render --model tiny-sfx --$option ''
done
for label in rain, ,rain , rain,,kick; do
    fails 2 'names an empty label' "$ebb" render --model tiny-sfx --label $label -o out
done
fails 2 'needs a value, FOLDER' "$ebb" denoise a.wav -o ''
fails 2 'needs a value, FILE' "$ebb" denoise a.wav b.wav -k ''
fails 2 'name is empty' "$ebb" denoise a.wav ''
fails 2 'name is empty' "$ebb" denoise '' b.wav
fails 2 'needs a value, OUT' "$ebb" edit a.wav --from 1 -o ''
fails 2 'name is empty' "$ebb" edit '' --from 1 -o x.wav
fails 2 'needs a value, X.png' "$ebb" plot schedule -o ''
fails 2 'needs a value, Y.npy' "$ebb" mel a.wav --output ''
for bad in nan inf 1x -1 3601; do
    fails 2 '\-\-seconds' "$ebb" render --seconds "$bad"
done
for bad in -1 9223372036854775808 1.5 seed; do
    fails 2 '0..9223372036854775807' "$ebb" render --seed "$bad"
done
fails 2 'did you mean --label rain' "$ebb" render rain
fails 2 'there are wav16, wav24, wav32f' "$ebb" render --format mp3
fails 2 'there are philox, torch' "$ebb" render --noise pink
fails 2 'exclude' "$ebb" render --lufs -20 --peak -1
fails 2 'exclude' "$ebb" render --list a.csv --label rain
fails 3 'did you mean dpmpp-2m' "$ebb" render --sampler dpmpp2m
for bad in -0.1 1.1 nan much ''; do
    fails 2 'in 0..1' "$ebb" denoise --t "$bad" a.wav b.wav
done
fails 2 'two files' "$ebb" denoise a.wav
fails 2 'standard output' "$ebb" denoise --json a.wav -
fails 2 'both become' "$ebb" denoise x/a.wav y/a.wav -o out
fails 2 'spectrogram, schedule, process, visits, convergence' "$ebb" plot spectrum
fails 2 'there are mel, log, linear' "$ebb" plot spectrogram --scale bark a.wav
fails 2 'network folder' "$ebb" eval
fails 2 'name a model' "$ebb" info

# ---- lists ----

ok "samplers by name" says '^dpmpp-2m$' "$ebb" samplers --names
ok "samplers as JSON" says '"stochastic"' "$ebb" samplers --json
ok "schedules by name" says '^cosine$' "$ebb" schedules --names
ok "labels by name" says '^kick$' "$ebb" labels tiny-sfx --names
ok "labels with their kind" says 'kick .*event .*50%' "$ebb" labels tiny-sfx
ok "labels as JSON" says '"kind": "texture"' "$ebb" labels tiny-sfx --json
ok "every completion word comes from the program" says 'plot' "$ebb" --help
fails 3 'nosuch' "$ebb" labels nosuch

# ---- sound lists: strict columns ----

try() { printf '%b' "$1" >list.csv; }
try 'name,labl\na,rain\n'
fails 2 'list.csv:1: there is no column "labl" (did you mean label?)' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label,label\nrain,rain\n'
fails 2 'list.csv:1: column "label" is there twice' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label,seed\nrain,1\n\nkick,x\n'
fails 2 'list.csv:4: seed: "x"' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label,seed\nrain\n'
fails 2 'list.csv:2: 1 cells, the first line has 2 columns' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label,seed\n"rain,1\n'
fails 2 'quotes do not match' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label\n"ra"in\n'
fails 2 'list.csv:2: the quotes do not match' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'name,label\na,rain\na,kick\n'
fails 2 'list.csv:3: two sounds are named "a"' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'name,label\n../a,rain\n'
fails 2 'is not a file name' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'name,label\na,rian\n'
fails 3 'list.csv:2: .*rain' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label\n'
fails 2 'no sounds' "$ebb" render --model tiny-sfx --list list.csv -o out
try ''
fails 2 'list.csv' "$ebb" render --model tiny-sfx --list list.csv -o out
fails 3 'nosuch.csv' "$ebb" render --model tiny-sfx --list nosuch.csv -o out
printf '{"label": "rain", "stepz": 3}\n' >list.jsonl
fails 2 'list.jsonl:1: there is no column "stepz" (did you mean steps?)' "$ebb" render --model tiny-sfx --list list.jsonl -o out
printf '{"label": "rain"}\n[1]\n' >list.jsonl
fails 2 'list.jsonl:2: not a JSON object' "$ebb" render --model tiny-sfx --list list.jsonl -o out
printf '{"label": "rain", "steps": [3]}\n' >list.jsonl
fails 2 'list.jsonl:1: steps' "$ebb" render --model tiny-sfx --list list.jsonl -o out
ok "nothing was written" test ! -e out

done_testing
