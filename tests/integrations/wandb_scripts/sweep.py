"""A sweep over the learning rate of a bandit, run by an agent in the program itself."""

import random

import wandb

sweep_config = {
    "method": "random",
    "metric": {"name": "regret", "goal": "minimize"},
    "parameters": {
        "lr": {"values": [0.1, 0.3, 1.0]},
        "epsilon": {"min": 0.0, "max": 0.2},
        "arms": {"value": 5},
    },
}
defaults = {"lr": 0.01, "steps": 50}


def train():
    with wandb.init(config=defaults) as run:
        config = run.config
        rng = random.Random(0)
        means = [rng.random() for _ in range(config.arms)]
        values, regret = [0.0] * config.arms, 0.0
        for _ in range(config.steps):
            greedy = max(range(config.arms), key=values.__getitem__)
            arm = rng.randrange(config.arms) if rng.random() < config.epsilon else greedy
            reward = rng.gauss(means[arm], 0.1)
            values[arm] += config.lr * (reward - values[arm])
            regret += max(means) - means[arm]
            run.log({"reward": reward, "regret": regret})


if __name__ == "__main__":
    wandb.login()
    sweep_id = wandb.sweep(sweep_config, project="bandit-sweep")
    wandb.agent(sweep_id, function=train, count=3)
