"""Several seeds in one program, each a run of one group; one of them diverges."""

import random

import wandb


def train(seed, lr):
    run = wandb.init(project="seeds", group="lr-0.1", name=f"seed-{seed}", config={"seed": seed, "lr": lr}, reinit=True)
    rng = random.Random(seed)
    value = 0.0
    for _ in range(5):
        value += lr * (rng.random() - value)
        run.log({"value": value})
    run.summary["final"] = value
    run.finish()
    return value


results = [train(seed, lr=0.1) for seed in range(2)]
assert wandb.run is None
try:
    with wandb.init(project="seeds", group="lr-0.1", name="diverging", config={"seed": 2, "lr": 1e9}) as run:
        run.log({"value": float("nan")})
        raise FloatingPointError("the value is NaN")
except FloatingPointError as error:
    print("caught:", error)
wandb.init(project="seeds", name="all", job_type="summary")
wandb.log({"mean": sum(results) / len(results)})
wandb.finish(exit_code=0)
