# task: track a training (lines that are added to the program)
cat > train.py <<'PY'
import random
import sys

import rla_hooks as rla


@rla.track(record=["lr", "seed"])
def train(lr=0.1, seed=0, steps=100):
    noise, reward = random.Random(seed), 0.0
    for step in range(steps):
        reward += lr * (10 - reward) + noise.gauss(0, 0.1)
        rla.log({"reward": reward}, step)
    return reward


if __name__ == "__main__":
    train(lr=float(sys.argv[1]), seed=int(sys.argv[2]))
PY
# task: one run
python train.py 0.5 99
# task: a sweep of 3 x 5 runs on two processes
rla sweep train.py:train lr=0.01,0.1,0.5 seed=0..4 --jobs 2 --yes
# task: the five best runs with lr >= 0.1
rla runs --where "lr >= 0.1" --sort -last.reward -n 5 -c reward
# task: mean and spread of each lr over the seeds
rla runs --by lr -c reward
# task: learning curves with a band over the seeds, as a PDF
rla plot reward --by lr --save curves.pdf
# task: a table with intervals in LaTeX
rla table reward --by lr --format latex
# task: tag the good runs, and list them
rla tag --where "last.reward > 9" good
rla runs --where "'good' in tags"
# task: which code and packages a run had, against another
rla compare latest latest~5
# task: delete the runs below a score, and take it back
rla rm --where "last.reward < 9" --yes
rla undo
# task: all rows of all runs as a table
rla export -c reward -o rows.csv
# task: copy the runs to another store
rla push file://$PWD/other
