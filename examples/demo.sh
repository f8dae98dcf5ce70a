# SPDX-License-Identifier: LGPL-2.1-or-later
# ./dev demo: sourced by ./dev in its own folder, with the environment set. Everything lands in out/demo.
# A command is shown as it is run, with these names.
out=out/demo
clips=examples/audio
rm -rf "$out"
mkdir -p "$out"

play() { gst-launch-1.0 -q --no-position "$@" || die "the pipeline failed: gst-launch-1.0 $*"; }

say
say "1. Sound through GStreamer: three clips of rain, joined without a seam"
say "   gst-launch-1.0 diffusesrc label=rain seed=1 num-clips=3 ! audioconvert ! wavenc !"
say "       filesink location=out/demo/rain.wav"
play diffusesrc label=rain seed=1 num-clips=3 ! audioconvert ! wavenc ! filesink location="$out/rain.wav"

say
say "2. Ten effects to WAV, of labels that are recognised in most clips (ebb labels has the shares):"
say "   ebb render --list examples/sounds.csv -o out/demo/effects"
ebb render --list "$root/examples/sounds.csv" -o "$out/effects" || die "rendering failed"
say "   ... and one in words:  ebb render --prompt 'big dog barking' -o out/demo/dog.wav"
ebb render --prompt "big dog barking" -o "$out/dog.wav" --quiet || die "rendering failed"

say
say "3. A noisy recording, cleaned in a pipeline as the model recommends, and with t from the measured noise"
say "   gst-launch-1.0 filesrc location=examples/audio/speech-film-static-noisy.wav ! wavparse !"
say "       diffusedenoise ! audioconvert ! wavenc ! filesink location=out/demo/clean.wav"
play filesrc location="$clips/speech-film-static-noisy.wav" ! wavparse ! diffusedenoise ! audioconvert ! \
    wavenc ! filesink location="$out/clean.wav"
say "   ebb denoise examples/audio/speech-film-static-noisy.wav out/demo/measured.wav --t auto"
ebb denoise "$clips/speech-film-static-noisy.wav" "$out/measured.wav" --t auto || die "denoising failed"
cp "$clips/speech-film-static-noisy.wav" "$out/noisy.wav"

say
say "4. Pictures"
for name in rain noisy clean measured; do
    ebb plot spectrogram "$out/$name.wav" -o "$out/$name.png" || die "drawing failed"
done

say
say "Listen to:  out/demo/rain.wav  out/demo/effects/*.wav  out/demo/dog.wav"
say "            out/demo/noisy.wav against clean.wav and measured.wav"
say "Look at:    out/demo/*.png"
say "Play on:    ./dev shell -c 'gst-launch-1.0 diffusesrc ! autoaudiosink'   (endless; Ctrl-C ends it)"
