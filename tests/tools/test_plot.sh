#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ebb plot: valid PNGs of the right size, with axes, and the drawing at the right place.
. "$(dirname "$0")/tap.sh"
if "$ebb" plot schedule -o x.png 2>&1 | grep -q 'built without cairo'; then
    fails 4 'built without cairo' "$ebb" plot schedule -o x.png
    ok "no picture without cairo" test ! -e x.png
    skip "pictures" "built without cairo"
    done_testing
fi
"$helper" wav noise noise.wav
"$helper" wav one one.wav
"$helper" wav empty empty.wav
"$helper" wav wide wide.wav
"$helper" wav tone tone.wav

# Width and height out of the header, four bytes each, and the end marker.
size() {
    # shellcheck disable=SC2046 # numbers
    set -- "$1" $(od -An -tu1 -j16 -N8 "$1")
    echo "$(($2 * 16777216 + $3 * 65536 + $4 * 256 + $5))x$(($6 * 16777216 + $7 * 65536 + $8 * 256 + $9))"
}
picture() {
    want=$1 file=$2
    [ "$(od -An -tx1 -N8 "$file" | tr -d ' \n')" = 89504e470d0a1a0a ] && tail -c 8 "$file" | grep -aq IEND &&
        [ "$(size "$file")" = "$want" ]
}
draws() {
    want=$1
    shift
    rm -f x.png
    "$ebb" plot "$@" -o x.png && picture "$want" x.png
}

ok "a sound alone is a spectrogram" says '^alone.png: spectrogram drawn' "$ebb" plot noise.wav -o alone.png
ok "standard input alone is one too" says '^in.png: spectrogram drawn' "$ebb" plot - -o in.png <noise.wav

# framed LEFT NAME...: draws it at its own size; nothing comes near the edges, and there are ticks or names in
# the LEFT pixels beside the first axis, and ticks in the margin below.
framed() {
    left=$1
    shift
    # shellcheck disable=SC2046 # two numbers
    "$ebb" plot "$@" -o x.png && set -- $(size x.png | tr x ' ') &&
        [ "$("$helper" ink x.png 0 0 "$1" 8)" = 0 ] &&
            [ "$("$helper" ink x.png 0 $(($2 - 8)) "$1" 8)" = 0 ] &&
        [ "$("$helper" ink x.png 0 0 8 "$2")" = 0 ] &&
            [ "$("$helper" ink x.png $(($1 - 8)) 0 8 "$2")" = 0 ] &&
        [ "$("$helper" ink x.png 8 64 $((left - 8)) $(($2 - 128)))" -gt 100 ] &&
        [ "$("$helper" ink x.png 100 $(($2 - 40)) $(($1 - 200)) 32)" -gt 100 ]
}
# at PERCENT OPTION...: the tone's line lies so high in its spectrogram.
at() {
    want=$1
    shift
    "$ebb" plot spectrogram tone.wav --fmax 2000 "$@" -o x.png && got=$("$helper" bright x.png) &&
        echo "$got" &&
        [ "$got" -ge $((want - 1)) ] && [ "$got" -le $((want + 1)) ]
}
ok "one sound" draws 1400x720 spectrogram noise.wav
ok "as large as asked" draws 800x600 spectrogram noise.wav --width 800 --height 600 --scale log --from 0.1 \
    --to 0.4
ok "eight channels" draws 1400x720 spectrogram wide.wav --scale linear
ok "one sample" draws 1400x720 spectrogram one.wav
ok "a sheet" draws 1000x700 spectrogram noise.wav wide.wav one.wav --columns 2 --width 1000 --height 700
ok "schedules" draws 1600x600 schedule
ok "two schedules" draws 900x500 schedule linear cosine --width 900 --height 500
ok "visits" draws 1500x570 visits
ok "visits of two samplers" draws 900x400 visits ddim heun/karras/10 --schedule cosine --steps 12 \
    --width 900 --height 400
printf 'euler 8 0.1\neuler 16 0.05\n# a comment\nheun\t8\t0.03\nheun\t16\t0.0075\n' >data.tsv
ok "convergence" draws 1200x900 convergence data.tsv
ok "the process" draws 1800x700 process --model tiny-sfx --label kick --device cpu
ok "the process of a prompt" draws 1800x700 process --model tiny-riffusion --prompt rain --steps 3 \
    --device cpu
ok "four strips of it" draws 1200x600 process --model tiny-sfx --strips 4 --device cpu --width 1200 \
    --height 600

ok "a tone is where its frequency is, linear" at 50 --scale linear
ok "... from 500 Hz on" at 33 --scale linear --fmin 500
ok "... mel: log(1 + 1000 / 700) / log(1 + 2000 / 700)" at 66 --scale mel
ok "... logarithmic, from 20 Hz: log(50) / log(100)" at 85 --scale log
ok "... in a small picture too" at 50 --scale linear --width 400 --height 300
ok "axes and margins of one sound" framed 96 spectrogram tone.wav
ok "... of a sheet" framed 72 spectrogram tone.wav tone.wav
ok "... of schedules" framed 96 schedule
ok "... of visits" framed 220 visits
ok "... of convergence" framed 108 convergence data.tsv
ok "... of the process" framed 96 process --model tiny-sfx --device cpu
for width in 200 300 700 5000; do
    ok "$width pixels wide" draws ${width}x200 schedule --width $width --height 200
    ok "$width pixels wide, a sound" draws ${width}x200 spectrogram tone.wav --width $width --height 200
done
ok "a title of any length and bytes" draws 1400x720 spectrogram tone.wav \
    --title "$(printf '\377\001 \303\244 %0600d' 1)"
printf '<fontconfig></fontconfig>' >none.conf
ok "without any font" env FONTCONFIG_FILE="$work/none.conf" "$ebb" plot schedule -o x.png
ok "... there are letters still" test "$("$helper" ink x.png 28 16 400 32)" -gt 100
cp tone.wav "$(printf 't\377.wav')"
ok "a file's name of any bytes" draws 1400x720 spectrogram "$(printf 't\377.wav')"
piped() { "$ebb" plot schedule -o - | cat >piped.png && picture 1600x600 piped.png; }
ok "to standard output" piped
again() { "$ebb" plot spectrogram noise.wav -o a.png && "$ebb" plot spectrogram noise.wav -o b.png &&
    cmp a.png b.png; }
ok "the same picture again" again

cp noise.wav kept.wav
fails 2 'would replace what is drawn' "$ebb" plot spectrogram noise.wav -o ./noise.wav
fails 2 'would replace what is drawn' "$ebb" plot spectrogram one.wav noise.wav -o noise.wav
fails 2 'would replace what is drawn' "$ebb" plot convergence data.tsv -o data.tsv
ok "the recording is what it was" cmp noise.wav kept.wav
fails 2 'y.jpg: expected a name that ends in .png' "$ebb" plot spectrogram noise.wav -o y.jpg
fails 2 'y.wav: expected a name that ends in .png' "$ebb" plot spectrogram noise.wav -o y.wav
fails 2 'fmin below fmax' "$ebb" plot spectrogram noise.wav --fmin 9000 --fmax 100 -o y.png
fails 2 'nothing between' "$ebb" plot spectrogram noise.wav --fmin 22050 -o y.png
fails 2 'nothing between' "$ebb" plot spectrogram noise.wav one.wav --scale log --fmax 20 -o y.png
fails 2 'nosuch' "$ebb" plot schedule nosuch -o y.png
fails 3 'nosuch.wav' "$ebb" plot spectrogram nosuch.wav -o y.png
fails 4 'empty.wav' "$ebb" plot spectrogram empty.wav -o y.png
fails 2 'nothing between' "$ebb" plot spectrogram noise.wav --from 5 -o y.png
fails 4 'times by the network' "$ebb" plot visits rk45 -o y.png
fails 2 'SAMPLER/SPACING/STEPS' "$ebb" plot visits ddim/karras/10/3 -o y.png
fails 2 'trailing, leading' "$ebb" plot visits ddim/nosuch -o y.png
fails 3 'nosuch' "$ebb" plot visits nosuch -o y.png
fails 2 'linear, scaled-linear' "$ebb" plot visits ddim --schedule nosuch -o y.png
fails 2 'STEPS' "$ebb" plot visits ddim/karras/0 -o y.png
printf 'euler 8\n' >bad.tsv
fails 4 'bad.tsv:1' "$ebb" plot convergence bad.tsv -o y.png
fails 3 'nosuch.tsv' "$ebb" plot convergence nosuch.tsv -o y.png
fails 2 'name one file' "$ebb" plot convergence -o y.png
fails 2 'name a sound' "$ebb" plot spectrogram -o y.png
fails 5 'nosuch/y.png' "$ebb" plot schedule -o nosuch/y.png
[ -c /dev/full ] && fails 5 'full' "$ebb" plot schedule -o /dev/full
ok "no picture of what failed" test ! -e y.png
ok "nothing half written" tidy .

done_testing
