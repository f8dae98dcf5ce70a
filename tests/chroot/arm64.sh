#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds Ebb for arm64 with the cross compiler of the Debian it runs in, and tries every operation and whole
# runs under emulation.
# usage: debian.sh bookworm tests/chroot/arm64.sh
set -eu
export DEBIAN_FRONTEND=noninteractive
build="build-arm64"

if ! dpkg --print-foreign-architectures | grep -qx arm64; then
    dpkg --add-architecture arm64
fi
{
    apt-get -q update
    # shellcheck disable=SC2046 # a list of words
    apt-get install -q -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
        qemu-user-static \
        meson ninja-build pkgconf:arm64 python3 glslang-tools \
        $(sed -n '/^packages="/,/"$/p' dev | grep -o 'lib[a-z0-9.-]*-dev' | grep -v libc6-dev |
            sed 's/$/:arm64/')
} >.apt.log 2>&1 || { tail -n 5 .apt.log; exit 1; }

aarch64-linux-gnu-gcc --version | head -n 1
meson setup "$build" --cross-file tests/chroot/arm64.ini >.setup.log 2>&1 ||
    { tail -n 20 .setup.log; exit 1; }
ninja -C "$build" --quiet

# The inner loops are written once, with vectors of the compiler; on arm64 they have to become NEON's.
neon=$(aarch64-linux-gnu-objdump -d "$build/lib/backend/cpu/libbackend_plain.a" |
    grep -cE 'fmla[[:space:]]+v[0-9]+\.4s') || true
echo "$neon multiply-adds of four floats in the kernels"
[ "$neon" -ge 200 ] || { echo "expected at least 200: the kernels do not use NEON" >&2; exit 1; }

meson test -C "$build" --no-rebuild --print-errorlogs backend-ops backend-device backend-tape generate-prompts
qemu-aarch64-static "$build/tools/ebb" render --model tests/models/tiny-sfx --label bell --steps 2 \
    --phase-iterations 2 --force -o "$build/bell.wav"
qemu-aarch64-static "$build/tools/ebb" info "$build/bell.wav"
