"""Double DQN as a LightningModule learns to balance a pole, and every run of it is kept by rla_hooks.

    python examples/lightning_dqn.py                      # a minute or two on two cores
    python examples/lightning_dqn.py --lr 1e-3 --info slow
    python examples/lightning_dqn.py --help

``RLALogger`` and ``RLACallback`` are all there is to tracking. The rest is the algorithm of van Hasselt, Guez and
Silver, "Deep Reinforcement Learning with Double Q-learning", 2016, https://arxiv.org/abs/1509.06461, with returns of
several steps. Lightning wants data and epochs: the data are an endless iterable that plays while it is read, and an
epoch is as many of its batches as ``limit_train_batches`` says, with an evaluation at its end.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import pygame  # noqa: F401  gymnasium draws with it: better missed now than after the training
import pytorch_lightning as pl
import torch
import typer
from matplotlib.figure import Figure
from rla_hooks.integrations.pytorch_lightning import RLACallback, RLALogger
from torch import Tensor, nn
from torch.utils.data import IterableDataset

import rla_hooks as rla
from rla_hooks.cli import print_run

ENV_ID = "CartPole-v1"
LAST = 20  # episodes that a mean return is taken over


class Batch(NamedTuple):
    """Transitions over up to ``num_steps`` steps, drawn from the buffer. Shapes begin with (batch,)."""

    observation: Tensor  # (batch, size)
    action: Tensor
    reward: Tensor  # the discounted sum over the steps
    next_observation: Tensor  # (batch, size): the one after these steps
    discount: Tensor  # of its value: gamma ** steps; 0 if the pole fell, but not if time ran out


class ReplayBuffer:
    """The newest ``capacity`` transitions, which are drawn from uniformly."""

    def __init__(self, capacity: int, observation_size: int):
        kinds = Batch((observation_size,), (), (), (observation_size,), ())
        self.columns = Batch(*(np.zeros((capacity, *shape), dtype=np.float32) for shape in kinds))
        self.columns = self.columns._replace(action=np.zeros(capacity, dtype=np.int64))
        self.capacity, self.added = capacity, 0

    def add(self, *transition: np.ndarray | float) -> None:
        for column, value in zip(self.columns, transition):
            column[self.added % self.capacity] = value
        self.added += 1

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        chosen = rng.integers(min(self.added, self.capacity), size=size)
        return Batch(*(torch.from_numpy(column[chosen]) for column in self.columns))


class Experience(IterableDataset):
    """Plays with the agent as it is now, and yields a batch of the buffer after every ``steps_per_batch`` steps.

    It never ends: the Trainer's ``limit_train_batches`` makes epochs of it. Lightning begins to iterate again in
    every epoch; the episode and the buffer go on.
    """

    def __init__(
        self,
        env: gym.Env,
        agent: DQN,
        buffer_size: int,
        warm_up: int,
        batch_size: int,
        steps_per_batch: int,
        num_steps: int,
        explore_for: int,
        seed: int,
    ):
        self.env = env
        self.observation, _ = env.reset(seed=seed)
        self.rng = np.random.default_rng(seed)
        self.agent, self.gamma, self.num_steps = agent, agent.hparams.gamma, num_steps
        self.buffer = ReplayBuffer(buffer_size, len(self.observation))
        self.warm_up, self.batch_size, self.steps_per_batch = warm_up, batch_size, steps_per_batch
        self.explore_for = explore_for
        self.steps, self.running_return = 0, 0.0
        self.returns: list[float] = []  # of the episodes that have ended, and
        self.ended_at: list[int] = []  # the environment steps taken by then
        self.recent: deque[tuple[np.ndarray, int, float]] = deque()  # steps that are not in the buffer yet

    def __iter__(self) -> Iterator[Batch]:
        while self.steps < self.warm_up:
            self.play()
        while True:
            for _ in range(self.steps_per_batch):
                self.play()
            yield self.buffer.sample(self.batch_size, self.rng)

    @property
    def epsilon(self) -> float:
        """The probability of a random action: it falls from 1 to 0.05."""
        return max(0.05, 1 - 0.95 * self.steps / self.explore_for)

    def play(self) -> None:
        """Take a step in the environment; a new episode begins where one has ended."""
        explores = self.rng.random() < self.epsilon
        action = int(self.rng.integers(self.env.action_space.n)) if explores else int(self.agent.act(self.observation))
        observation, reward, terminated, truncated, _ = self.env.step(action)
        self.recent.append((self.observation, action, float(reward)))
        self.observation, self.steps = observation, self.steps + 1
        self.running_return += float(reward)
        ended = terminated or truncated
        while self.recent and (ended or len(self.recent) == self.num_steps):
            self._remember(terminated)
        if ended:
            self.returns.append(self.running_return)
            self.ended_at.append(self.steps)
            self.running_return = 0.0
            self.observation, _ = self.env.reset()

    def _remember(self, terminated: bool) -> None:
        """Move the oldest recent step to the buffer, with what it has led to by now."""
        reward = sum(self.gamma**age * reward for age, (_, _, reward) in enumerate(self.recent))
        discount = 0.0 if terminated else self.gamma ** len(self.recent)
        observation, action, _ = self.recent.popleft()
        self.buffer.add(observation, action, reward, self.observation, discount)

    def metrics(self) -> dict[str, float]:
        mean_return = float(np.mean(self.returns[-LAST:])) if self.returns else math.nan
        counts = {"perf/episodes": float(len(self.returns)), "perf/env_steps": float(self.steps)}
        return {"perf/return": mean_return, "perf/epsilon": self.epsilon, **counts}


class DQN(pl.LightningModule):
    """A network that estimates the value of each action, and a slower copy of it that makes the targets."""

    def __init__(
        self, observation_size: int, num_actions: int, lr: float, gamma: float, target_rate: float, width: int = 128
    ):
        super().__init__()
        self.save_hyperparameters()
        sizes = observation_size, width, num_actions
        self.q, self.target = mlp(*sizes), mlp(*sizes)
        self.target.load_state_dict(self.q.state_dict())
        self.target.requires_grad_(False)
        self.evaluations: dict[int, float] = {}  # mean greedy return, by environment steps

    @torch.no_grad()
    def act(self, observations: np.ndarray) -> np.ndarray:
        """The greedy action for an observation of shape (size,), or for many of shape (n, size)."""
        return self.q(torch.as_tensor(observations)).argmax(-1).numpy()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        with torch.no_grad():  # one network chooses the next action, the other one says what it is worth
            next_action = self.q(batch.next_observation).argmax(-1, keepdim=True)
            next_value = self.target(batch.next_observation).gather(-1, next_action).squeeze(-1)
            target = batch.reward + batch.discount * next_value
        value = self.q(batch.observation).gather(-1, batch.action[:, None]).squeeze(-1)
        loss = nn.functional.smooth_l1_loss(value, target)
        if (self.global_step + 1) % self.trainer.log_every_n_steps == 0:  # to log costs more than to learn
            self.log_dict({"loss/td": loss, "q/mean": value.mean(), "q/max": value.max(), "q/target": target.mean()})
            self.log_dict(self.trainer.train_dataloader.metrics())
        return loss

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:
        for slow, fast in zip(self.target.parameters(), self.q.parameters()):
            slow.data.lerp_(fast.data, self.hparams.target_rate)

    def on_train_epoch_end(self) -> None:
        """Evaluate. Callbacks that save checkpoints come after this hook, and see what it logs."""
        score = evaluate(self)
        self.evaluations[self.trainer.train_dataloader.steps] = score
        self.log("eval/return", score, prog_bar=True)

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.Adam(self.q.parameters(), lr=self.hparams.lr)
        steps = self.trainer.estimated_stepping_batches
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, end_factor=0.0, total_iters=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def mlp(inputs: int, width: int, outputs: int) -> nn.Sequential:
    layers = nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
    return nn.Sequential(*layers)


def evaluate(agent: DQN, episodes: int = 20, seed: int = 10_000) -> float:
    """The mean return of the greedy actions, over episodes that are the same at every call."""
    envs = gym.vector.SyncVectorEnv([lambda: gym.make(ENV_ID)] * episodes)
    observations, _ = envs.reset(seed=seed)
    returns, running = np.zeros(episodes), np.ones(episodes, dtype=bool)
    while running.any():
        observations, rewards, terminated, truncated, _ = envs.step(agent.act(observations))
        returns += rewards * running
        running &= ~(terminated | truncated)
    envs.close()
    return float(returns.mean())


def film(agent: DQN, every: int = 5, seed: int = 10_000) -> np.ndarray:
    """Frames of one greedy episode, each one of ``every``: shape (time, height, width, 3), uint8."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # frames are wanted, and no window
    env = gym.make(ENV_ID, render_mode="rgb_array")
    observation, _ = env.reset(seed=seed)
    frames, ended, step = [env.render()], False, 0
    while not ended:
        observation, _, terminated, truncated, _ = env.step(int(agent.act(observation)))
        ended, step = terminated or truncated, step + 1
        if step % every == 0 or ended:
            frames.append(env.render())
    env.close()
    return np.stack(frames)


def plot_learning(trainer: pl.Trainer, agent: DQN) -> Figure:
    """All episodes of the training with their running mean, and the greedy evaluations."""
    played = trainer.train_dataloader
    smooth = [np.mean(played.returns[max(0, end - LAST) : end]) for end in range(1, len(played.returns) + 1)]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(played.ended_at, played.returns, ".", color="#9ecae1", markersize=4, label="episode, exploring")
    axes.plot(played.ended_at, smooth, color="#4292c6", label=f"mean of {LAST} episodes")
    axes.plot(*zip(*agent.evaluations.items()), "o-", color="#d94801", markersize=4, label="greedy evaluation")
    axes.set(xlabel="environment steps", ylabel="return", ylim=(0, 520))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


@torch.no_grad()
def plot_policy(trainer: pl.Trainer, agent: DQN) -> Figure:
    """What the values say: how much better it is to push right, by the pole's angle and its speed."""
    angle, speed = np.meshgrid(np.linspace(-0.2, 0.2, 81), np.linspace(-2, 2, 81))
    still = np.zeros_like(angle)  # the cart stands in the middle
    observations = np.stack([still, still, angle, speed], axis=-1).astype(np.float32)
    values = agent.q(torch.from_numpy(observations)).numpy()
    gain = values[..., 1] - values[..., 0]
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    limit = np.abs(gain).max()
    image = axes.pcolormesh(np.degrees(angle), speed, gain, cmap="RdBu_r", vmin=-limit, vmax=limit, shading="gouraud")
    if gain.min() < 0 < gain.max():
        axes.contour(np.degrees(angle), speed, gain, levels=[0], colors="black")
    axes.set(xlabel="angle of the pole (degrees, right is above 0)", ylabel="its speed (radians a second)")
    figure.colorbar(image, label="Q(push right) - Q(push left)")
    return figure


@rla.track(record=["info", "lr"])
def main(
    info: str = "dqn",
    lr: float = 2e-3,
    total_steps: int = 41_000,
    warm_up: int = 1_000,
    eval_every: int = 2_000,
    steps_per_batch: int = 4,
    batch_size: int = 256,
    num_steps: int = 5,
    gamma: float = 0.99,
    target_rate: float = 0.02,
    buffer_size: int = 40_000,
    seed: int = 1,
) -> float:
    """Train an agent with DQN on CartPole-v1, keep the run, and return the evaluation of its best checkpoint.

    A perfect agent balances for 500 steps. The learning rate falls to zero over the training.
    """
    pl.seed_everything(seed)
    batches = max(1, (total_steps - warm_up) // steps_per_batch)
    batches_per_epoch = min(batches, max(1, eval_every // steps_per_batch))
    epochs = batches // batches_per_epoch

    env = gym.make(ENV_ID)
    sizes = env.observation_space.shape[0], int(env.action_space.n)  # int: checkpoints hold plain types only
    agent = DQN(*sizes, lr=lr, gamma=gamma, target_rate=target_rate)
    experience = Experience(
        env, agent, buffer_size, warm_up, batch_size, steps_per_batch, num_steps, total_steps // 4, seed
    )
    best_one = RLACallback(
        monitor="eval/return",
        mode="max",
        save_top_k=1,
        figures={"learning_curve": plot_learning, "policy": plot_policy},
        figures_every=max(1, epochs // 4),
    )
    newest_one = RLACallback(filename="newest", log_throughput=False)  # at each epoch: the best may be old
    logger = RLALogger()
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        limit_train_batches=batches_per_epoch,
        log_every_n_steps=min(25, batches_per_epoch),
        gradient_clip_val=10.0,
        logger=logger,
        callbacks=[best_one, newest_one],
        enable_model_summary=False,
    )
    trainer.fit(agent, experience)
    env.close()

    best = DQN.load_from_checkpoint(best_one.best_model_path)
    score = evaluate(best)
    if not math.isclose(score, best_one.best_model_score, rel_tol=1e-6):  # which is a float32
        raise RuntimeError(f"the best checkpoint scores {score}, and scored {best_one.best_model_score} when saved")
    unseen = evaluate(best, seed=20_000)
    logger.log_metrics({"best/return": score, "best/return_unseen": unseen}, trainer.global_step)
    logger.experiment.add_video("best_episode", film(best), trainer.global_step, fps=10)
    print(f"best checkpoint: {score:.1f} over 20 episodes, as when it was saved; over 20 others: {unseen:.1f}")
    run = rla.current_run()
    if run:  # with RLA_MODE=off there is nothing to show
        print_run(run.paths)
    return score


if __name__ == "__main__":
    torch.set_num_threads(1)  # networks this small are slower on more
    typer.run(main)
