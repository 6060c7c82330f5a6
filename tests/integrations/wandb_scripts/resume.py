"""A training that dies in the middle, and goes on where it was when it is started again."""

import json
import os
import sys

import wandb

ID_FILE, CHECKPOINT = "run_id.txt", "checkpoint.json"

if os.path.exists(ID_FILE):
    with open(ID_FILE) as file:
        run_id = file.read()
else:
    run_id = wandb.util.generate_id()
    with open(ID_FILE, "w") as file:
        file.write(run_id)

run = wandb.init(project="resumed", id=run_id, resume="allow", config={"lr": 0.1, "steps": 10})
step, x = 0, 1.0
if wandb.run.resumed:
    with open(wandb.restore(CHECKPOINT).name) as file:
        state = json.load(file)
    step, x = state["step"], state["x"]
    print("resumed at", step, "of", run.step)

while step < wandb.config.steps:
    x -= wandb.config.lr * 2 * x
    wandb.log({"x": x, "loss": x * x})
    step += 1
    if step == 6 and not run.resumed:
        with open(CHECKPOINT, "w") as file:
            json.dump({"step": step, "x": x}, file)
        wandb.save(CHECKPOINT)
        sys.exit("out of memory")
wandb.summary["final_loss"] = x * x
