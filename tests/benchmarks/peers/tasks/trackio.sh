# task: track a training (lines that are added to the program)
cat > train.py <<'PY'
import random
import sys

import trackio


def train(lr=0.1, seed=0, steps=100):
    trackio.init(project="sweep", config={"lr": lr, "seed": seed, "steps": steps})
    noise, reward = random.Random(seed), 0.0
    for step in range(steps):
        reward += lr * (10 - reward) + noise.gauss(0, 0.1)
        trackio.log({"reward": reward}, step=step)
    trackio.finish()
    return reward


if __name__ == "__main__":
    train(lr=float(sys.argv[1]), seed=int(sys.argv[2]))
PY
# task: one run
python train.py 0.5 99
# task: a sweep of 3 x 5 runs on two processes
for lr in 0.01 0.1 0.5; do for seed in 0 1 2 3 4; do echo $lr $seed; done; done | xargs -n 2 -P 2 python train.py
# task: the five best runs with lr >= 0.1
cat > last.sql <<'SQL'
with last as (select run_id, json_extract(metrics, '$.reward') as reward, max(step) from metrics group by run_id)
select run_id, json_extract(config, '$.lr') as lr, reward from last join configs using (run_id)
SQL
trackio query project --project sweep --sql "select * from ($(cat last.sql)) where lr >= 0.1 order by reward desc limit 5"
# task: mean and spread of each lr over the seeds
trackio query project --project sweep --sql "select lr, count(*), avg(reward), sqrt(avg(reward * reward) - avg(reward) * avg(reward)) from ($(cat last.sql)) group by lr"
# task: all rows of all runs as a table
trackio query project --project sweep --sql "select run_id, step, json_extract(metrics, '$.reward') from metrics" > rows.txt
