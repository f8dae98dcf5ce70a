# ./dev demo: sourced by ./dev with the environment set. Everything lands in out/demo.
out=$root/out/demo
clips=$root/examples/audio
rm -rf "$out"
mkdir -p "$out"

play() { gst-launch-1.0 -q "$@" || die "the pipeline failed: gst-launch-1.0 $*"; }

say
say "1. Sound through GStreamer: three clips of rain, joined without a seam"
say "   gst-launch-1.0 diffusesrc label=rain seed=1 num-clips=3 ! audioconvert ! wavenc ! filesink location=out/demo/rain.wav"
play diffusesrc label=rain seed=1 num-clips=3 ! audioconvert ! wavenc ! filesink location="$out/rain.wav"

say
say "2. A batch of effects to WAV: ebb render --list examples/sounds.csv -o out/demo/effects"
ebb render --list "$root/examples/sounds.csv" -o "$out/effects" || die "rendering failed"

say
say "3. A noisy recording, cleaned at t = 0.4 in a pipeline, and at a t that is measured"
say "   gst-launch-1.0 filesrc location=examples/audio/speech-film-static-noisy.wav ! wavparse ! audioconvert !"
say "       diffusedenoise t=0.4 ! audioconvert ! wavenc ! filesink location=out/demo/clean-t0.4.wav"
play filesrc location="$clips/speech-film-static-noisy.wav" ! wavparse ! audioconvert ! diffusedenoise t=0.4 ! \
    audioconvert ! wavenc ! filesink location="$out/clean-t0.4.wav"
ebb denoise "$clips/speech-film-static-noisy.wav" "$out/clean-auto.wav" --t auto || die "denoising failed"
cp "$clips/speech-film-static-noisy.wav" "$out/noisy.wav"

say
say "4. Pictures"
for name in rain noisy clean-t0.4 clean-auto; do
    ebb plot spectrogram "$out/$name.wav" -o "$out/$name.png" || die "drawing failed"
done

say
say "Listen to:  out/demo/rain.wav  out/demo/effects/*.wav  out/demo/noisy.wav against out/demo/clean-t0.4.wav"
say "Look at:    out/demo/*.png"
say "Play on:    ./dev shell -c 'gst-launch-1.0 diffusesrc ! autoaudiosink'   (endless; Ctrl-C ends it)"
