# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2034,SC2154 # who sources this uses what is set here
# Sourced by the scripts here, after tap.sh: nodes of a cluster on one machine. A node is a process space of
# its own, so that killing its first process kills all of it at once, as a node that loses power.
nodes=
begin_node() { # NAME COMMAND...: $(node_pid NAME) is what to kill
    name=$1
    shift
    unshare --pid --fork --kill-child --mount-proc "$@" >"$name.out" 2>&1 &
    echo $! >"$name.node"
    nodes="$nodes $name"
}
kill_node() { kill -KILL "$(cat "$1.node")"; }
end_nodes() {
    for name in $nodes; do kill_node "$name" 2>/dev/null || true; done
}

# A list that takes two nodes some seconds.
write_list() {
    echo label,seconds,folder
    for i in $(seq 6); do
        printf 'rain,3,{label}\nkick,4,{label}\nbell,3,{label}\nwind,4,{label}\n'
    done
}
options="--model tiny-sfx --device cpu --phase-iterations 2 --steps 20"

# wait_for SECONDS COMMAND...
wait_for() {
    end=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt $end ] || return 1
        sleep 0.2
    done
}

# How often the lines of JSON say that a file was made; the last line of a killed run may be cut off.
made_twice() { cat "$@" | grep -h '"status":"made"' | sed 's/.*"file":"\([^"]*\)".*/\1/' | sort | uniq -d; }
