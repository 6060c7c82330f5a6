"""PPO in plain torch learns to balance a pole, and every run of it is kept by rla_hooks.

    python examples/cartpole.py                       # about half a minute on two cores
    python examples/cartpole.py --lr 1e-3 --info slow
    python examples/cartpole.py --help

The lines that begin with ``rla.`` are all there is to tracking; the rest is the algorithm of
Schulman et al., "Proximal Policy Optimization Algorithms", 2017, https://arxiv.org/abs/1707.06347.
"""

from __future__ import annotations

import contextlib
import math
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.distributions import Categorical

import rla_hooks as rla

ENV_ID = "CartPole-v1"
LAST = 20  # episodes that a mean return is taken over
SECONDS_PER_LINE = 5.0  # between two lines of progress where there is no terminal


class Agent(nn.Module):
    """A policy and a value function: two networks that share nothing."""

    def __init__(self, observation_size: int, num_actions: int, width: int = 64):
        super().__init__()
        # A policy that starts near uniform explores; hence the small gain of its last layer.
        self.actor = mlp(observation_size, width, num_actions, last_gain=0.01)
        self.critic = mlp(observation_size, width, 1, last_gain=1.0)

    def policy(self, observations: Tensor) -> Categorical:
        return Categorical(logits=self.actor(observations))

    def value(self, observations: Tensor) -> Tensor:
        return self.critic(observations).squeeze(-1)


def mlp(inputs: int, width: int, outputs: int, last_gain: float) -> nn.Sequential:
    layers = [nn.Linear(inputs, width), nn.Linear(width, width), nn.Linear(width, outputs)]
    for layer, gain in zip(layers, (math.sqrt(2), math.sqrt(2), last_gain)):
        nn.init.orthogonal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])


class Rollout(NamedTuple):
    """What the environments did in some steps. Shapes begin with (steps, envs)."""

    observations: Tensor  # (steps + 1, envs, size): the last one follows the last action
    actions: Tensor
    log_probs: Tensor
    rewards: Tensor
    terminated: Tensor  # the pole fell: what comes after is worth nothing
    done: Tensor  # terminated, or cut off by the time limit
    valid: Tensor  # whether the step is one of an episode, see Collector


class Collector:
    """Steps the environments, and keeps what goes over from one rollout to the next.

    Gymnasium's vector environments start a new episode in the step *after* one has ended. That step ignores
    its action and belongs to no episode, so it is not valid for learning. The good of it: the observation that
    follows the last action of an episode is in the rollout, and its value is at hand where time ran out.
    """

    def __init__(self, num_envs: int, seed: int):
        mode = gym.vector.AutoresetMode.NEXT_STEP
        self.envs = gym.vector.SyncVectorEnv([lambda: gym.make(ENV_ID)] * num_envs, autoreset_mode=mode)
        self.observation, _ = self.envs.reset(seed=seed)
        self.done = np.zeros(num_envs, dtype=bool)
        self.running_return = np.zeros(num_envs)
        self.step = 0
        self.returns: list[float] = []  # of the episodes that have ended, and
        self.ended_at: list[int] = []  # the environment steps taken by then

    @torch.no_grad()
    def rollout(self, agent: Agent, num_steps: int) -> Rollout:
        steps = []
        for _ in range(num_steps):
            observation, valid = torch.as_tensor(self.observation), torch.as_tensor(~self.done)
            policy = agent.policy(observation)
            action = policy.sample()
            self.observation, reward, terminated, truncated, _ = self.envs.step(action.numpy())
            self.done = terminated | truncated
            self._count(reward)
            outcome = (torch.as_tensor(each) for each in (reward.astype(np.float32), terminated, self.done))
            steps.append((observation, action, policy.log_prob(action), *outcome, valid))
        observations, *others = (torch.stack(each) for each in zip(*steps))
        return Rollout(torch.cat([observations, torch.as_tensor(self.observation)[None]]), *others)

    def _count(self, reward: np.ndarray) -> None:
        self.step += len(reward)
        self.running_return += reward
        self.returns += self.running_return[self.done].tolist()
        self.ended_at += [self.step] * int(self.done.sum())
        self.running_return[self.done] = 0

    def mean_return(self) -> float:
        return float(np.mean(self.returns[-LAST:])) if self.returns else math.nan


def estimate_advantages(rollout: Rollout, values: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    """Generalised advantage estimation, https://arxiv.org/abs/1506.02438. ``values``: (steps + 1, envs).

    An episode that time cut off would have gone on: the value of its last observation stands for the rest.
    """
    next_values = values[1:] * ~rollout.terminated
    errors = rollout.rewards + gamma * next_values - values[:-1]
    advantages = torch.zeros_like(errors)
    following = torch.zeros_like(errors[0])
    for t in reversed(range(len(errors))):
        following = errors[t] + gamma * gae_lambda * ~rollout.done[t] * following
        advantages[t] = following
    return advantages


def update(
    agent: Agent,
    optimizer: torch.optim.Optimizer,
    rollout: Rollout,
    gamma: float,
    gae_lambda: float,
    epochs: int,
    minibatch: int,
    clip: float,
    entropy_weight: float,
) -> dict[str, float]:
    """Improve the agent by several epochs of minibatches over the rollout. Returns the means of the losses."""
    with torch.no_grad():
        values = agent.value(rollout.observations)
        advantages = estimate_advantages(rollout, values, gamma, gae_lambda)
    targets = advantages + values[:-1]
    tensors = (rollout.observations[:-1], rollout.actions, rollout.log_probs, advantages, targets)
    batch = [tensor[rollout.valid] for tensor in tensors]  # (valid steps, ...)
    metrics = []
    for _ in range(epochs):
        for chosen in torch.randperm(len(batch[0])).split(minibatch):
            observation, action, old_log_prob, advantage, target = (tensor[chosen] for tensor in batch)
            policy = agent.policy(observation)
            log_ratio = policy.log_prob(action) - old_log_prob
            ratio = log_ratio.exp()
            clipped = ratio.clamp(1 - clip, 1 + clip)
            weight = (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-8)
            policy_loss = -torch.min(ratio * weight, clipped * weight).mean()
            value_loss = (agent.value(observation) - target).square().mean()
            entropy = policy.entropy().mean()
            optimizer.zero_grad()
            (policy_loss + 0.5 * value_loss - entropy_weight * entropy).backward()
            nn.utils.clip_grad_norm_(agent.parameters(), max_norm=0.5)
            optimizer.step()
            approx_kl = (ratio - 1 - log_ratio).mean()  # http://joschu.net/blog/kl-approx.html
            clip_fraction = (ratio != clipped).float().mean()
            metrics.append(torch.stack([policy_loss, value_loss, entropy, approx_kl, clip_fraction]).detach())
    names = ("loss/policy", "loss/value", "loss/entropy", "loss/approx_kl", "loss/clip_fraction")
    return dict(zip(names, torch.stack(metrics).mean(0).tolist()))


@torch.no_grad()
def evaluate(agent: Agent, episodes: int = 20, seed: int = 10_000) -> float:
    """The mean return of the most likely actions, over episodes that are the same at every call."""
    envs = gym.vector.SyncVectorEnv([lambda: gym.make(ENV_ID)] * episodes)
    observations, _ = envs.reset(seed=seed)
    returns, running = np.zeros(episodes), np.ones(episodes, dtype=bool)
    while running.any():
        actions = agent.actor(torch.as_tensor(observations)).argmax(-1)
        observations, rewards, terminated, truncated, _ = envs.step(actions.numpy())
        returns += rewards * running
        running &= ~(terminated | truncated)
    envs.close()
    return float(returns.mean())


# The screen shows the progress: the rows go to files only. Without writers= they are tables on the screen, too.
@rla.track(record=["info", "lr"], writers=["csv", "tensorboard", "log"])
def main(
    info: str = "ppo",
    lr: float = 2.5e-3,
    total_steps: int = 100_000,
    num_envs: int = 8,
    rollout_steps: int = 128,
    epochs: int = 4,
    minibatch: int = 256,
    gamma: float = 0.98,
    gae_lambda: float = 0.9,
    clip: float = 0.2,
    entropy_weight: float = 0.01,
    seed: int = 1,
) -> float:
    """Train an agent with PPO on CartPole-v1, keep the run, and return the mean return of the last 20 episodes.

    A perfect agent balances for 500 steps. The learning rate falls to zero over the training.
    """
    torch.manual_seed(seed)
    collector = Collector(num_envs, seed)
    sizes = collector.envs.single_observation_space.shape[0], collector.envs.single_action_space.n
    agent = Agent(*sizes)
    optimizer = torch.optim.Adam(agent.parameters(), lr=lr, eps=1e-5)
    rla.new_saver(max_to_keep=2)

    num_updates = max(1, total_steps // (num_envs * rollout_steps))
    start = time.perf_counter()
    with progress(num_updates * num_envs * rollout_steps) as show:
        for iteration in range(num_updates):
            optimizer.param_groups[0]["lr"] = lr * (1 - iteration / num_updates)
            rollout = collector.rollout(agent, rollout_steps)
            losses = update(agent, optimizer, rollout, gamma, gae_lambda, epochs, minibatch, clip, entropy_weight)
            speed = collector.step / (time.perf_counter() - start)
            perf = {"perf/return": collector.mean_return(), "perf/episodes": len(collector.returns)}
            rla.log({**perf, **losses, "time/steps_per_second": speed}, step=collector.step)
            if iteration % 20 == 19 or iteration == num_updates - 1:
                rla.save_checkpoint({"policy": agent, "optimizer": optimizer})
            show(collector.step, collector.mean_return())
    collector.envs.close()

    print(f"last return:  {collector.mean_return():.1f} of 500, the mean of the last {LAST} episodes")
    run = rla.current_run()
    if run:  # with RLA_MODE=off there is nothing to load or to show
        score = check_checkpoint(agent, fresh=Agent(*sizes))
        print(f"evaluation:   {score:.1f} of 500, by the agent that the newest checkpoint holds")
        print(f"run:          {run.log_dir}")
        if collector.returns:
            print(f"figure:       {plot(collector)}")
        runs_of_task = run.paths.log_root / "log" / run.task_name
        print(f"TensorBoard:  {shlex.join([tensorboard(), '--logdir', str(runs_of_task)])}")
    return collector.mean_return()


@contextlib.contextmanager
def progress(total_steps: int) -> Iterator[Callable[[int, float], None]]:
    """Gives a function that shows a step and a mean return: a bar on a terminal, elsewhere a line now and then."""
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, disable=not console.is_interactive)
    task = bar.add_task("return   nan", total=total_steps)
    printed_at = time.monotonic()

    def show(step: int, mean_return: float) -> None:
        nonlocal printed_at
        bar.update(task, completed=step, description=f"return {mean_return:5.1f}")
        if not console.is_interactive and time.monotonic() - printed_at >= SECONDS_PER_LINE:
            print(f"step {step} of {total_steps}, return {mean_return:.1f}", flush=True)
            printed_at = time.monotonic()

    with bar:
        yield show


def tensorboard() -> str:
    """The program's name where the shell finds it, else its path, which pip noted when it was installed."""
    files = [] if shutil.which("tensorboard") else metadata.files("tensorboard") or []
    programs = [file for file in files if file.stem == "tensorboard" and file.parent.name in ("bin", "Scripts")]
    return str(Path(programs[0].locate()).resolve()) if programs else "tensorboard"


def plot(collector: Collector) -> Path:
    """The learning curve: every episode, and the running mean."""
    returns = collector.returns
    smooth = [np.mean(returns[max(0, end - LAST) : end]) for end in range(1, len(returns) + 1)]
    return rla.simple_plot(
        name="learning_curve",
        x=[collector.ended_at, collector.ended_at],
        y=[returns, smooth],
        labels=["episode", f"mean of {LAST} episodes"],
        colors=["#9ecae1", "#08519c"],
        xlabel="environment steps",
        ylabel="return",
    )


def check_checkpoint(agent: Agent, fresh: Agent) -> float:
    """The score of the agent loaded from the newest checkpoint, which plays exactly as the trained one does."""
    step, content = rla.load_checkpoint()
    fresh.load_state_dict(content["policy"])
    score, loaded_score = evaluate(agent), evaluate(fresh)
    if loaded_score != score:
        raise RuntimeError(f"the checkpoint of step {step} scores {loaded_score}, the trained agent {score}")
    rla.log({"perf/evaluation": score}, step=step)
    return score


if __name__ == "__main__":
    torch.set_num_threads(1)  # networks this small are slower on more
    typer.run(main)
