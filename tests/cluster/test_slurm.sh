#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# examples/cluster/render.sbatch under a real Slurm: a controller, and two nodes on this machine, of which one
# dies in the middle of its work. $4 is the folder of examples.
examples=$(cd "$4" && pwd)/cluster
. "$(dirname "$0")/cluster.sh"
. "$(dirname "$0")/../tools/tap.sh"

lacking=
for program in slurmctld slurmd sbatch munged unshare; do
    command -v $program >/dev/null 2>&1 || lacking="$lacking $program"
done
[ "$(id -u)" -eq 0 ] || lacking="$lacking root"
unshare --pid --fork --mount-proc true 2>/dev/null || lacking="$lacking process-spaces"
if [ -n "$lacking" ]; then
    echo "1..0 # SKIP a Slurm on this machine lacks:$lacking (Debian: slurmctld slurmd slurm-client munge)"
    exit 0
fi

# ---- a cluster ----

port=$((20000 + $$ % 20000))
head -c 1024 /dev/urandom >munge.key
chmod 400 munge.key
chmod 755 "$work" # munge wants to trust the folders above its socket
munged --force --foreground --socket="$work/munge.socket" --key-file=munge.key --pid-file="$work/munge.pid" \
    --log-file=munge.log --seed-file=munge.seed --num-threads=2 >munge.out 2>&1 &
munge=$!
cat >slurm.conf <<END
ClusterName=ebb
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CredType=cred/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool-%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdTimeout=10
SchedulerParameters=requeue_delay=1
NodeName=node[1-2] NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 2))] CPUs=1
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
SLURM_CONF=$work/slurm.conf
PATH=$(dirname "$ebb"):$PATH
export SLURM_CONF PATH
mkdir state spool-node1 spool-node2
slurmctld -D >slurmctld.out 2>&1 &
controller=$!
trap 'end_nodes; kill $controller $munge 2>/dev/null; wait; rm -rf "$work"' EXIT
begin_node node1 slurmd -D -N node1
begin_node node2 slurmd -D -N node2
two_idle() { [ "$(sinfo -h -o %D -t idle)" = 2 ]; }
if ! wait_for 60 two_idle; then
    tail -n 3 slurmctld.out node1.out munge.out | sed 's/^/# /'
    echo "1..0 # SKIP Slurm does not start here"
    exit 0
fi

# ---- a list on it ----

write_list >list.csv
# shellcheck disable=SC2086 # a list of words
"$ebb" render $options --list list.csv -o alone/ --quiet --threads 1
# shellcheck disable=SC2086
ok "a job array of four parts" sbatch --parsable --array=1-4 --cpus-per-task=1 \
    "$examples/render.sbatch" "$work/list.csv" "$work/out" $options --stale 10
ending() { [ -z "$(squeue -h)" ]; }
node2_works() { task=$(squeue -h -w node2 -t running -o %K) && grep -q made "ebb-"*"-$task.log"; }
ok "runs on both nodes" wait_for 60 node2_works
ok "when a node dies" kill_node node2
ok "the other one goes on" wait_for 60 sh -c 'squeue -h -w node1 -t running | grep -q .'
node2_down() { sinfo -h -n node2 -o %t | grep -q -e down -e '\*'; }
ok "Slurm sees it" wait_for 60 node2_down
ok "and the array ends on one node" wait_for 300 ending
# shellcheck disable=SC2086
ok "all is there, nothing twice" "$ebb" render $options --list list.csv -o out/ --check
ok "the files are those of one run alone" diff -r alone out
ok "no file was made twice" test -z "$(made_twice ebb-*.log)"
ok "a task of the dead node was begun again" grep -q -c '"status":"kept"' ebb-*.log
ok "nothing is left behind" sh -c "! find out -name '.*' -type f | grep ."
[ $failed -eq 0 ] || tail -n 4 ebb-*.log slurmctld.out | sed 's/^/# /'
done_testing
