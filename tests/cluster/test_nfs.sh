#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two runs in one folder of a real NFS server (NFS Ganesha), over two mounts of their own, of which one is
# lost with what it was doing. The client is nfs_mount.c, so that no kernel needs to know NFS. $5 is the
# client. Network, mounts and processes are in spaces of their own, which end with the test.
PATH=$PATH:/usr/sbin:/sbin
if [ -z "$EBB_NFS_SPACE" ]; then
    lacking=
    for program in unshare rpcbind ganesha.nfsd ip mountpoint "${5:-nfs-mount}"; do
        command -v "$program" >/dev/null 2>&1 || lacking="$lacking $program"
    done
    [ "$(id -u)" -eq 0 ] && [ -c /dev/fuse ] || lacking="$lacking root-and-/dev/fuse"
    unshare --net --mount --pid --fork true 2>/dev/null || lacking="$lacking spaces"
    if [ -n "$lacking" ]; then
        echo "1..0 # SKIP an NFS server and its client lack:$lacking" \
            "(Debian: rpcbind nfs-ganesha nfs-ganesha-vfs libnfs-dev libfuse3-dev)"
        exit 0
    fi
    export EBB_NFS_SPACE=1
    exec unshare --net --mount --pid --fork --kill-child --mount-proc sh "$0" "$@"
fi
case $5 in /*) client=$5 ;; *) client=$PWD/$5 ;; esac
. "$(dirname "$0")/../tools/tap.sh"

# ---- a server, and two machines that have its folder ----

ip link set lo up
mount -t tmpfs tmpfs /run
mkdir -p /run/ganesha export one two
mount -t tmpfs tmpfs /var/lib/nfs 2>/dev/null || mkdir -p /var/lib/nfs
cat >ganesha.conf <<END
NFS_CORE_PARAM { Protocols = 3; Enable_NLM = false; Enable_RQUOTA = false; }
EXPORT { Export_Id = 1; Path = $PWD/export; Pseudo = /export; Access_Type = RW; Protocols = 3;
    Transports = TCP; SecType = sys; Squash = none; FSAL { Name = VFS; } }
END
rpcbind -w 2>/dev/null || rpcbind
ganesha.nfsd -F -f ganesha.conf -L ganesha.log -p ganesha.pid >/dev/null 2>&1 &
mounts() { # mounts FOLDER: tries until the server is up
    for _ in $(seq 40); do
        "$client" "nfs://127.0.0.1$PWD/export?version=3" "$1" -s -f 2>/dev/null &
        echo $! >"$1.pid"
        sleep 0.5
        mountpoint -q "$1" && return 0
        wait $! 2>/dev/null
    done
    return 1
}
both() { mounts one && mounts two && touch one/x && [ -e two/x ] && rm two/x; }
ok "two mounts of one export" both
[ $failed -eq 0 ] || { tail -3 ganesha.log | sed 's/^/# /'; done_testing; }

# ---- one list, one folder ----

{
    echo label,seed
    for i in $(seq 40); do echo "rain,$i"; done
} >list.csv
render="$ebb render --model tiny-sfx --device cpu --threads 1 --list list.csv --steps 2 --phase-iterations 1
    --stale 10 -q"
together() { # both at once
    $render -o "one/$1" 2>first-err &
    first=$!
    $render -o "two/$1" 2>second-err &
    second=$!
    wait $first && wait $second
    cat first-err second-err
    [ ! -s first-err ] && [ ! -s second-err ]
}
ok "two runs, over one mount each" together all
ok "all is there" $render -o one/all --check
ok "and there is nothing else" sh -c '[ "$(ls -A export/all | wc -l)" -eq 40 ]'
$render -o plain
ok "the files are those of one run on a disk" diff -r export/all plain

# ---- one machine after the other is lost ----

killed() { # runs that are killed again and again, then one that ends
    for i in $(seq 6); do
        $render -o one/killed 2>/dev/null &
        first=$!
        $render -o two/killed 2>/dev/null &
        second=$!
        sleep 1
        kill -KILL $first $second
        wait $first $second 2>/dev/null
    done
    $render -o one/killed && $render -o one/killed --check && diff -r export/killed plain &&
        [ "$(ls -A export/killed | wc -l)" -eq 40 ]
}
ok "runs that are killed" killed
lost() {
    $render -o one/lost &
    first=$!
    $render -o two/lost 2>/dev/null &
    second=$!
    sleep 1
    kill -KILL "$(cat two.pid)" $second # the mount, and what it was writing
    wait $first && $render -o one/lost --check && diff -r export/lost plain
}
ok "a mount that is lost with its run" lost
umount -l one two 2>/dev/null
done_testing
