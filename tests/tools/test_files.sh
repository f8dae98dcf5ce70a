#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Files as people have them: what is in them stays, nothing is replaced unasked, nothing is cut unsaid.
. "$(dirname "$0")/tap.sh"
clean="$ebb denoise --model tiny-denoise --device cpu"
edit="$ebb edit --model tiny-sfx --device cpu --phase-iterations 2"
render="$ebb render --model tiny-sfx --device cpu --phase-iterations 2"
for kind in marked int32 double silence noise clean16; do "$helper" wav $kind $kind.wav; done

# ---- metadata ----

ok "cleaned" $clean --t 0.3 marked.wav m.wav
for words in 'Scene 12 take 3' 'Door take' 'a comment of mine'; do ok "$words" grep -q "$words" m.wav; done
ok "the time reference" says '^268435456$' "$helper" number m.wav bext 338
ok "the cue point" says '^4800$' "$helper" number m.wav 'cue ' 24
ok "the label" grep -q 'labl' m.wav
ok "the recipe stands beside the comment" says '"t": 0.3' "$ebb" info m.wav --json
ok "which is told, too" says '"comment": "a comment of mine"' "$ebb" info m.wav --json
fails 4 'ebb denoise made it out of a recording' "$ebb" render --like m.wav -o x.wav
ok "what was removed has them too" \
    sh -c "$clean marked.wav c.wav -k gone.wav && grep -q 'Scene 12 take 3' gone.wav"
ok "edited" $edit marked.wav --before 0.5 -o e.wav
ok "the time reference is earlier" says '^268411456$' "$helper" number e.wav bext 338
ok "the cue point is later" says '^28800$' "$helper" number e.wav 'cue ' 24
ok "the recipe of an edit" says '"before": 0.5' "$ebb" info e.wav --json
ok "and finds it again" says 'there already' $edit marked.wav --before 0.5 -o e.wav
ok "an edit inside moves nothing" \
    sh -c "$edit marked.wav --from 0.2 --to 0.3 -o i.wav &&
        test \"\$($helper number i.wav 'cue ' 24)\" = 4800"
ok "down a pipe" sh -c "$clean marked.wav - | cat >p.wav && $helper number p.wav 'cue ' 24 | grep -qx 4800"
ok "from a pipe comes what stands before the samples" \
    sh -c "cat marked.wav | $clean - q.wav && grep -q 'Scene 12' q.wav"

# ---- samples ----

for kind in int32 double; do
    ok "$kind: t = 0 leaves every bit" \
        sh -c "$clean --t 0 $kind.wav $kind-0.wav && $helper data $kind.wav $kind-0.wav"
    ok "$kind: t = 0.7 does not" \
        sh -c "$clean --t 0.7 $kind.wav $kind-7.wav && ! $helper data $kind.wav $kind-7.wav"
    ok "$kind: what was removed and what is left make the whole" \
        sh -c "$clean --t 0.7 $kind.wav left.wav --keep-noise gone.wav --force &&
            $helper sum whole.wav left.wav gone.wav && $helper close whole.wav $kind.wav 1e-6"
    ok "$kind: what no edit touches stays" \
        sh -c "$edit $kind.wav --from 0.5 --to 0.6 -o $kind-e.wav &&
            $helper front $kind.wav $kind-e.wav 150000 && ! $helper data $kind.wav $kind-e.wav"
done
ok "silence stays silence" sh -c "$clean --t 0.7 silence.wav s.wav && $helper data silence.wav s.wav"
ok "formats by name" \
    sh -c "$clean --t 0 clean16.wav w.wav -f wav32i && $helper same clean16.wav w.wav &&
        $clean --t 0 clean16.wav v.wav -f wav64f && $helper same clean16.wav v.wav"

# ---- what is cut is said ----

ok "a loud sound" sh -c "$render --label rain --gain 40 -o loud.wav 2>loud"
ok "is said to be cut, how often, and what helps" \
    grep -q 'loud.wav: [0-9]* samples were clipped .*wav32f' loud
ok "a float file" sh -c "$render --label rain --gain 40 -f wav32f -o float.wav 2>float"
ok "is not cut" sh -c "! grep -q clipped float && $helper peak float.wav | grep -q '^[1-9]'"
ok "cleaning says so, too" sh -c "$clean --t 0 float.wav cut.wav -f wav16 2>cut && grep -q 'clipped' cut"
ok "of the removed part as well" \
    sh -c "$clean --t 1 float.wav cut2.wav -f wav16 -k gone16.wav 2>cut &&
        grep -q 'gone16.wav: .*clipped' cut"
ok "--quiet says nothing of it" \
    sh -c "$clean --t 0 float.wav cut3.wav -f wav16 --quiet 2>cut && test ! -s cut"

# ---- nothing is replaced unasked ----

cp noise.wav there.wav
fails 1 'there.wav is there already; kept (--force' $clean clean16.wav there.wav
fails 1 'there.wav is there already; kept (--force' $clean clean16.wav fresh.wav -k there.wav
mkdir full && cp noise.wav full/clean16.wav
fails 1 'full/clean16.wav is there already' $clean clean16.wav -o full
ok "all are as they were" \
    sh -c "cmp noise.wav there.wav && cmp noise.wav full/clean16.wav && test ! -e fresh.wav"
ok "asked for" sh -c "$clean --t 0 clean16.wav there.wav --force && $helper same clean16.wav there.wav"
ok "in place: mode and links stay" \
    sh -c "cp noise.wav real.wav && chmod 600 real.wav && ln -s real.wav link.wav &&
        $clean link.wav link.wav && test -L link.wav && ls -l real.wav | grep -q '^-rw-------' &&
        ! $helper same noise.wav real.wav"
ok "nothing half written" tidy .

done_testing
