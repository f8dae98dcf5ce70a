#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Options, help, lists: nothing here needs the weights of a model.
. "$(dirname "$0")/tap.sh"

# ---- overview, help, version ----

ok "bare ebb gives an overview" says 'usage: ebb COMMAND' "$ebb"
ok "ebb --version" says '^ebb [0-9]' "$ebb" --version
ok "ebb help render" says 'usage: ebb render' "$ebb" help render
for c in render denoise edit info labels samplers schedules settings plot bench mel eval; do
    ok "$c --help has examples" says '^examples:' "$ebb" $c --help
    ok "the man page has ebb $c" grep -q "ebb $c" "$data/../docs/ebb.1"
    options=$("$ebb" $c --help | sed -n 's/^  \(-[a-z], \|    \)\(--[a-z-]*\).*/\2/p' | grep -v help)
    of_command() { awk -v c="$c" '/^\.S[SH]/ { on = $0 ~ "[ ,]" c "(,|$)" } on' "$data/../docs/ebb.1"; }
    in_man() {
        for o in $options; do
            of_command | grep -q -E -e "$(echo "$o" | sed 's/-/\\\\-/g')([^a-z\\]|\\\\f|$)" ||
                { echo "$o is missing"; return 1; }
        done
    }
    ok "the man page has all options of $c" in_man
done
ok "the man page has every setting, with range or default" python3 "$data/tools/check_manual.py" "$ebb" \
    "$data/../docs/ebb.1"
ok "info says what a sound costs" says 'multiply-adds a step' "$ebb" info "$data/models/tiny-audioldm2"
ok "and in JSON" says '"multiply_adds_of_evaluation": [1-9]' "$ebb" info --json "$data/models/tiny-sfx"
ok "ebb version" says '^ebb [0-9]' "$ebb" version
ok "ebb -v" says '^ebb [0-9]' "$ebb" -v
fails 2 'aplay FILE.wav' "$ebb" play x.wav
fails 2 'did you mean render' "$ebb" rendr
fails 2 'there are: render, denoise' "$ebb" xyzzy

# ---- options and numbers ----

fails 2 'did you mean --label' "$ebb" render --labl rain
fails 2 'no option --xyzzy; see ebb render --help' "$ebb" render --xyzzy
fails 2 'no option -x; see ebb denoise --help. A file.s name that begins with - goes behind --' \
    "$ebb" denoise a.wav -x.wav
fails 2 'no option -x; ' "$ebb" denoise -x.wav a.wav
fails 2 'did you mean --seconds' "$ebb" render --length 3
fails 2 'did you mean --prompt' "$ebb" render --text rain
fails 2 'ebb labels tiny-sfx' "$ebb" render --model tiny-sfx --prompt rain -o x.wav
far() { "$ebb" edit --count 3 2>far-err; [ $? -eq 2 ] && grep -q 'no option --count; see' far-err; }
ok "a letter that is in it is not near" far
fails 2 'exclude' "$ebb" labels tiny-sfx --names --json
fails 2 'exclude' "$ebb" samplers --names --json
fails 2 'needs a value' "$ebb" render --label
fails 2 'takes no value' "$ebb" render --trim=yes
for bad in 1x '' nan inf 1e3 0 1001 -5 ' 7' 7.5; do
    fails 2 "\-\-steps: \"$bad\", expected a whole number, 1 to 1000" "$ebb" render --steps "$bad"
done
for option in label output list like model device save-latents save-steps negative spacing; do
    fails 2 "\-\-$option needs a value, .*, not an empty one" "$ebb" render --model tiny-sfx --$option ''
done
for label in 'rain,' ',rain' ',' 'rain,,kick'; do
    fails 2 'names an empty label' "$ebb" render --model tiny-sfx --label $label -o out
done
fails 2 'needs a value, FOLDER' "$ebb" denoise a.wav -o ''
fails 2 'needs a value, FILE' "$ebb" denoise a.wav b.wav -k ''
fails 2 'name is empty' "$ebb" denoise a.wav ''
fails 2 'name is empty' "$ebb" denoise '' b.wav
fails 2 'needs a value, OUT' "$ebb" edit a.wav --from 1 -o ''
fails 2 'name is empty' "$ebb" edit '' --from 1 -o x.wav
fails 2 'an empty argument' "$ebb" render --label rain ''
fails 2 'name is empty' "$ebb" plot spectrogram ''
fails 2 'needs a value, X.png' "$ebb" plot schedule -o ''
fails 2 'needs a value, Y.npy' "$ebb" mel a.wav --output ''
for bad in nan inf 1x -1 86401; do
    fails 2 '\-\-seconds' "$ebb" render --seconds "$bad"
done
for bad in -1 9223372036854775808 1.5 seed; do
    fails 2 '0 to 9223372036854775807' "$ebb" render --seed "$bad"
done
fails 2 'did you mean --label rain, or --prompt "rain"' "$ebb" render rain
fails 2 'did you mean --prompt "heavy rain"' "$ebb" render heavy rain
fails 2 '\-\-format: .*there are: wav16, wav24, wav32f' "$ebb" render --format mp3
fails 2 '\-\-noise: .*there are: philox, torch' "$ebb" render --noise pink
fails 2 'lufs, peak exclude' "$ebb" render --lufs -20 --peak -1
fails 2 'gain, lufs exclude' "$ebb" render --gain 3 --lufs -20
fails 2 'gain, peak exclude' "$ebb" render --gain 3 --peak -1
fails 2 'exclude' "$ebb" render --list a.csv --label rain
fails 3 'did you mean dpmpp-2m' "$ebb" render --sampler dpmpp2m
for bad in -0.1 1.1 nan much ''; do
    fails 2 ', 0 to 1' "$ebb" denoise --t "$bad" a.wav b.wav
done
fails 2 'two files' "$ebb" denoise a.wav
fails 2 'standard output' "$ebb" denoise --json a.wav -
fails 2 'both become' "$ebb" denoise x/a.wav y/a.wav -o out
fails 2 'spectrogram, schedule, process, visits, convergence' "$ebb" plot spectrum
fails 2 'there are mel, log, linear' "$ebb" plot spectrogram --scale bark a.wav
fails 2 'network folder' "$ebb" eval
fails 2 'name a model' "$ebb" info
shown() { "$ebb" render --model tiny-sfx --sampler "$(printf 'r\033[2Jn\nx\302\205')" -o x.wav 2>shown-err;
    grep -q 'r\\x1b\[2Jn\\x0ax\\xc2\\x85' shown-err; }
ok "what is no text is shown as such" shown

fails 2 'no option --lenght (did you mean --seconds?)' "$ebb" render --lenght 3
fails 2 'no option --guidance here; it belongs to ebb render, ebb edit' "$ebb" denoise --guidance 3 a b
fails 2 'no option --vary here; it belongs to ebb edit' "$ebb" render --vary 3

# ---- settings ----

ok "settings by verb" says 'guidance-from  *0 to 1; default: the model' "$ebb" settings generate
ok "settings of all verbs" says 'num-clips  *0 to 4294967295; default: 0; stream' "$ebb" settings
ok "settings for documents" says '^| `wet` | 0 to 1 | 1 | ' "$ebb" settings denoise --markdown
ok "settings for programs" says '"unit": "Hz"' "$ebb" settings edit --json
ok "what happens where a text is not given" says 'negative  *a name; default: no label; ' "$ebb" settings
ok "or a number that no model recommends" says 'fade  *0 to 60 s; default: 0.1 s for an event' "$ebb" settings
ok "no setting is open without a word on it" sh -c "! '$ebb' settings | grep 'default: none'"
fails 2 'there are: generate, stream, edit, denoise' "$ebb" settings render
fails 2 'exclude' "$ebb" settings --json --markdown
fails 2 'one verb' "$ebb" settings edit denoise

# ---- lists ----

ok "samplers by name" says '^dpmpp-2m$' "$ebb" samplers --names
ok "samplers as JSON" says '"stochastic"' "$ebb" samplers --json
ok "schedules by name" says '^cosine$' "$ebb" schedules --names
ok "labels by name" says '^kick$' "$ebb" labels tiny-sfx --names
ok "labels with their kind" says 'kick .*event .*50%' "$ebb" labels tiny-sfx
ok "labels as JSON" says '"kind": "texture"' "$ebb" labels tiny-sfx --json
# completes LINE WORD...: what bash offers for the last word.
completes() {
    expected=$1
    shift
    # shellcheck disable=SC2016 # bash expands these
    [ "$(bash -c '. "$0"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2))
        _ebb "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        echo "${COMPREPLY[@]}"' "$data/../tools/ebb.bash-completion" "$ebb" "$@")" = "$expected" ]
}
if command -v bash >/dev/null; then
    ok "completion of a label" completes kick ebb render --model tiny-sfx --label ki
    ok "and behind a comma" completes rain,kick ebb render --model tiny-sfx --label rain,ki
    ok "and behind =" completes kick ebb render --model tiny-sfx --label = ki
    # shellcheck disable=SC2016 # nothing is to expand
    mkdir stranger && sed -e 's/"kick"/"kick $(touch ran)"/' -e 's/"wind"/"`touch${IFS}ran`"/' \
        "$data/models/tiny-sfx/ebb.json" >stranger/ebb.json
    for f in unet vae scheduler; do
        [ ! -e "$data/models/tiny-sfx/$f" ] || ln -s "$data/models/tiny-sfx/$f" stranger/$f
    done
    ok "of a label of more than a word" completes 'kick\ \$\(touch\ ran\)' ebb render -m ./stranger --label ki
    ok "the word may be quoted already" completes 'kick\ \$\(touch\ ran\)' ebb render -m ./stranger \
        --label 'kick\ '
    ok "nothing in a label is run" test ! -e ran
    ok "of a word behind a file" completes '' ebb denoise 'format/touch too;/e;#' x
    ok "nothing in a file's name is run" test ! -e too
fi
ok "every completion word comes from the program" says 'plot' "$ebb" --help
fails 3 'nosuch' "$ebb" labels nosuch
ok "a label in place of a model" says '^  rain  *texture' "$ebb" labels rain
ok "ebb info of a label" says 'rain is a label' "$ebb" info rain
once() { XDG_DATA_DIRS=/usr/local/share:/usr/share "$ebb" labels nosuch 2>once-err;
    [ "$(grep -o '/usr/share/ebb/models' once-err | wc -l)" -eq 1 ]; }
ok "no folder is named twice" once

# ---- sound lists: strict columns ----

try() { printf '%b' "$1" >list.csv; }
try 'name,labl\na,rain\n'
fails 2 'list.csv:1: there is no column "labl" (did you mean label?)' "$ebb" render --model tiny-sfx \
    --list list.csv -o out
try 'label,label\nrain,rain\n'
fails 2 'list.csv:1: column "label" is there twice' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label,seed\nrain,1\n\nkick,x\n'
fails 2 'list.csv:4: seed: "x"' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label,seed\nrain\n'
fails 2 'list.csv:2: 1 cells, the first line has 2 columns' "$ebb" render --model tiny-sfx --list list.csv \
    -o out
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
fails 2 'list.jsonl:1: there is no column "stepz" (did you mean steps?)' "$ebb" render --model tiny-sfx \
    --list list.jsonl -o out
printf '{"label": "rain"}\n[1]\n' >list.jsonl
fails 2 'list.jsonl:2: not a JSON object' "$ebb" render --model tiny-sfx --list list.jsonl -o out
printf '{"label": "rain", "steps": [3]}\n' >list.jsonl
fails 2 'list.jsonl:1: steps' "$ebb" render --model tiny-sfx --list list.jsonl -o out
printf '{"label": "rain", "phase_iteratons": 3}\n' >list.jsonl
fails 2 'no column "phase_iteratons" (did you mean phase-iterations?)' "$ebb" render --model tiny-sfx \
    --list list.jsonl -o out
try 'label,guidance-from,guidance_from\nrain,1,1\n'
fails 2 'list.csv:1: column "guidance-from" is there twice' "$ebb" render --model tiny-sfx --list list.csv \
    -o out
try 'label,sampler\nrain,dpmpp2m\n'
fails 3 'list.csv:2: sampler: .*did you mean dpmpp-2m' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label,model\nrain,sfx\n'
fails 2 'no column "model"' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label,\033[2J\nrain,1\n'
fails 2 'no column "\\x1b\[2J"' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'label,gain,lufs\nrain,3,-20\n'
fails 2 'list.csv:2: gain, lufs exclude each other' "$ebb" render --model tiny-sfx --list list.csv -o out
try 'name,label\na\033[2J,rain\n'
fails 2 'list.csv:2: name: "a\\x1b\[2J" is not a file name' "$ebb" render --model tiny-sfx --list list.csv \
    -o out
try 'label,seconds,\nrain,1,x\n'
fails 2 'list.csv:2: "x" stands in a column without a name' "$ebb" render --model tiny-sfx --list list.csv \
    -o out
try 'label\tseconds\nrain\t1,000\n'
fails 2 'list.csv:2: seconds: "1,000", expected' "$ebb" render --model tiny-sfx --list list.csv -o out

# ---- all that is wrong with a list is told together, within a bound ----

try 'name,labl,label,seed\na,,rian,x\nb,,rain,3\nb,,rain,4\n'
fails 2 'list.csv:1: .*"labl"' "$ebb" render --model tiny-sfx --list list.csv -o out
together() {
    for words in ':1: there is no column "labl"' ':2: seed: "x"' ':2: .*no label "rian"' \
        ':4: two sounds are named "b"'; do
        grep -q "list.csv$words" tap-err || { echo "missing: $words"; return 1; }
    done
}
"$ebb" render --model tiny-sfx --list list.csv -o out 2>list-err
together_of() { cp list-err tap-err && together; }
ok "a column, a number, a label and a name" together_of
{ echo seed; i=0; while [ $i -lt 30 ]; do echo x; i=$((i + 1)); done; } >list.csv
bounded() { "$ebb" render --model tiny-sfx --list list.csv 2>list-err
    [ "$(wc -l <list-err)" -eq 21 ] && tail -n 1 list-err | grep -q 'and 10 more mistakes'; }
ok "twenty, and how many more" bounded
# Of 100 000 rows little is held each: they fit into 300 MB of address space, which 2 KB a row would not.
{ echo seed; yes x | head -n 100000; } >list.csv
# shellcheck disable=SC3045 # both shells of Debian know ulimit -v
small() { (ulimit -v 300000; "$ebb" render --model tiny-sfx --list list.csv 2>list-err); [ $? -eq 2 ] &&
    tail -n 1 list-err | grep -q 'and 99980 more mistakes'; }
# shellcheck disable=SC3045
if (ulimit -v 300000; "$ebb" version) >/dev/null 2>&1; then
    ok "many rows take little memory" small
else
    skip "many rows take little memory" "a sanitizer takes more address space"
fi
ok "nothing was written" test ! -e out

done_testing
