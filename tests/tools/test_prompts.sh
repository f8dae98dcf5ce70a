#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Models that are asked in words: ebb tokens, ebb eval --ids, ebb render --prompt.
. "$(dirname "$0")/tap.sh"
model=$data/models/tiny-riffusion tokenizers=$data/golden/tokenizers text=$data/golden/text

# ---- tokens ----

ok "a list of ids a text" sh -c "$ebb tokens $tokenizers/clip 'rain on' '' >ids &&
    grep -qx '\[894, [0-9, ]*, 895\]' ids && sed -n 2p ids | grep -qx '\[894, 895\]'"
ok "standard input is one text" \
    sh -c "printf 'rain on' | $ebb tokens $tokenizers/clip - >in && head -n 1 ids | cmp in -"
ok "a text of a megabyte" sh -c "head -c 1000000 /dev/zero | tr '\\0' a | $ebb tokens $tokenizers/t5 - >long"
fails 2 'UTF-8' "$ebb" tokens "$tokenizers/clip" "$(printf 'rain \377')"
fails 2 'name a tokenizer' "$ebb" tokens "$tokenizers/clip"
fails 3 'nowhere' "$ebb" tokens nowhere rain
fails 3 'no tokenizer is there' "$ebb" tokens "$data" rain

# ---- text encoders ----

header="{'descr': '<i4', 'fortran_order': False, 'shape': (1, 3), }"
ids() { printf '\223NUMPY\001\000v\000%-117s\n' "$header"; }
{ ids; printf '\072\000\000\000\003\000\000\000\073\000\000\000'; } >ids.npy
{ ids; printf '\072\000\000\000\003\000\000\000\074\000\000\000'; } >high.npy
ok "states" "$ebb" eval "$text/clip" --ids ids.npy --output last.npy --pooled pooled.npy --device ref
ok "a state a token, and one of the text" sh -c "$helper shape last.npy | grep -q '(1, 3, 32) 96' &&
    $helper shape pooled.npy | grep -q '(1, 32) 32'"
fails 2 'knows 0 to 59' "$ebb" eval "$text/clip" --ids high.npy --output no.npy --device ref
fails 4 'int32 or int64' "$ebb" eval "$text/clip" --ids last.npy --output no.npy --device ref
fails 2 'pooled' "$ebb" eval "$text/t5" --ids ids.npy --pooled p.npy --output no.npy --device ref
fails 2 'ids' "$ebb" eval "$text/clip" --output no.npy --device ref
fails 2 'takes ids' "$ebb" eval "$text/clip" --input last.npy --output no.npy --device ref

# ---- sounds ----

render="$ebb render --model $model --steps 2 --device cpu --quiet"
ok "a prompt" $render --prompt "rain on a tin roof" -o rain.wav
ok "its recipe has the prompt" sh -c "$ebb info rain.wav | grep -q 'prompt  *rain on a tin roof'"
ok "the same again" sh -c "$render --like rain.wav -o again.wav && cmp rain.wav again.wav"
ok "a negative prompt is heard" \
    sh -c "$render --prompt 'rain on a tin roof' --negative-prompt wind -o less.wav && \
        ! cmp -s rain.wav less.wav"
ok "a list" sh -c "printf 'name,prompt,negative_prompt\na,\"rain, on a roof\",wind\nb,wind,\n' >list.csv &&
    $render --list list.csv -o listed && test -e listed/a.wav -a -e listed/b.wav"
ok "a path from prompt to prompt" sh -c "$render --prompt rain --to-prompt wind --count 3 -o path &&
    test -e path/rain-s0-000.wav -a -e path/rain-s0-002.wav &&
    ! cmp -s path/rain-s0-000.wav path/rain-s0-001.wav"
ok "ebb info says what it takes" sh -c "$ebb info $model | grep -q 'takes  *--prompt'"
ok "ebb labels says that there are none" sh -c "$ebb labels $model | grep -q 'asked in words'"
fails 2 'use prompt' "$ebb" render --model "$model" --label rain -o no.wav
fails 2 'ebb labels tiny-sfx' "$ebb" render --model "$data/models/tiny-sfx" --prompt rain -o no.wav

# ---- the shipped model: labels, and words that lead to them ----

sfx="$ebb render --model sfx --device cpu --steps 2 --phase-iterations 2 --seed 1"
ok "words of its labels" sh -c "$sfx --prompt 'big dog barking' -o dog.wav 2>said && ! test -s said"
ok "a word that it never heard is named, with the nearest that it did" \
    sh -c "$sfx --prompt 'xylocopa barking' -o bee.wav 2>said &&
        grep -q '\"xylocopa\".*nearest.*likeness' said"
fails 3 '(ebb labels lists them; --prompt takes descriptions)' \
    $sfx --label 'heavy rain on a tin roof' -o no.wav
ok "a prompt is no label" sh -c "$sfx --prompt kick -o p.wav --quiet && $sfx --label kick -o l.wav --quiet &&
    ! $helper same p.wav l.wav"
ok "ebb labels has examples" sh -c "$ebb labels sfx | grep -A1 '^  dog_bark' | grep -q '\"dog barking\"'"

ok "words that are cut off are said" \
    sh -c "$ebb render --model $model --steps 1 --prompt \"$(seq -s ' ' 200)\" -o long.wav 2>said &&
    grep -q '77 tokens' said && grep -q '4 3 4 4' said"
ok "nothing else was written" test ! -e no.npy -a ! -e no.wav
