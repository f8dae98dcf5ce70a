#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cooperative-matrix shaders on a software driver that has them: Mesa 26 from trixie-backports, in a
# chroot.
# usage: on-newer-mesa.sh TEST_PROGRAM SOURCE_ROOT CHROOT    needs root, debootstrap and the network
# Exits with 77, after saying so in red, where the chroot cannot be made.
set -eu
program=$1 source=$2 root=$3

cannot() { printf '\033[31mNOT TESTED: cooperative matrices on a newer Mesa: %s\033[0m\n' "$1"; exit 77; }
quietly() { "$@" >>"$root.log" 2>&1; }

[ "$(id -u)" -eq 0 ] || cannot "only root can make a chroot"
command -v debootstrap >/dev/null 2>&1 || quietly apt-get install -q -y --no-install-recommends debootstrap ||
    cannot "debootstrap cannot be installed"
if [ ! -f "$root/.ready" ]; then
    rm -rf "$root"
    quietly debootstrap --variant=minbase trixie "$root" || cannot "debootstrap failed, see $root.log"
    cp /etc/resolv.conf "$root/etc/"
    # How this machine reaches the archive is how the chroot does.
    cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
    sed 's/ trixie / trixie-backports /' "$root/etc/apt/sources.list" \
        >"$root/etc/apt/sources.list.d/backports.list"
    quietly chroot "$root" apt-get -q update || cannot "the chroot has no network, see $root.log"
    quietly chroot "$root" apt-get install -q -y --no-install-recommends \
        glslang-tools libvulkan1 vulkan-validationlayers ||
        cannot "packages cannot be installed, see $root.log"
    quietly chroot "$root" apt-get install -q -y --no-install-recommends \
        -t trixie-backports mesa-vulkan-drivers ||
        cannot "Mesa from trixie-backports cannot be installed, see $root.log"
    touch "$root/.ready"
fi

rm -rf "$root/ebb"
mkdir -p "$root/ebb"
cp "$program" "$root/ebb/test-vulkan"
cp -r "$source/shaders" "$source/tests/vulkan/regenerate.sh" "$root/ebb/"
chroot "$root" env EBB_REQUIRE_VULKAN=1 EBB_REQUIRE_COOP=1 EBB_VULKAN=fp16,validate XDG_CACHE_HOME=/tmp \
    /ebb/test-vulkan
chroot "$root" sh /ebb/regenerate.sh /ebb/shaders
