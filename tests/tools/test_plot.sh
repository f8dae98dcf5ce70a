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
ok "the process" draws 1800x700 process --model tiny-sfx --label kick --device cpu
ok "four strips of it" draws 1200x600 process --model tiny-sfx --strips 4 --device cpu --width 1200 --height 600
piped() { "$ebb" plot schedule -o - | cat >piped.png && picture 1600x600 piped.png; }
ok "to standard output" piped
again() { "$ebb" plot spectrogram noise.wav -o a.png && "$ebb" plot spectrogram noise.wav -o b.png && cmp a.png b.png; }
ok "the same picture again" again

fails 2 'nosuch' "$ebb" plot schedule nosuch -o y.png
fails 3 'nosuch.wav' "$ebb" plot spectrogram nosuch.wav -o y.png
fails 4 'empty.wav' "$ebb" plot spectrogram empty.wav -o y.png
fails 2 'nothing between' "$ebb" plot spectrogram noise.wav --from 5 -o y.png
fails 2 'name a sound' "$ebb" plot spectrogram -o y.png
fails 5 'nosuch/y.png' "$ebb" plot schedule -o nosuch/y.png
[ -c /dev/full ] && fails 5 'full' "$ebb" plot schedule -o /dev/full
ok "no picture of what failed" test ! -e y.png
ok "nothing half written" tidy .

done_testing
