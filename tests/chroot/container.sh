#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Does what examples/cluster/Containerfile says, in chroots in place of containers: of the last commit, on the
# same Debian. Then it runs the image's command and has it make a sound.
# usage: container.sh
# The chroots are kept in EBB_CHROOTS until the next run. Needs root, debootstrap and the network: exits with
# 77 where one is missing. It takes a quarter of an hour.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
work=${EBB_CHROOTS:-/var/tmp/ebb-chroots}/container
file=$source/examples/cluster/Containerfile

cannot() { echo "not tried: $1" >&2; exit 77; }
die() { echo "$file: $1" >&2; exit 1; }

# The mounts are seen by the command alone, and gone with it. A container's environment is as small.
within() {
    # shellcheck disable=SC2016 # for the other shell
    unshare --mount sh -euc '
        root=$1
        shift
        mount --rbind /dev "$root/dev"
        mount -t proc proc "$root/proc"
        exec chroot "$root" env -i HOME=/root DEBIAN_FRONTEND=noninteractive \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
        ' sh "$@"
}

# debian:12-slim is this and some more files left out.
make_base() {
    rm -rf --one-file-system "$work"
    mkdir -p "$work"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$work/base" >"$work/log" 2>&1 ||
        cannot "debootstrap failed, see $work/log"
    cp /etc/resolv.conf "$work/base/etc/"
    # How this machine reaches the archive is how the chroot does.
    grep -lr Acquire /etc/apt/apt.conf.d | while read -r conf; do cp "$conf" "$work/base$conf"; done
}

# FROM IMAGE [AS NAME]
from() {
    [ "$1" = debian:12-slim ] || die "an image that is not made here: $1"
    name=${3:-image}
    root=$work/$name
    cp -a "$work/base" "$root"
}

# COPY . PLACE, or COPY --from=NAME PLACE PLACE
copy() {
    case $1 in
    --from=*) cp -a "$work/${1#--from=}$2/." "$root$3/" ;;
    .) mkdir -p "$root$2" && git -C "$source" archive HEAD | tar -x -C "$root$2" ;;
    *) die "COPY $*" ;;
    esac
}

one() {
    echo "== $*"
    instruction=$1
    shift
    case $instruction in
    FROM) from "$@" ;;
    COPY) copy "$@" ;;
    RUN) within "$root" sh -c "$*" >>"$work/log" 2>&1 || { tail -n 20 "$work/log"; die "RUN $* failed"; } ;;
    CMD) echo "$*" | tr -d '[],"' >"$work/command" ;;
    *) die "$instruction is not known here" ;;
    esac
}

[ "$(id -u)" -eq 0 ] || cannot "only root can make a chroot"
command -v debootstrap >/dev/null 2>&1 || cannot "debootstrap is not installed"
make_base
root='' # of the stage under way
sed -e '/^#/d' -e '/^$/d' -e ':join' -e '/\\$/{N;s/\\\n *//;bjoin' -e '}' "$file" >"$work/instructions"
while read -r words <&3; do
    # shellcheck disable=SC2086 # words
    set -f && one $words
done 3<"$work/instructions"

# shellcheck disable=SC2046 # words
within "$root" $(cat "$work/command") | grep -q '^usage: ebb' || die "its command does not run"
within "$root" ebb render --label rain -o /rain.wav
within "$root" ebb render --label kick --count 2 -o /out --report /page
rm -rf --one-file-system "$work/base" "$work/build"
echo "the image runs: $(du -sh --one-file-system "$root" | cut -f1)"
