"""PPO in one file, whose metrics go to a SummaryWriter, from which the tracker takes them."""

import argparse
import random
import time

import gymnasium as gym
import numpy as np
import torch
import wandb
from tensorboardX import SummaryWriter
from torch import nn
from torch.distributions.categorical import Categorical


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--exp-name", default="ppo")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--track", action="store_true")
    parser.add_argument("--wandb-project-name", default="cleanRL")
    parser.add_argument("--wandb-entity", default=None)
    parser.add_argument("--env-id", default="CartPole-v1")
    parser.add_argument("--total-timesteps", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2.5e-4)
    parser.add_argument("--num-steps", type=int, default=64)
    parser.add_argument("--clip-coef", type=float, default=0.2)
    return parser.parse_args()


class Agent(nn.Module):
    def __init__(self, inputs, actions):
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, 1))
        self.actor = nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, actions))

    def forward(self, x, action=None):
        dist = Categorical(logits=self.actor(x))
        action = dist.sample() if action is None else action
        return action, dist.log_prob(action), self.critic(x).flatten()


if __name__ == "__main__":
    args = parse_args()
    run_name = f"{args.env_id}__{args.exp_name}__{args.seed}__{int(time.time())}"
    if args.track:
        wandb.init(
            project=args.wandb_project_name,
            entity=args.wandb_entity,
            sync_tensorboard=True,
            config=vars(args),
            name=run_name,
            monitor_gym=True,
            save_code=True,
        )
    writer = SummaryWriter(f"runs/{run_name}")
    rows = [f"|{key}|{value}|" for key, value in vars(args).items()]
    writer.add_text("hyperparameters", "\n".join(["|param|value|", "|-|-|", *rows]))

    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    env = gym.make(args.env_id)
    agent = Agent(env.observation_space.shape[0], env.action_space.n)
    optimizer = torch.optim.Adam(agent.parameters(), lr=args.learning_rate)

    global_step, episodic_return = 0, 0.0
    obs, _ = env.reset(seed=args.seed)
    for _ in range(args.total_timesteps // args.num_steps):
        batch = []
        for _ in range(args.num_steps):
            global_step += 1
            x = torch.tensor(obs).unsqueeze(0)
            with torch.no_grad():
                action, logprob, value = agent(x)
            obs, reward, terminated, truncated, _ = env.step(action.item())
            episodic_return += reward
            batch.append((x[0], action[0], logprob[0], value[0], reward))
            if terminated or truncated:
                writer.add_scalar("charts/episodic_return", episodic_return, global_step)
                obs, _ = env.reset()
                episodic_return = 0.0
        xs, actions, logprobs, values = (torch.stack(column) for column in list(zip(*batch))[:4])
        returns = torch.tensor([step[4] for step in batch]).flip(0).cumsum(0).flip(0)
        advantages = returns - values
        _, newlogprob, newvalue = agent(xs, actions)
        ratio = (newlogprob - logprobs).exp()
        clipped = torch.clamp(ratio, 1 - args.clip_coef, 1 + args.clip_coef)
        pg_loss = torch.max(-advantages * ratio, -advantages * clipped).mean()
        v_loss = 0.5 * ((newvalue - returns) ** 2).mean()
        optimizer.zero_grad()
        (pg_loss + 0.5 * v_loss).backward()
        optimizer.step()
        writer.add_scalar("losses/policy_loss", pg_loss.item(), global_step)
        writer.add_scalar("losses/value_loss", v_loss.item(), global_step)
        writer.add_histogram("charts/advantages", advantages.detach(), global_step)
    env.close()
    writer.close()
