#!/bin/sh
# Pictures: valid PNGs of the right size.
. "$(dirname "$0")/tap.sh"
"$helper" wav noise noise.wav
"$helper" wav one one.wav
"$helper" wav empty empty.wav
"$helper" wav wide wide.wav

# Width and height out of the header, four bytes each, and the end marker.
size() {
    set -- "$1" $(od -An -tu1 -j16 -N8 "$1")
    echo "$(($2 * 16777216 + $3 * 65536 + $4 * 256 + $5))x$(($6 * 16777216 + $7 * 65536 + $8 * 256 + $9))"
}
picture() {
    want=$1 file=$2
    [ "$(od -An -tx1 -N8 "$file" | tr -d ' \n')" = 89504e470d0a1a0a ] && tail -c 8 "$file" | grep -aq IEND && [ "$(size "$file")" = "$want" ]
}
draws() {
    want=$1
    shift
    rm -f x.png
    "$ebb" plot "$@" -o x.png && picture "$want" x.png
}
ok "one sound" draws 1400x720 spectrogram noise.wav
ok "as large as asked" draws 800x600 spectrogram noise.wav --width 800 --height 600 --scale log --from 0.1 --to 0.4
ok "eight channels" draws 1400x720 spectrogram wide.wav --scale linear
ok "one sample" draws 1400x720 spectrogram one.wav
ok "a sheet" draws 1000x700 spectrogram noise.wav wide.wav one.wav --columns 2 --width 1000 --height 700
ok "schedules" draws 1600x600 schedule
ok "two schedules" draws 900x500 schedule linear cosine --width 900 --height 500
ok "visits" draws 1500x570 visits
ok "visits of two samplers" draws 900x400 visits ddim heun/karras/10 --schedule cosine --steps 12 --width 900 --height 400
printf 'euler 8 0.1\neuler 16 0.05\n# a comment\nheun\t8\t0.03\nheun\t16\t0.0075\n' >data.tsv
ok "convergence" draws 1200x900 convergence data.tsv
ok "the process" draws 1800x700 process --model tiny-sfx --label kick --device cpu
ok "four strips of it" draws 1200x600 process --model tiny-sfx --strips 4 --device cpu --width 1200 --height 600
piped() { "$ebb" plot schedule -o - | cat >piped.png && picture 1600x600 piped.png; }
ok "to standard output" piped
again() { "$ebb" plot spectrogram noise.wav -o a.png && "$ebb" plot spectrogram noise.wav -o b.png && cmp a.png b.png; }
ok "the same picture again" again

cp noise.wav kept.wav
fails 2 'would replace what is drawn' "$ebb" plot spectrogram noise.wav -o ./noise.wav
fails 2 'would replace what is drawn' "$ebb" plot spectrogram one.wav noise.wav -o noise.wav
fails 2 'would replace what is drawn' "$ebb" plot convergence data.tsv -o data.tsv
ok "the recording is what it was" cmp noise.wav kept.wav
fails 2 'y.jpg: the picture is a PNG' "$ebb" plot spectrogram noise.wav -o y.jpg
fails 2 'y.wav: the picture is a PNG' "$ebb" plot spectrogram noise.wav -o y.wav
fails 2 'nothing between' "$ebb" plot spectrogram noise.wav --fmin 9000 --fmax 100 -o y.png
fails 2 'nothing between' "$ebb" plot spectrogram noise.wav --fmin 22050 -o y.png
fails 2 'nothing between' "$ebb" plot spectrogram noise.wav one.wav --scale log --fmax 20 -o y.png
fails 2 'nosuch' "$ebb" plot schedule nosuch -o y.png
fails 3 'nosuch.wav' "$ebb" plot spectrogram nosuch.wav -o y.png
fails 4 'empty.wav' "$ebb" plot spectrogram empty.wav -o y.png
fails 2 'nothing between' "$ebb" plot spectrogram noise.wav --from 5 -o y.png
fails 4 'goes by the network' "$ebb" plot visits rk45 -o y.png
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
