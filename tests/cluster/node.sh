#!/bin/bash
# A real Slurm of one node, in a temporary folder, for the length of a command; or, sourced, of the script that does so.
#
#   tests/cluster/node.sh COMMAND...      as root; slurmctld, slurmd, slurm-client and munge must be installed
#
# ROOT: the folder; SLURM_CONF is set. The daemons end with the command.
set -eu
ROOT=$(mktemp -d /tmp/slurm.XXXXXX)
chmod 755 "$ROOT"
mkdir "$ROOT/state" "$ROOT/spool" "$ROOT/munge" "$ROOT/jobs"
PIDS=()
finish() { kill "${PIDS[@]}" 2>/dev/null || true; wait; }
trap finish EXIT

HOST=$(hostname -s)
cat > "$ROOT/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$ROOT/munge/socket
StateSaveLocation=$ROOT/state
SlurmdSpoolDir=$ROOT/spool
SlurmctldPidFile=$ROOT/slurmctld.pid
SlurmdPidFile=$ROOT/slurmd.pid
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=10
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$HOST Default=YES MaxTime=10 OverSubscribe=FORCE:4
CONF
export SLURM_CONF=$ROOT/slurm.conf
dd if=/dev/urandom of="$ROOT/munge/key" bs=1 count=1024 2>/dev/null
chmod 700 "$ROOT/munge" && chmod 400 "$ROOT/munge/key" && chmod 711 "$ROOT/munge"
munged --foreground --force --socket "$ROOT/munge/socket" --key-file "$ROOT/munge/key" --pid-file "$ROOT/munge/pid" \
    --log-file "$ROOT/munge/log" --seed-file "$ROOT/munge/seed" --num-threads 2 2> "$ROOT/munged.err" &
PIDS+=($!)
sleep 1
slurmctld -D > "$ROOT/slurmctld.log" 2>&1 &
PIDS+=($!)
slurmd -D -N "$HOST" > "$ROOT/slurmd.log" 2>&1 &
PIDS+=($!)
for _ in $(seq 60); do sinfo -h -o %t 2>/dev/null | grep -q idle && break; sleep 0.5; done
sinfo || { tail -n 20 "$ROOT"/*.log "$ROOT"/*.err; exit 1; }
if [ "$0" = "${BASH_SOURCE[0]}" ]; then
    "$@"
fi
