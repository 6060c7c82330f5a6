"""DQN on CartPole, as scripts with one file have it: arguments, a SummaryWriter, a loop."""

import argparse
import random
import time

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

parser = argparse.ArgumentParser()
parser.add_argument("--exp-name", default="dqn")
parser.add_argument("--env-id", default="CartPole-v1")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--total-timesteps", type=int, default=400)
parser.add_argument("--learning-rate", type=float, default=2.5e-4)
parser.add_argument("--gamma", type=float, default=0.99)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--learning-starts", type=int, default=100)
parser.add_argument("--train-frequency", type=int, default=10)
parser.add_argument("--target-frequency", type=int, default=100)
parser.add_argument("--log-dir", default="runs")
args = parser.parse_args()
run_name = f"{args.env_id}__{args.exp_name}__{args.seed}__{int(time.time())}"

writer = SummaryWriter(f"{args.log_dir}/{run_name}")
rows = "\n".join(f"|{key}|{value}|" for key, value in vars(args).items())
writer.add_text("hyperparameters", f"|param|value|\n|-|-|\n{rows}")

random.seed(args.seed)
np.random.seed(args.seed)
torch.manual_seed(args.seed)
torch.set_num_threads(1)

env = gym.wrappers.RecordEpisodeStatistics(gym.make(args.env_id))
env.action_space.seed(args.seed)


def q_network():
    return nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))


online, target = q_network(), q_network()
target.load_state_dict(online.state_dict())
optimizer = torch.optim.Adam(online.parameters(), lr=args.learning_rate)
memory = []

start = time.time()
observation, _ = env.reset(seed=args.seed)
for global_step in range(args.total_timesteps):
    epsilon = max(0.05, 1 - global_step / (0.5 * args.total_timesteps))
    if random.random() < epsilon:
        action = int(env.action_space.sample())
    else:
        with torch.no_grad():
            action = int(online(torch.as_tensor(observation)).argmax())
    following, reward, terminated, truncated, info = env.step(action)
    memory.append((observation, action, reward, following, float(terminated)))
    observation = following
    if terminated or truncated:
        print(f"global_step={global_step}, episodic_return={info['episode']['r']}")
        writer.add_scalar("charts/episodic_return", info["episode"]["r"], global_step)
        writer.add_scalar("charts/episodic_length", info["episode"]["l"], global_step)
        observation, _ = env.reset()
    if global_step >= args.learning_starts and global_step % args.train_frequency == 0:
        drawn = [torch.as_tensor(np.array(column)).float() for column in zip(*random.sample(memory, args.batch_size))]
        observations, actions, rewards, followings, dones = drawn
        with torch.no_grad():
            wanted = rewards + args.gamma * target(followings).max(dim=1).values * (1 - dones)
        values = online(observations).gather(1, actions.long().unsqueeze(1)).squeeze(1)
        loss = nn.functional.mse_loss(values, wanted)
        if global_step % 50 == 0:
            writer.add_scalar("losses/td_loss", loss, global_step)
            writer.add_scalar("losses/q_values", values.mean().item(), global_step)
            writer.add_scalar("charts/SPS", int(global_step / (time.time() - start)), global_step)
            writer.add_histogram("weights/first", online[0].weight, global_step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if global_step % args.target_frequency == 0:
        target.load_state_dict(online.state_dict())

env.close()
writer.close()
