#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Cleaning: lengths, pipes, bits, several files.
. "$(dirname "$0")/tap.sh"
clean="$ebb denoise --model tiny-denoise --device cpu --force"
for kind in one high wide noise clean16; do "$helper" wav $kind $kind.wav; done

for kind in one high wide noise clean16; do
    ok "$kind.wav: as many samples as went in" \
        sh -c "$clean $kind.wav out.wav && $helper samples $kind.wav >a && $helper samples out.wav >b &&
            cmp a b"
done
ok "t = 0 leaves every bit (16 bit)" \
    sh -c "$clean --t 0 clean16.wav out.wav && $helper same clean16.wav out.wav"
ok "t = 0 leaves every bit (float, stereo)" \
    sh -c "$clean --t 0 noise.wav out.wav && $helper same noise.wav out.wav"
ok "t = 1" $clean --t 1 noise.wav out.wav
ok "does not" differ "$helper" same noise.wav out.wav
ok "wet 0 leaves the input" \
    sh -c "$clean --t 1 --wet 0 noise.wav out.wav && $helper close noise.wav out.wav 1e-6"
ok "what was removed and what is left make the whole" \
    sh -c "$clean --t 0.7 noise.wav out.wav --keep-noise gone.wav && $helper sum whole.wav out.wav gone.wav &&
        $helper close whole.wav noise.wav 1e-6"
ok "auto" says 'cleaned at t = ' $clean --t auto noise.wav out.wav
ok "JSON" says '"t":0.4' $clean noise.wav out.wav --json
ok "JSON, the range of t" says '"t_least":0.4,"t_most":0.4' $clean noise.wav out.wav --json
ok "the comment says how" says '"t": 0.3' sh -c "$clean --t 0.3 noise.wav out.wav >/dev/null;
    $ebb info out.wav --json"
fails 4 'ebb denoise made it out of a recording' "$ebb" render --like out.wav -o x.wav

ok "standard input and output" \
    sh -c "$clean noise.wav file.wav && $clean - - <noise.wav | cat >pipe.wav &&
        $helper same file.wav pipe.wav"
ok "a pipe on either side" \
    sh -c "cat noise.wav | $clean - - | cat >pipe2.wav && $helper same file.wav pipe2.wav"
ok "the same bits again" sh -c "$clean noise.wav twice.wav && cmp file.wav twice.wav"
ok "many files" \
    sh -c "$clean noise.wav clean16.wav -o many/ && test -f many/noise.wav && test -f many/clean16.wav"
ok "onto itself" sh -c "cp noise.wav self.wav && $clean self.wav self.wav && $helper same self.wav file.wav"

ok "a folder in folders" sh -c "$clean noise.wav -o some/where/else && test -f some/where/else/noise.wav"
ok "a folder called as a file is there already" \
    sh -c "mkdir f.wav && $clean noise.wav -o f.wav && test -f f.wav/noise.wav"
ok "-o with one file's name" \
    sh -c "$clean noise.wav -o named.wav && $clean noise.wav plain.wav && cmp named.wav plain.wav"
mkdir -p there
fails 4 'with -r, what is in it' $clean . out.wav
ok "a folder in the last place" sh -c "$clean noise.wav there/ && cmp there/noise.wav plain.wav"
cp noise.wav second.wav
ok "of several" sh -c "$clean noise.wav second.wav there && $helper same there/second.wav plain.wav"
fails 2 '2 recordings cannot all go into g.wav' $clean noise.wav second.wav -o g.wav
fails 2 'noise.wav would replace the recording' $clean noise.wav -o noise.wav
ok "-o - is standard output" sh -c "$clean noise.wav -o - >streamed.wav"
said_beside() { $clean noise.wav - 2>beside-err >beside.wav &&
    grep -q 'standard output: .* cleaned' beside-err; }
ok "words go to stderr while sound goes to stdout" said_beside
fails 2 'expected a name that ends in .wav, .flac or .ogg' $clean noise.wav -o g.MP3
printf 'no sound' >phone.m4a
fails 4 'ffmpeg -i .phone.m4a. -f wav - | ebb denoise - clean.wav' $clean phone.m4a x.wav
cp phone.m4a "it's.m4a"
fails 4 "ffmpeg -i 'it'.''s.m4a' -f wav" $clean "it's.m4a" x.wav
printf '\0\0\0\040ftypM4A \0\0' >voice-memo
fails 4 'ffmpeg -i .voice-memo. -f wav' $clean voice-memo x.wav
ok "down a pipe too" sh -c "$clean - x.wav <voice-memo 2>words; grep -q 'ffmpeg -i - -f wav' words"
ok "but not for what is no sound" sh -c "echo text >text; ! $clean text x.wav 2>words && ! grep ffmpeg words"

# ---- --json: a line that parses for each input, whatever its name and end ----

odd=$(printf 'x\351.wav')
cp noise.wav "$odd"
parses() { # parses COUNT FILE: so many lines of JSON
    python3 - "$@" <<'END'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
sys.exit(len(rows) != int(sys.argv[1]) or "error" not in rows[-1] or rows[-1]["status"] != "failed")
END
}
$clean "$odd" noise.wav missing.wav -o json --json >lines.json 2>lines-err
ok "files that are cleaned, of any name, and that are not there" parses 3 lines.json
ok "the error is said, too" grep -q missing.wav lines-err
$clean a.wav b.wav -m nosuch -o json --json >lines.json 2>lines-err
ok "when there is no model" parses 2 lines.json
"$ebb" info --json missing.wav 2>lines-err | tr -d '\n' >lines.json
ok "ebb info" parses 1 lines.json
fails 2 'g.mp3: expected a name that ends in .wav, .flac or .ogg' $clean noise.wav g.mp3
fails 2 'g.mp3: expected a name that ends in .wav, .flac or .ogg' $clean noise.wav x.wav -k g.mp3
fails 5 'noise.wav/x' $clean noise.wav -o noise.wav/x

# ---- other formats ----

ok "FLAC holds what a WAV of 16 bits holds" \
    sh -c "$clean noise.wav f.flac --format flac && $clean noise.wav ff.wav --format wav16 && \
        $helper same f.flac ff.wav && $ebb info f.flac | grep -q 'verb  *denoise'"
ok "Ogg, by the name" sh -c "$clean noise.wav f.ogg && head -c 4 f.ogg | grep -q OggS"
fails 2 'expected a name that ends in .flac' $clean noise.wav g.ogg --format flac
ok "a folder of them" \
    sh -c "$clean noise.wav clean16.wav -o flacs/ --format flac && ls flacs | tr '\n' ' ' | \
        grep -q 'clean16.flac noise.flac'"
ok "a tree of them, and again" \
    sh -c "mkdir -p tree/a && cp noise.wav tree/a/ && $clean -r tree -o ogged --format ogg && \
        [ -s ogged/a/noise.ogg ] && ${clean% --force} -r tree -o ogged --format ogg --json | grep -q kept"

# ---- no recording is replaced unasked ----

mkdir both && cp noise.wav clean16.wav both/
fails 2 'noise.wav would replace the recording' $clean both/noise.wav both/clean16.wav -o both
fails 2 'would replace the recording' sh -c "cd both && $clean noise.wav -o ."
fails 2 'would replace the recording' $clean noise.wav -k ./noise.wav x.wav
fails 2 'would replace the recording' $clean both/noise.wav -o many -k "$PWD/both/noise.wav"
fails 2 'is the file of the cleaned sound' $clean noise.wav x.wav -k ./x.wav
fails 2 'is the file of the cleaned sound' $clean noise.wav -o new/ -k new/noise.wav
ln -s link-2.wav link-1.wav && ln -s to-be.wav link-2.wav # to-be.wav is not there yet
fails 2 'is the file of the cleaned sound' $clean noise.wav to-be.wav -k link-1.wav
rm link-1.wav link-2.wav
ln both/noise.wav linked.wav
fails 2 'would replace the recording' $clean linked.wav x.wav -k both/noise.wav
fails 2 'taken already' $clean noise.wav - -k -
ok "all are as they were" sh -c "cmp noise.wav both/noise.wav && cmp clean16.wav both/clean16.wav"
ok "and nothing was begun" test ! -e new

# ---- bad recordings ----

"$helper" wav nan nan.wav
"$helper" wav empty empty.wav
head -c 60 noise.wav >short.wav
echo 'not a sound' >text.wav
fails 4 'nan.wav: .*100' $clean nan.wav x.wav
fails 4 'text.wav' $clean text.wav x.wav
cp noise.wav slow.wav && printf '\144\0\0\0' | dd of=slow.wav bs=1 seek=24 conv=notrunc 2>dd-err
fails 4 'slow.wav: the rate is 100 Hz, expected 1000 to' $clean noise.wav slow.wav -o many
fails 4 'standard input: the rate is 100 Hz' sh -c "$clean - x.wav <slow.wav"
fails 3 'nosuch.wav' $clean nosuch.wav x.wav
fails 4 'folder' $clean . x.wav
fails 5 'nosuch' $clean noise.wav nosuch/x.wav
fails 4 'generates sounds' "$ebb" denoise --model tiny-sfx noise.wav x.wav
ok "an empty recording stays empty, or is refused" \
    sh -c "$clean empty.wav x.wav 2>err || grep -q empty.wav err"
[ -c /dev/full ] && fails 5 'full' $clean noise.wav /dev/full
rm -f x.wav
ok "nothing half written" tidy .

done_testing
