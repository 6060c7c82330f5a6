"""An older style: config by attributes, the run as a value, alerts, artifacts; it ends by an exception."""

import random

import wandb

hyperparameter_defaults = {"epsilon": 0.1, "arms": 4, "steps": 30}
run = wandb.init(config=hyperparameter_defaults, project="bandit", save_code=True, reinit=True)
config = wandb.config
config.seed = 3
config.update({"steps": 20}, allow_val_change=True)

rng = random.Random(config.seed)
means = [rng.random() for _ in range(config.arms)]
counts, values = [0] * config.arms, [0.0] * config.arms
for t in range(config.steps):
    arm = rng.randrange(config.arms) if rng.random() < config.epsilon else values.index(max(values))
    reward = means[arm] + rng.gauss(0, 0.1)
    counts[arm] += 1
    values[arm] += (reward - values[arm]) / counts[arm]
    metrics = {"reward": reward, **{f"value/arm_{i}": value for i, value in enumerate(values)}}
    if t % 10 == 9:
        metrics["counts"] = wandb.Histogram(counts)
    run.log(metrics)
    if t == 5:
        wandb.alert(title="Slow", text="no arm is good yet", level=wandb.AlertLevel.WARN)

with open("values.txt", "w") as file:
    file.write(str(values))
artifact = wandb.Artifact("values", type="model", metadata=dict(config))
artifact.add_file("values.txt")
run.log_artifact(artifact)
wandb.run.summary.update({"best_arm": values.index(max(values)), "regret": max(means) - max(values)})
raise RuntimeError("the cluster has lost the node")
