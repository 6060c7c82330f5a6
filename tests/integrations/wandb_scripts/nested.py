"""An actor and a learner that log parts of the same step, with nested names; the config is a file."""

import wandb

with open("config.yaml", "w") as file:
    file.write("agent:\n  value:\n    lr: 0.001\n    layers: [64, 64]\nseed:\n  desc: of everything\n  value: 7\n")

wandb.init(project="nested", config="config.yaml")
wandb.config.setdefaults({"seed": 1, "gamma": 0.99})
wandb.config["horizon"] = 5


def act(step):
    wandb.log({"actor": {"reward": {"mean": step * 1.0, "max": step * 2.0}, "length": 10 + step}}, commit=False)


def learn(step):
    wandb.log({"learner": {"loss": 1 / (step + 1), "lr": wandb.config.agent["lr"]}}, commit=False)


for step in range(wandb.config.horizon):
    act(step)
    learn(step)
    wandb.log({"step": step, "phase": "warm-up" if step < 2 else "main", "is_eval": step % 2 == 0})
wandb.log({"left": "open"}, commit=False)
wandb.finish()
