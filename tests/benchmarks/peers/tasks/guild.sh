# task: track a training (lines that are added to the program)
cat > train.py <<'PY'
import random

lr = 0.1
seed = 0


def train(lr=0.1, seed=0, steps=100):
    noise, reward = random.Random(seed), 0.0
    for step in range(steps):
        reward += lr * (10 - reward) + noise.gauss(0, 0.1)
        print(f"step: {step}")
        print(f"reward: {reward}")
    return reward


if __name__ == "__main__":
    train(lr=lr, seed=seed)
PY
# task: one run
guild run train.py lr=0.5 seed=99 --yes
# task: a sweep of 3 x 5 runs on two processes
guild run train.py lr=[0.01,0.1,0.5] seed=range[0:4] --stage-trials --yes
guild run queue --background --yes poll-interval=1 run-once=yes
guild run queue --yes run-once=yes
# task: the five best runs with lr >= 0.1
guild compare -F "lr >= 0.1" --max reward --table -n 5
# task: mean and spread of each lr over the seeds
guild compare --csv runs.csv
python -c "import pandas; print(pandas.read_csv('runs.csv').groupby('lr')['reward'].agg(['mean', 'std']))"
# task: tag the good runs, and list them
guild tag --add good -F "reward > 9" --yes :
guild runs -Ft good
# task: which code and packages a run had, against another
guild diff --sourcecode 1 2 || true
# task: delete the runs below a score, and take it back
guild runs delete -F "reward < 9" --yes
guild runs restore --yes
