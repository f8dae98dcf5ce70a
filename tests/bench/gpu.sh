#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Everything there is to measure on a GPU, in one command: is every variant right there, what does a dispatch
# cost, what do cooperative matrices and a cut K bring, what does a whole step take, beside PyTorch where it
# is installed with CUDA.
#   tests/bench/gpu.sh [OUTPUT]   from the root of the checkout; writes OUTPUT (default gpu.txt), shows it
# EBB_BENCH_SMALL=1 runs it on small sizes on whatever Vulkan device there is: a rehearsal, its numbers mean
# nothing.
set -u
output=${1:-gpu.txt}
here=$(dirname "$0")
: >"$output"
say() { printf '\n== %s\n' "$*" | tee -a "$output"; }
run() { printf '$ %s\n' "$*" >>"$output"; "$@" 2>&1 | tee -a "$output"; }

./dev build || exit 1
ninja -C build --quiet tests/bench/bench-vulkan tests/bench/bench-runs || exit 1
ebb=build/tools/ebb bench=build/tests/bench/bench-vulkan
repeat=50 smaller=1 layout='' side=256 steps=20 peer='--device cuda'
variants='fp16 fp16,nocoop fp32 fp16,nosplit fp16,nocoop,nosplit'
if [ "${EBB_BENCH_SMALL:-}" ]; then
    repeat=1 smaller=8 layout=--small side=64 steps=1 peer='--device cpu --passes 1'
fi

say "devices"
run "$ebb" info devices
say "correct in every variant"
for variant in fp32 fp16 fp16,nocoop fp16,nosplit; do
    [ -z "${EBB_BENCH_SMALL:-}" ] || break
    run env EBB_REQUIRE_VULKAN=1 EBB_VULKAN="$variant" build/tests/vulkan/test-vulkan
    run env EBB_REQUIRE_VULKAN=1 EBB_VULKAN="$variant" EBB_TEST_DATA=tests build/tests/vulkan/test-vulkan-runs
done
say "whole runs of the shipped model against the CPU"
for variant in fp32 fp16; do
    [ -z "${EBB_BENCH_SMALL:-}" ] || break
    run env EBB_VULKAN="$variant" EBB_MODEL_PATH=models build/tests/bench/bench-runs sfx 32
done
say "a dispatch, single convolutions: cooperative matrices, 16 and 32 bits, K cut or not"
for variant in $variants; do
    run env EBB_VULKAN="$variant" "$bench" vulkan "$repeat" "$smaller"
done

say "whole steps, with every operation's share"
for model in sfx denoise; do
    [ -z "${EBB_BENCH_SMALL:-}" ] || model=tests/models/tiny-$model
    run "$ebb" bench "$model" --device vulkan --steps "$steps" --repeat "$repeat" --profile --trace \
        "$output.$(basename "$model").json"
done
if python3 -c 'import torch, diffusers' 2>/dev/null; then
    random=$(mktemp -d)
    say "the layout of audio-diffusion-256, random weights"
    # shellcheck disable=SC2086 # words
    run python3 "$here/make_random.py" "$random" $layout
    for variant in fp16 fp16,nocoop; do
        run env EBB_VULKAN="$variant" "$ebb" bench "$random" --device vulkan --steps "$steps" --repeat 3 \
            --profile
    done
    say "PyTorch beside it: sfx with guidance is a batch of 2"
    # shellcheck disable=SC2086
    {
        run python3 "$here/peer_torch.py" models/sfx/unet --height 16 --width 32 --batch 2 $peer
        run python3 "$here/peer_torch.py" models/denoise/unet --height 32 --width 32 $peer
        run python3 "$here/peer_torch.py" "$random/unet" --height "$side" --width "$side" $peer
    }
    rm -rf "$random"
else
    say "PyTorch and diffusers are not installed: no peer, no random weights"
fi
say "written to $output"
