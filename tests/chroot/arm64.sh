#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds Ebb for arm64 with the cross compiler of the Debian it runs in, and tries every operation and whole
# runs under emulation, on a processor with BF16 and on one without.
# usage: debian.sh bookworm tests/chroot/arm64.sh [count FOLDER HEIGHT WIDTH]
# count: in place of the tests, the instructions of a pass of this U-Net by every kind of kernels; that takes
# minutes, most of them for ref. The default is the table in docs/measurements.md: models/sfx/unet 16 32.
set -eu
export DEBIAN_FRONTEND=noninteractive
build="build-arm64" counting="${1:-}"

if ! dpkg --print-foreign-architectures | grep -qx arm64; then
    dpkg --add-architecture arm64
fi
{
    apt-get -q update
    # shellcheck disable=SC2046 # a list of words
    apt-get install -q -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
        qemu-user-static ${counting:+qemu-user gcc libc6-dev} \
        meson ninja-build pkgconf:arm64 python3 glslang-tools \
        $(sed -n '/^packages="/,/"$/p' dev | grep -o 'lib[a-z0-9.-]*-dev' | grep -v libc6-dev |
            sed 's/$/:arm64/')
} >.apt.log 2>&1 || { tail -n 5 .apt.log; exit 1; }

aarch64-linux-gnu-gcc --version | head -n 1
# For counts the library is part of the program, whose functions qemu can name.
meson setup "$build" --cross-file tests/chroot/arm64.ini ${counting:+-Ddefault_library=static} \
    >.setup.log 2>&1 || { tail -n 20 .setup.log; exit 1; }

# Instructions of a pass: those of two passes, less those of one.
count() { # DEVICE PRECISION FOLDER HEIGHT WIDTH
    for passes in 1 2; do
        qemu-aarch64 -cpu max -plugin "$build/count.so,to=$build/$passes.txt" "$build/tests/bench/bench-net" \
            "$3" "$4" "$5" "$1" 1 "$passes" 1 0 "$2" >"$build/pass.txt"
    done
    echo "$1, $2: $(awk 'FNR == NR { one[$2] = $1; next } { sum += $1 - one[$2] }
        END { printf "%.1f million instructions", sum / 1e6 }' "$build/1.txt" "$build/2.txt")"
    awk 'FNR == NR { one[$2] = $1; next } { printf "%9.1f %s\n", ($1 - one[$2]) / 1e6, $2 }' \
        "$build/1.txt" "$build/2.txt" | sort -rn | head -n 6
}

if [ "$counting" = count ]; then
    shift
    [ $# -eq 3 ] || set -- models/sfx/unet 16 32
    ninja -C "$build" --quiet tests/bench/bench-net
    gcc -O2 -shared -fPIC tests/chroot/count.c -o "$build/count.so"
    count cpu:neon fp32 "$@"
    count cpu:neon bf16 "$@"
    count cpu:plain fp32 "$@"
    count ref fp32 "$@"
    exit 0
fi

# All that is installed, and the tests that run here: the others are compiled where they run.
ninja -C "$build" --quiet gst-plugin/libgstdiffuse.so tools/ebb tests/tools/tools-helper \
    tests/backend/test-backend-ops tests/backend/test-backend-device tests/backend/test-backend-tape \
    tests/generate/test-generate-prompts

# How often an instruction is in the kernels: they are written for the compiler to make these of them.
has() { # COUNT LIBRARY PATTERN
    found=$(aarch64-linux-gnu-objdump -d "$build/lib/backend/cpu/libbackend_$2.a" | grep -cE "$3") || true
    echo "$found $3 in the kernels of $2"
    [ "$found" -ge "$1" ] || { echo "expected at least $1" >&2; exit 1; }
}
has 200 neon 'fmla[[:space:]]+v[0-9]+\.4s'
has 100 bf16_neon 'bfmmla'

meson test -C "$build" --no-rebuild --print-errorlogs backend-ops backend-device backend-tape generate-prompts

on() { # PROCESSOR PROGRAM...
    processor=$1 program=$2
    shift 2
    qemu-aarch64-static -cpu "$processor" "$build/$program" "$@"
}
render() { # PROCESSOR OUTPUT OPTION...
    processor=$1 output=$2
    shift 2
    on "$processor" tools/ebb render --model tests/models/tiny-sfx --label bell --steps 2 \
        --phase-iterations 2 --force -o "$build/$output" "$@" 2>"$build/render.log"
    cat "$build/render.log"
}
says() { grep -q "$1" "$build/render.log" || { echo "expected: $1" >&2; exit 1; }; }
evaluate() { # PROCESSOR OUTPUT OPTION...
    processor=$1 output=$2
    shift 2
    on "$processor" tools/ebb eval tests/models/tiny-sfx/unet --input tests/golden/eval/unet-x.npy \
        --timestep 731 --label 1,2 --output "$build/$output" "$@"
}
helper() { on max tests/tools/tools-helper "$@"; }

# Whole sounds, and single evaluations: PyTorch's, and the same rounding in plain C.
render max bell.wav
render max rounded.wav --precision bf16
render max auto.wav --precision auto
says 'precision auto: bf16, because'
helper same "$build/rounded.wav" "$build/auto.wav"
if helper same "$build/bell.wav" "$build/rounded.wav"; then
    echo "expected another sound in bfloat16" >&2
    exit 1
fi
on max tools/ebb info "$build/rounded.wav"
evaluate max rounded.npy --bf16
evaluate max plain.npy --bf16 --device cpu:plain
helper near "$build/rounded.npy" tests/golden/eval/unet-y.npy 5e-2
helper near "$build/rounded.npy" "$build/plain.npy" 1e-3
render cortex-a72 without.wav --precision bf16
says 'precision bf16: no arithmetic in bfloat16 here (cpu: .* NEON), the network runs in float32'
helper same "$build/bell.wav" "$build/without.wav"
echo "bfloat16 where the processor has it: as on x86"
