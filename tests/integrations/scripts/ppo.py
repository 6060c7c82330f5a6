"""PPO on several CartPoles at once, with a dataclass of arguments: its arrays come from vector environments."""

import os
import time
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical
from torch.utils.tensorboard import SummaryWriter


@dataclass
class Args:
    exp_name: str = os.path.basename(__file__)[: -len(".py")]
    seed: int = 1
    cuda: bool = False
    env_id: str = "CartPole-v1"
    total_timesteps: int = 512
    learning_rate: float = 2.5e-4
    num_envs: int = 2
    num_steps: int = 64
    gamma: float = 0.99
    gae_lambda: float = 0.95
    update_epochs: int = 2
    clip_coef: float = 0.2
    target_kl: float = None


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
        self.actor = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))


def train(args, writer):
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    same_step = gym.vector.AutoresetMode.SAME_STEP
    envs = gym.vector.SyncVectorEnv([lambda: gym.make(args.env_id)] * args.num_envs, autoreset_mode=same_step)
    envs = gym.wrappers.vector.RecordEpisodeStatistics(envs)
    agent = Agent()
    optimizer = torch.optim.Adam(agent.parameters(), lr=args.learning_rate, eps=1e-5)
    shape = (args.num_steps, args.num_envs)
    observations = torch.zeros((*shape, 4))
    actions, logprobs, rewards, dones, values = (torch.zeros(shape) for _ in range(5))

    start, global_step = time.time(), 0
    observation = torch.as_tensor(envs.reset(seed=args.seed)[0])
    done = torch.zeros(args.num_envs)
    for _ in range(args.total_timesteps // (args.num_steps * args.num_envs)):
        for step in range(args.num_steps):
            global_step += args.num_envs
            observations[step], dones[step] = observation, done
            with torch.no_grad():
                policy = Categorical(logits=agent.actor(observation))
                action = policy.sample()
                values[step], logprobs[step] = agent.critic(observation).flatten(), policy.log_prob(action)
            actions[step] = action
            following, reward, terminated, truncated, infos = envs.step(action.numpy())
            rewards[step], done = torch.as_tensor(reward), torch.as_tensor(terminated | truncated).float()
            observation = torch.as_tensor(following)
            for number in np.nonzero(infos.get("_episode", []))[0]:
                writer.add_scalar("charts/episodic_return", infos["episode"]["r"][number], global_step)
                writer.add_scalar("charts/episodic_length", infos["episode"]["l"][number], global_step)

        with torch.no_grad():
            after, advantages, last = agent.critic(observation).flatten(), torch.zeros(shape), 0.0
            for step in reversed(range(args.num_steps)):
                is_last = step == args.num_steps - 1
                goes_on = 1 - (done if is_last else dones[step + 1])
                next_value = after if is_last else values[step + 1]
                delta = rewards[step] + args.gamma * next_value * goes_on - values[step]
                advantages[step] = last = delta + args.gamma * args.gae_lambda * goes_on * last
            returns = advantages + values

        clipped = []
        for _ in range(args.update_epochs):
            policy = Categorical(logits=agent.actor(observations))
            log_ratio = policy.log_prob(actions) - logprobs
            ratio = log_ratio.exp()
            with torch.no_grad():
                old_kl, kl = (-log_ratio).mean(), ((ratio - 1) - log_ratio).mean()
                clipped.append(((ratio - 1).abs() > args.clip_coef).float().mean().item())
            bounded = ratio.clamp(1 - args.clip_coef, 1 + args.clip_coef)
            policy_loss = -torch.min(advantages * ratio, advantages * bounded).mean()
            value_loss = 0.5 * (agent.critic(observations).squeeze(-1) - returns).pow(2).mean()
            entropy = policy.entropy().mean()
            optimizer.zero_grad()
            (policy_loss + 0.5 * value_loss - 0.01 * entropy).backward()
            optimizer.step()
        predicted, true = values.numpy().ravel(), returns.numpy().ravel()
        explained = np.nan if true.var() == 0 else 1 - (true - predicted).var() / true.var()

        writer.add_scalar("charts/learning_rate", optimizer.param_groups[0]["lr"], global_step)
        writer.add_scalar("losses/value_loss", value_loss.item(), global_step)
        writer.add_scalar("losses/policy_loss", policy_loss.item(), global_step)
        writer.add_scalar("losses/entropy", entropy, global_step)
        writer.add_scalar("losses/old_approx_kl", old_kl, global_step)
        writer.add_scalar("losses/approx_kl", kl.numpy(), global_step)
        writer.add_scalar("losses/clipfrac", np.mean(clipped), global_step)
        writer.add_scalar("losses/explained_variance", explained, global_step)
        writer.add_scalar("charts/SPS", int(global_step / (time.time() - start)), global_step)
    envs.close()


if __name__ == "__main__":
    args = Args()
    run_name = f"{args.env_id}__{args.exp_name}__{args.seed}__{int(time.time())}"
    writer = SummaryWriter(f"runs/{run_name}")
    table = "\n".join([f"|{key}|{value}|" for key, value in vars(args).items()])
    writer.add_text("hyperparameters", f"|param|value|\n|-|-|\n{table}")
    train(args, writer)
    writer.close()
