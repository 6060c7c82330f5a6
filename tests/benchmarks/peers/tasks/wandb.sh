# task: track a training (lines that are added to the program)
cat > train.py <<'PY'
import random
import sys

import wandb


def train(lr=0.1, seed=0, steps=100):
    run = wandb.init(project="sweep", config={"lr": lr, "seed": seed, "steps": steps})
    noise, reward = random.Random(seed), 0.0
    for step in range(steps):
        reward += lr * (10 - reward) + noise.gauss(0, 0.1)
        run.log({"reward": reward}, step=step)
    run.finish()
    return reward


if __name__ == "__main__":
    train(lr=float(sys.argv[1]), seed=int(sys.argv[2]))
PY
# task: one run
python train.py 0.5 99
# task: a sweep of 3 x 5 runs on two processes
for lr in 0.01 0.1 0.5; do for seed in 0 1 2 3 4; do echo $lr $seed; done; done | xargs -n 2 -P 2 python train.py
