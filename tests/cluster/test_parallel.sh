#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# examples/cluster/render-parallel: GNU parallel over ssh to two nodes on this machine, of which one dies in
# the middle of its work. $4 is the folder of examples.
examples=$(cd "$4" && pwd)/cluster
. "$(dirname "$0")/cluster.sh"
. "$(dirname "$0")/../tools/tap.sh"

lacking=
for program in parallel ssh ssh-keygen /usr/sbin/sshd unshare; do
    command -v $program >/dev/null 2>&1 || lacking="$lacking $program"
done
[ "$(id -u)" -eq 0 ] || lacking="$lacking root"
unshare --pid --fork --mount-proc true 2>/dev/null || lacking="$lacking process-spaces"
parallel --version 2>/dev/null | grep -q GNU || lacking="$lacking GNU-parallel"
if [ -n "$lacking" ]; then
    echo "1..0 # SKIP nodes to reach by ssh lack:$lacking (Debian: parallel openssh-server)"
    exit 0
fi

# ---- two nodes ----

trap 'end_nodes; rm -rf "$work"' EXIT
chmod 755 "$work"
port=$((20000 + $$ % 20000))
ssh-keygen -q -t ed25519 -N '' -f host.key
ssh-keygen -q -t ed25519 -N '' -f user.key
mkdir -p /run/sshd
for i in 1 2; do
    cat >sshd-$i.conf <<END
Port $((port + i))
ListenAddress 127.0.0.1
HostKey $work/host.key
AuthorizedKeysFile $work/user.key.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
AcceptEnv EBB_MODEL_PATH
END
    begin_node node$i /usr/sbin/sshd -D -f "$work/sshd-$i.conf"
    cat >>ssh.conf <<END
Host node$i
    HostName 127.0.0.1
    Port $((port + i))
END
    echo "ssh -F $work/ssh.conf node$i" >>hosts
done
cat >>ssh.conf <<END
Host *
    User root
    IdentityFile $work/user.key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    BatchMode yes
    SendEnv EBB_MODEL_PATH
END
reached() { ssh -F ssh.conf node1 true && ssh -F ssh.conf node2 true; }
if ! wait_for 20 reached; then
    ssh -F ssh.conf node1 true 2>&1 | cat - node1.out | sed 's/^/# /'
    echo "1..0 # SKIP sshd does not start here"
    exit 0
fi

# ---- a list on them ----

write_list >list.csv
# shellcheck disable=SC2086 # a list of words
"$ebb" render $options --list list.csv -o alone/ --quiet --threads 1
# shellcheck disable=SC2086
EBB=$ebb HOME=$work "$examples/render-parallel" "$work/hosts" 8 "$work/list.csv" "$work/out" $options \
    --stale 10 --threads 1 >made.log 2>parallel.log &
work_pid=$!
several() { [ "$(find out -name '*.wav' | wc -l)" -ge 3 ]; }
ok "two nodes begin" wait_for 60 several
ok "when one dies" kill_node node2
wait $work_pid
code=$?
ok "the other one does its parts too (exit status $code)" test $code -eq 0
# shellcheck disable=SC2086
ok "all is there, nothing twice" "$ebb" render $options --list list.csv -o out/ --check
ok "the files are those of one run alone" diff -r alone out
ok "no file was made twice" test -z "$(made_twice made.log)"
ok "nothing is left behind" sh -c "! find out -name '.*' -type f | grep ."
[ $failed -eq 0 ] || tail -n 8 parallel.log made.log | sed 's/^/# /'
done_testing
