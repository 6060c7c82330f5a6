#!/bin/bash
# A real Slurm of one node: jobs are preempted, queued again, and resumed.
#
#   tests/cluster/slurm.sh [--install]      as root, on Debian or Ubuntu, or in a container of it
#
# --install: install the distribution's packages (slurmctld, slurmd, slurm-client, munge). Everything else is in a
# temporary folder; the daemons that this script starts are ended with it. PYTHON: the Python that has rla_hooks.
set -eu
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-$PWD/.venv/bin/python}
if [ "${1:-}" = --install ]; then
    apt-get update -qq && apt-get install -y -qq slurmctld slurmd slurm-client munge
fi
. tests/cluster/node.sh

cat > "$ROOT/jobs/job.sh" <<JOB
#!/bin/bash
#SBATCH --job-name=train
#SBATCH --ntasks=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=$ROOT/jobs/%x-%j.out
export RLA_REQUEUE=1 PYTHONDONTWRITEBYTECODE=1
srun --overlap $PYTHON $PWD/tests/cluster/train.py "\${SLURM_ARRAY_TASK_ID:-7}"
JOB
cd "$ROOT/jobs"
printf 'LOG_ROOT: %s\n' "$ROOT/jobs/root" > rla_config.yaml

wait_for() {  # wait_for SECONDS COMMAND...: until it succeeds
    local limit=$((SECONDS + $1)); shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $limit ] || { echo "waited in vain for: $*"; squeue; tail -n 5 "$ROOT"/*.log; cat ./*.out; exit 1; }
        sleep 0.5
    done
}
finished() {  # finished N: whether so many runs say so. A job that was queued again waits two minutes, unless told to start
    squeue -h -r -o "%i %T %r" >> squeue.txt
    squeue -h -t PENDING -r -o %i | xargs -r -I{} scontrol update JobId={} StartTime=now 2> /dev/null
    [ "$(grep -ls '"status": "finished"' root/log/slurm/*/*/*/*/run.json | wc -l)" -ge "$1" ]
}

echo "== one job: sbatch --time=1 --signal=USR1@55"
sbatch --time=1 --signal=USR1@55 job.sh
wait_for 200 finished 1
echo "== an array of three seeds, preempted by scancel --signal=USR1"
ARRAY=$(sbatch --parsable --time=5 --array=1-3 job.sh)
for seed in 1 2 3; do
    wait_for 60 bash -c "tail -n +3 root/log/slurm/*/*/*/*seed=$seed/progress.csv"
done
sleep 2
for seed in 1 2 3; do scancel --signal=USR1 "${ARRAY}_$seed"; done
wait_for 240 finished 4
echo "== how Slurm saw the jobs: id, state, reason"
sort squeue.txt | uniq -c
echo "== what they printed"
tail -n 20 ./*.out
echo "== what the runs say"
"$PYTHON" - <<'CHECK'
import rla_hooks as rla

runs = rla.runs("root")
for run in runs:
    lives = [(life["status"], life.get("signal"), life.get("step")) for life in run.info["restarts"]]
    steps = run.metrics()["time-step"].tolist()
    print(f"seed {run.hparams['seed']}: {run.status}, {len(steps)} rows, lives before: {lives}")
    assert run.status == "finished" and steps == list(range(200)), steps
    assert lives and {life[0] for life in lives} == {"preempted"}, lives
assert sorted(run.hparams["seed"] for run in runs) == [1, 2, 3, 7]
CHECK
echo "== good"
