"""Double DQN as a LightningModule learns to balance a pole, and every run of it is kept by rla_hooks.

    python examples/lightning_dqn.py                      # about a minute on two cores
    python examples/lightning_dqn.py --lr 5e-4 --info slow
    python examples/lightning_dqn.py --help

``RLALogger`` and ``RLACallback`` are all there is to tracking. The rest is the algorithm of van Hasselt, Guez, Silver,
"Deep Reinforcement Learning with Double Q-learning", 2016, https://arxiv.org/abs/1509.06461, and two things that
reinforcement learning asks of Lightning: the data come from an iterable that plays while it is read, and an "epoch" is
as many of its batches as ``limit_train_batches`` says.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pygame  # noqa: F401  gymnasium draws with it: better missed now than after the training
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

ENV_ID = "CartPole-v1"
LAST = 20  # episodes that a mean return is taken over


class Batch(NamedTuple):
    """Transitions that were drawn from the buffer. Shapes begin with (batch,)."""

    observation: Tensor  # (batch, size)
    action: Tensor
    reward: Tensor
    next_observation: Tensor  # (batch, size)
    terminated: Tensor  # the pole fell: what comes after is worth nothing. Not so where time ran out.


class ReplayBuffer:
    """The newest ``capacity`` transitions, drawn from uniformly."""

    def __init__(self, capacity: int, observation_size: int):
        shape = (capacity, observation_size)
        self.storage = Batch(
            torch.zeros(shape), torch.zeros(capacity, dtype=torch.long), torch.zeros(capacity), torch.zeros(shape),
            torch.zeros(capacity, dtype=torch.bool),
        )  # fmt: skip
        self.capacity, self.added = capacity, 0

    def add(self, *transition: np.ndarray | float | bool) -> None:
        for column, value in zip(self.storage, transition):
            column[self.added % self.capacity] = torch.as_tensor(value)
        self.added += 1

    def sample(self, batch_size: int) -> Batch:
        chosen = torch.randint(min(self.added, self.capacity), (batch_size,))
        return Batch(*(column[chosen] for column in self.storage))


class DQN(pl.LightningModule):
    """A network that estimates the value of each action, and a slower copy of it that targets are made with."""

    def __init__(
        self,
        observation_size: int,
        num_actions: int,
        lr: float = 1e-3,
        gamma: float = 0.99,
        width: int = 128,
        target_rate: float = 0.005,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.q = mlp(observation_size, width, num_actions)
        self.target = mlp(observation_size, width, num_actions).requires_grad_(False)
        self.target.load_state_dict(self.q.state_dict())
        self.evaluations: dict[int, float] = {}  # greedy mean return by optimiser step

    def forward(self, observation: Tensor) -> Tensor:
        return self.q(observation)

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """The greedy actions for one observation, or for many."""
        return self(torch.as_tensor(observation)).argmax(-1).numpy()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        with torch.no_grad():  # one network chooses the next action, the other one judges it
            action = self.q(batch.next_observation).argmax(-1, keepdim=True)
            next_value = self.target(batch.next_observation).gather(-1, action).squeeze(-1)
            target = batch.reward + self.hparams.gamma * next_value * ~batch.terminated
        value = self.q(batch.observation).gather(-1, batch.action[:, None]).squeeze(-1)
        loss = nn.functional.smooth_l1_loss(value, target)
        self.log_dict({"train/loss": loss, "train/q": value.mean()})
        return loss

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:
        pairs = zip(self.target.parameters(), self.q.parameters())
        with torch.no_grad():
            for slow, fast in pairs:
                slow.lerp_(fast, self.hparams.target_rate)

    def on_train_epoch_end(self) -> None:
        score = evaluate(self)
        self.evaluations[self.global_step] = score
        self.log("eval/return", score, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.q.parameters(), lr=self.hparams.lr)
