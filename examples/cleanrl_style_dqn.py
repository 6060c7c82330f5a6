"""Double DQN in one file, in the style of CleanRL, learns to balance a pole; one line of it makes each start a run.

    python examples/cleanrl_style_dqn.py                    # about a minute on two cores
    python examples/cleanrl_style_dqn.py --learning-rate 1e-3 --seed 2
    python examples/cleanrl_style_dqn.py --help

The import of ``SummaryWriter`` is all there is to tracking: with torch's, which takes the same calls, the script runs,
too. The rest is the algorithm of van Hasselt, Guez and Silver, "Deep Reinforcement Learning with Double Q-learning",
2016, https://arxiv.org/abs/1509.06461, with a target network that follows slowly.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import deque

import gymnasium as gym
import numpy as np
import torch
from rla_hooks.integrations.tensorboard import SummaryWriter  # instead of: from torch.utils.tensorboard
from torch import nn


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--exp-name", default="dqn", help="a part of the run's title")
    parser.add_argument("--seed", type=int, default=1, help="of the networks, the environment and the exploration")
    parser.add_argument("--env-id", default="CartPole-v1", help="an environment with vectors and discrete actions")
    parser.add_argument("--total-timesteps", type=int, default=40_000, help="steps in the environment")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="of Adam")
    parser.add_argument("--buffer-size", type=int, default=40_000, help="transitions that are kept")
    parser.add_argument("--gamma", type=float, default=0.99, help="discount of later rewards")
    parser.add_argument("--tau", type=float, default=0.01, help="how far the target network goes with each update")
    parser.add_argument("--batch-size", type=int, default=128, help="transitions that an update learns from")
    parser.add_argument("--end-e", type=float, default=0.02, help="the share of random actions in the end")
    parser.add_argument("--exploration-fraction", type=float, default=0.3, help="of the training, until it is reached")
    parser.add_argument("--learning-starts", type=int, default=1_000, help="the step of the first update")
    parser.add_argument("--train-frequency", type=int, default=2, help="steps between two updates")
    return parser.parse_args()


class QNetwork(nn.Sequential):
    """The value of each action in a state."""

    def __init__(self, env: gym.Env):
        size, actions = int(np.prod(env.observation_space.shape)), int(env.action_space.n)
        super().__init__(nn.Linear(size, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, actions))


class ReplayBuffer:
    """The newest transitions, which are drawn from uniformly."""

    def __init__(self, size: int, env: gym.Env):
        shape = env.observation_space.shape
        self.observations, self.next_observations = (np.zeros((size, *shape), np.float32) for _ in range(2))
        self.actions = np.zeros((size, 1), np.int64)
        self.rewards, self.dones = (np.zeros(size, np.float32) for _ in range(2))
        self.size, self.added = size, 0

    def add(self, *transition: np.ndarray | float | bool) -> None:
        columns = (self.observations, self.next_observations, self.actions, self.rewards, self.dones)
        for column, value in zip(columns, transition):
            column[self.added % self.size] = value
        self.added += 1

    def sample(self, number: int, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        drawn = rng.integers(min(self.added, self.size), size=number)
        columns = (self.observations, self.next_observations, self.actions, self.rewards, self.dones)
        return tuple(torch.from_numpy(column[drawn]) for column in columns)


def linear_schedule(start: float, end: float, duration: float, step: int) -> float:
    return max(start + (end - start) * step / duration, end)


def greedy(network: QNetwork, observation: np.ndarray) -> int:
    with torch.no_grad():
        return int(network(torch.from_numpy(observation)).argmax())


def film(network: QNetwork, env_id: str, seed: int, frames: int = 100) -> np.ndarray:
    """Play an episode, and return pictures of it, every second step and pixel: (1, T, C, H, W)."""
    env = gym.make(env_id, render_mode="rgb_array")
    (observation, _), over, taken = env.reset(seed=seed), False, []
    while not over and len(taken) < 2 * frames:
        taken.append(env.render()[::2, ::2])
        observation, _, terminated, truncated, _ = env.step(greedy(network, observation))
        over = terminated or truncated
    env.close()
    return np.stack(taken[::2]).transpose(0, 3, 1, 2)[None]


def learning_curve(returns: list[tuple[int, float]]):
    from matplotlib.figure import Figure

    steps, values = np.array(returns or [(0, 0.0)]).T
    means = [values[max(0, number - 19) : number + 1].mean() for number in range(len(values))]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, values, ".", color="0.75", label="an episode")
    axes.plot(steps, means, label="mean of 20")
    axes.set(xlabel="steps", ylabel="return", ylim=(0, None))
    axes.legend(frameon=False)
    return figure


def main() -> None:
    args = parse_args()
    run_name = f"{args.env_id}__{args.exp_name}__{args.seed}__{int(time.time())}"
    writer = SummaryWriter(f"runs/{run_name}")
    rows = "\n".join(f"|{key}|{value}|" for key, value in vars(args).items())
    writer.add_text("hyperparameters", f"|param|value|\n|-|-|\n{rows}")

    random.seed(args.seed)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    env = gym.wrappers.RecordEpisodeStatistics(gym.make(args.env_id))
    env.action_space.seed(args.seed)
    q_network, target_network = QNetwork(env), QNetwork(env)
    target_network.load_state_dict(q_network.state_dict())
    optimizer = torch.optim.Adam(q_network.parameters(), lr=args.learning_rate)
    buffer = ReplayBuffer(args.buffer_size, env)
    returns: list[tuple[int, float]] = []
    newest: deque[float] = deque(maxlen=20)

    start_time = time.time()
    observation, _ = env.reset(seed=args.seed)
    for global_step in range(args.total_timesteps):
        epsilon = linear_schedule(1.0, args.end_e, args.exploration_fraction * args.total_timesteps, global_step)
        action = int(env.action_space.sample()) if random.random() < epsilon else greedy(q_network, observation)
        next_observation, reward, terminated, truncated, info = env.step(action)
        buffer.add(observation, next_observation, action, reward, terminated)
        observation = next_observation

        if terminated or truncated:
            returns.append((global_step, float(info["episode"]["r"])))
            newest.append(returns[-1][1])
            writer.add_scalar("charts/episodic_return", info["episode"]["r"], global_step)
            writer.add_scalar("charts/episodic_length", info["episode"]["l"], global_step)
            writer.add_scalar("charts/epsilon", epsilon, global_step)
            if len(returns) % 50 == 0:
                print(f"global_step={global_step}, mean return of 20 episodes={np.mean(newest):.0f}")
            observation, _ = env.reset()

        if global_step >= args.learning_starts and global_step % args.train_frequency == 0:
            observations, followings, actions, rewards, dones = buffer.sample(args.batch_size, rng)
            with torch.no_grad():
                chosen = q_network(followings).argmax(dim=1, keepdim=True)
                best = target_network(followings).gather(1, chosen).squeeze(1)
                td_target = rewards + args.gamma * best * (1 - dones)
            old_values = q_network(observations).gather(1, actions).squeeze(1)
            loss = nn.functional.smooth_l1_loss(old_values, td_target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for kept, learnt in zip(target_network.parameters(), q_network.parameters()):
                    kept.lerp_(learnt, args.tau)
            if global_step % 100 == 0:
                writer.add_scalar("losses/td_loss", loss, global_step)
                writer.add_scalar("losses/q_values", old_values.mean().item(), global_step)
                writer.add_scalar("charts/SPS", int(global_step / (time.time() - start_time)), global_step)
            if global_step % 5_000 == 0:
                for name, parameter in q_network.named_parameters():
                    writer.add_histogram(f"weights/{name}", parameter, global_step)

    env.close()
    writer.add_figure("learning_curve", learning_curve(returns), args.total_timesteps)
    writer.add_video("episode", film(q_network, args.env_id, args.seed), args.total_timesteps, fps=25)
    torch.save(q_network.state_dict(), f"{writer.log_dir}/{args.exp_name}.pt")
    print(f"saved: {writer.log_dir}/{args.exp_name}.pt")
    writer.close()


if __name__ == "__main__":
    main()
