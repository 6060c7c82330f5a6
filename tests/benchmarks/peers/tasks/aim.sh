# task: prepare
aim init --yes
# task: track a training (lines that are added to the program)
cat > train.py <<'PY'
import random
import sys

import aim


def train(lr=0.1, seed=0, steps=100):
    run = aim.Run()
    run["hparams"] = {"lr": lr, "seed": seed, "steps": steps}
    noise, reward = random.Random(seed), 0.0
    for step in range(steps):
        reward += lr * (10 - reward) + noise.gauss(0, 0.1)
        run.track(reward, name="reward", step=step)
    return reward


if __name__ == "__main__":
    train(lr=float(sys.argv[1]), seed=int(sys.argv[2]))
PY
# task: one run
python train.py 0.5 99
# task: a sweep of 3 x 5 runs on two processes
for lr in 0.01 0.1 0.5; do for seed in 0 1 2 3 4; do echo $lr $seed; done; done | xargs -n 2 -P 2 python train.py
# task: the five best runs with lr >= 0.1
aim storage reindex --yes
python - <<'PY'
import aim
from aim.sdk.types import QueryReportMode
found = aim.Repo(".").query_metrics("metric.name == 'reward' and run.hparams.lr >= 0.1", report_mode=QueryReportMode.DISABLED)
last = [(each.values.last_value(), each.run["hparams"], each.run.hash) for run in found.iter_runs() for each in run]
print(*sorted(last, key=lambda each: -each[0])[:5], sep="\n")
PY
# task: mean and spread of each lr over the seeds
python - <<'PY'
import aim
from aim.sdk.types import QueryReportMode
import pandas as pd
found = aim.Repo(".").query_metrics("metric.name == 'reward'", report_mode=QueryReportMode.DISABLED)
rows = [(each.run["hparams"]["lr"], each.values.last_value()) for run in found.iter_runs() for each in run]
print(pd.DataFrame(rows, columns=["lr", "reward"]).groupby("lr").agg(["mean", "std"]))
PY
# task: tag the good runs, and list them
python - <<'PY'
import aim
from aim.sdk.types import QueryReportMode
for run in aim.Repo(".").query_metrics("metric.name == 'reward' and metric.last > 9", report_mode=QueryReportMode.DISABLED).iter_runs():
    aim.Run(run.run.hash).add_tag("good")
print([each.run.hash for each in aim.Repo(".").query_runs("'good' in run.tags", report_mode=QueryReportMode.DISABLED).iter_runs()])
PY
# task: all rows of all runs as a table
python - <<'PY'
import aim
from aim.sdk.types import QueryReportMode
found = aim.Repo(".").query_metrics("metric.name == 'reward'", report_mode=QueryReportMode.DISABLED)
found.dataframe().to_csv("rows.csv")
PY
