# task: track a training (lines that are added to the program)
cat > train.py <<'PY'
import random
import sys

import mlflow


def train(lr=0.1, seed=0, steps=100):
    with mlflow.start_run():
        mlflow.log_params({"lr": lr, "seed": seed, "steps": steps})
        noise, reward = random.Random(seed), 0.0
        for step in range(steps):
            reward += lr * (10 - reward) + noise.gauss(0, 0.1)
            mlflow.log_metric("reward", reward, step)
        return reward


if __name__ == "__main__":
    train(lr=float(sys.argv[1]), seed=int(sys.argv[2]))
PY
# task: one run
python train.py 0.5 99
# task: a sweep of 3 x 5 runs on two processes
for lr in 0.01 0.1 0.5; do for seed in 0 1 2 3 4; do echo $lr $seed; done; done | xargs -n 2 -P 2 python train.py
# task: the five best runs with lr >= 0.1
python - <<'PY'
import mlflow
runs = mlflow.search_runs(order_by=["metrics.reward DESC"])
print(runs[runs["params.lr"].astype(float) >= 0.1][["run_id", "params.lr", "params.seed", "metrics.reward"]].head(5))
PY
# task: mean and spread of each lr over the seeds
python - <<'PY'
import mlflow
print(mlflow.search_runs().groupby("params.lr")["metrics.reward"].agg(["count", "mean", "std"]))
PY
# task: learning curves with a band over the seeds, as a PDF
python - <<'PY'
import matplotlib.pyplot as plt
import mlflow
import pandas as pd
client, rows = mlflow.MlflowClient(), []
for run in mlflow.search_runs(output_format="list"):
    rows += [(run.data.params["lr"], m.step, m.value) for m in client.get_metric_history(run.info.run_id, "reward")]
frame = pd.DataFrame(rows, columns=["lr", "step", "reward"])
for lr, group in frame.groupby("lr"):
    curve = group.groupby("step")["reward"].agg(["mean", "sem"])
    plt.plot(curve.index, curve["mean"], label=f"lr={lr}")
    plt.fill_between(curve.index, curve["mean"] - 2.78 * curve["sem"], curve["mean"] + 2.78 * curve["sem"], alpha=0.2)
plt.legend()
plt.savefig("curves.pdf")
PY
# task: a table with intervals in LaTeX
python - <<'PY'
import mlflow
table = mlflow.search_runs().groupby("params.lr")["metrics.reward"].agg(["mean", "sem"])
table["text"] = [f"{m:.2f} $\\pm$ {2.78 * s:.2f}" for m, s in zip(table["mean"], table["sem"])]
print(table[["text"]].to_latex(escape=False))
PY
# task: tag the good runs, and list them
python - <<'PY'
import mlflow
client = mlflow.MlflowClient()
for run in mlflow.search_runs(filter_string="metrics.reward > 9", output_format="list"):
    client.set_tag(run.info.run_id, "good", "yes")
print(mlflow.search_runs(filter_string="tags.good = 'yes'"))
PY
# task: delete the runs below a score, and take it back
python - <<'PY'
import mlflow
client = mlflow.MlflowClient()
gone = mlflow.search_runs(filter_string="metrics.reward < 9", output_format="list")
for run in gone:
    client.delete_run(run.info.run_id)
for run in gone:
    client.restore_run(run.info.run_id)
PY
# task: all rows of all runs as a table
python - <<'PY'
import mlflow
import pandas as pd
client, rows = mlflow.MlflowClient(), []
for run in mlflow.search_runs(output_format="list"):
    rows += [(run.info.run_id, m.step, m.value) for m in client.get_metric_history(run.info.run_id, "reward")]
pd.DataFrame(rows, columns=["run", "step", "reward"]).to_csv("rows.csv")
PY
