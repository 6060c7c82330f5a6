# task: prepare the project (git, dvc)
git init -q
dvc init -q
dvc stage add -q -n train -d train.py -p lr,seed -M dvclive/metrics.json --plots-no-cache dvclive/plots 'python train.py'
git add .
git commit -qm "a project"
# task: track a training (lines that are added to the program)
cat > train.py <<'PY'
import random

import dvc.api
from dvclive import Live


def train(lr=0.1, seed=0, steps=100):
    with Live() as live:
        noise, reward = random.Random(seed), 0.0
        for step in range(steps):
            reward += lr * (10 - reward) + noise.gauss(0, 0.1)
            live.log_metric("reward", reward)
            live.next_step()
        return reward


if __name__ == "__main__":
    train(**dvc.api.params_show())
PY
cat > params.yaml <<'PY'
lr: 0.1
seed: 0
PY
git add . ; git commit -qm train
# task: one run
dvc exp run -S lr=0.5 -S seed=99
# task: a sweep of 3 x 5 runs on two processes
dvc exp run --queue -S "lr=0.01,0.1,0.5" -S "seed=range(0,5)"
dvc queue start -j 2
while dvc queue status | grep -qE "Queued|Running"; do sleep 1; done
# task: the five best runs with lr >= 0.1
dvc exp show --sort-by reward --sort-order desc --csv > runs.csv
python -c "import pandas; print(pandas.read_csv('runs.csv', na_values='!').query('lr >= 0.1').head(5))"
# task: mean and spread of each lr over the seeds
dvc exp show --csv > runs.csv
python -c "import pandas; print(pandas.read_csv('runs.csv', na_values='!').groupby('lr')['reward'].agg(['mean', 'std']))"
# task: which code and packages a run had, against another
git diff $(dvc exp list --sha-only | head -2)
