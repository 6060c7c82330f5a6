"""DQN, which logs by the environment's step and watches its network."""

import argparse
import os
import random
from collections import deque

import gymnasium as gym
import torch
import torch.nn.functional as F
import wandb
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--gamma", type=float, default=0.99)
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--total-steps", type=int, default=120)
parser.add_argument("--seed", type=int, default=0)


class QNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, x):
        return self.net(x)


def main():
    wandb.init(project="dqn-cartpole", group="baseline", tags=["dqn", "debug"], config=parser.parse_args())
    config = wandb.config
    random.seed(config.seed)
    torch.manual_seed(config.seed)
    env = gym.make("CartPole-v1")
    q, target = QNetwork(), QNetwork()
    target.load_state_dict(q.state_dict())
    optimizer = torch.optim.Adam(q.parameters(), lr=config.lr)
    wandb.watch(q, log="all", log_freq=10)
    buffer = deque(maxlen=1000)

    obs, _ = env.reset(seed=config.seed)
    episode, episode_reward, best = 0, 0.0, 0.0
    for global_step in range(config.total_steps):
        epsilon = max(0.05, 1 - global_step / 100)
        if random.random() < epsilon:
            action = random.randrange(2)
        else:
            with torch.no_grad():
                action = q(torch.as_tensor(obs)).argmax().item()
        next_obs, reward, terminated, truncated, _ = env.step(action)
        buffer.append((obs, action, reward, next_obs, terminated))
        obs = next_obs
        episode_reward += reward
        if len(buffer) >= config.batch_size:
            batch = random.sample(buffer, config.batch_size)
            states, actions, rewards, nexts, dones = (
                torch.as_tensor([list(x) if hasattr(x, "__len__") else x for x in column]) for column in zip(*batch)
            )
            with torch.no_grad():
                y = rewards + config.gamma * (1 - dones.float()) * target(nexts).max(1).values
            loss = F.mse_loss(q(states).gather(1, actions[:, None]).squeeze(1), y.float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            wandb.log({"train/loss": loss, "train/epsilon": epsilon}, step=global_step)
        if terminated or truncated:
            wandb.log({"episode/return": episode_reward, "episode/number": episode}, step=global_step)
            if episode_reward > best:
                best = episode_reward
                wandb.run.summary["best_return"] = best
                torch.save(q.state_dict(), os.path.join(wandb.run.dir, "best.pt"))
            obs, _ = env.reset()
            episode, episode_reward = episode + 1, 0.0
        if global_step % 40 == 0:
            target.load_state_dict(q.state_dict())
    wandb.unwatch(q)
    torch.save(q.state_dict(), "final.pt")
    wandb.save("final.pt")


if __name__ == "__main__":
    main()
