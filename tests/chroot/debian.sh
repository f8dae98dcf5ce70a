#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs a command in a Debian of its own: a chroot with a clean checkout of Ebb, of the last commit, in it.
# usage: debian.sh [--fresh] [--user] RELEASE[:ARCHITECTURE] COMMAND...
#   debian.sh trixie ./dev test
#   debian.sh --fresh --user bookworm ./dev demo
#   debian.sh bookworm:i386 ./dev build
# --fresh: make the chroot anew, with nothing installed. --user: as somebody who may use sudo, not as root.
# The chroots are kept in EBB_CHROOTS. Needs root, debootstrap and the network: exits with 77 where one is
# missing.
set -eu
chroots=${EBB_CHROOTS:-/var/tmp/ebb-chroots}
source=$(cd "$(dirname "$0")/../.." && pwd)
fresh='' user=root home=/root

usage() { sed -n 's/^# usage: //p' "$0" >&2; exit 2; }
cannot() { echo "not tried in a chroot: $1" >&2; exit 77; }
quietly() { "$@" >>"$root.log" 2>&1; }
within() { quietly chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@"; }

make_chroot() {
    [ -z "$fresh" ] || rm -rf --one-file-system "$root"
    [ ! -f "$root/.ready" ] || return 0
    rm -rf --one-file-system "$root"
    : >"$root.log"
    quietly debootstrap ${architecture:+"--arch=$architecture"} --variant=minbase \
        --include=git,ca-certificates "$release" "$root" || cannot "debootstrap failed, see $root.log"
    # How this machine reaches the archive is how the chroot does.
    cp /etc/resolv.conf "$root/etc/"
    grep -lr Acquire /etc/apt/apt.conf.d | while read -r file; do cp "$file" "$root$file"; done
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$(hostname)" >"$root/etc/hosts" # sudo asks for the name
    touch "$root/.ready"
}

make_user() {
    user=ann home=/home/ann
    within id "$user" && return
    { within apt-get -q update && within apt-get install -q -y --no-install-recommends sudo; } ||
        cannot "sudo cannot be installed, see $root.log"
    within useradd --create-home --shell /bin/sh "$user"
    echo "$user ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/$user"
}

check_out() {
    rm -rf --one-file-system "$root$home/ebb"
    git clone -q --depth 1 "file://$source" "$root$home/ebb"
    chroot "$root" chown -R "$user:$user" "$home/ebb"
}

# The mounts are seen by the command alone, and gone with it.
run() {
    # shellcheck disable=SC2016 # for the other shell
    unshare --mount sh -euc '
        root=$1 user=$2 home=$3
        shift 3
        mount --rbind /dev "$root/dev"
        mount -t proc proc "$root/proc"
        exec chroot "$root" runuser -u "$user" -- env -i \
            -C "$home/ebb" HOME="$home" USER="$user" LANG=C.UTF-8 \
            TERM="${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
        ' sh "$root" "$user" "$home" "$@"
}

as=
while :; do
    case "${1:-}" in
    --fresh) fresh=yes ;;
    --user) as=user ;;
    *) break ;;
    esac
    shift
done
[ $# -ge 2 ] || usage
release=${1%:*} architecture=
[ "$release" = "$1" ] || architecture=${1#*:}
shift
root=$chroots/$release${architecture:+-$architecture}

[ "$(id -u)" -eq 0 ] || cannot "only root can make one"
command -v debootstrap >/dev/null 2>&1 || cannot "debootstrap is not installed"
mkdir -p "$chroots"
exec 9>"$root.lock"
flock 9 # one at a time in each
make_chroot
[ -z "$as" ] || make_user
check_out
run "$@"
