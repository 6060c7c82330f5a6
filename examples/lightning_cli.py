"""LightningCLI with rla_hooks: the YAML file beside this one names the logger and the callback by their class paths.

    python examples/lightning_cli.py fit --config examples/lightning_cli.yaml               # some seconds
    python examples/lightning_cli.py fit --config examples/lightning_cli.yaml --model.lr 0.001 \\
        --trainer.logger.init_args.record.info slow
    python examples/lightning_cli.py fit --help

A small network learns to tell two moons apart. There is no line about tracking in the code: ``RLALogger`` makes a run
of its own, and Lightning saves the complete configuration as ``config.yaml`` in the run's log folder.
"""

from __future__ import annotations

import math

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from pytorch_lightning.cli import LightningCLI
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def two_moons(number: int, noise: float, generator: torch.Generator) -> TensorDataset:
    """Points of two half circles that reach into one another, (number, 2), and which of them each belongs to."""
    angle = math.pi * torch.rand(number, generator=generator)
    label = torch.randint(2, (number,), generator=generator)
    upper = torch.stack([angle.cos(), angle.sin()], dim=-1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=-1)
    points = torch.where(label[:, None] == 0, upper, lower)
    return TensorDataset(points + noise * torch.randn(number, 2, generator=generator), label.float())


class Moons(pl.LightningDataModule):
    """Two moons to train with, and others to validate with: the same at every call."""

    def __init__(self, number: int = 1024, noise: float = 0.15, batch_size: int = 64, seed: int = 0):
        super().__init__()
        self.save_hyperparameters()
        generator = torch.Generator().manual_seed(seed)
        self.train, self.validation = two_moons(number, noise, generator), two_moons(number, noise, generator)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, batch_size=self.hparams.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.validation, batch_size=256)


class Classifier(pl.LightningModule):
    """Two layers that give the logit of the second moon."""

    def __init__(self, width: int = 32, lr: float = 1e-2):
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.last = nn.Linear(width, 1)

    def forward(self, points: Tensor) -> Tensor:
        return self.last(self.layers(points)).squeeze(-1)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        points, label = batch
        loss = nn.functional.binary_cross_entropy_with_logits(self(points), label)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        points, label = batch
        logit = self(points)
        self.log("val/loss", nn.functional.binary_cross_entropy_with_logits(logit, label))
        self.log("val/accuracy", ((logit > 0) == label.bool()).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


@torch.no_grad()
def plot_boundary(trainer: pl.Trainer, model: Classifier) -> Figure:
    """The points of the validation, and what the model makes of every place. The YAML file names this function."""
    x, y = torch.meshgrid(torch.linspace(-1.6, 2.6, 120), torch.linspace(-1.2, 1.7, 90), indexing="xy")
    probability = model(torch.stack([x, y], dim=-1)).sigmoid()
    points, label = trainer.datamodule.validation.tensors
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    place = {"extent": (-1.6, 2.6, -1.2, 1.7), "origin": "lower", "interpolation": "bilinear"}
    image = axes.imshow(probability, cmap="RdBu_r", vmin=0, vmax=1, alpha=0.6, **place)
    axes.contour(x, y, probability, levels=[0.5], colors="black")
    axes.scatter(*points.T, c=label, cmap="RdBu_r", s=12, edgecolors="white", linewidths=0.4)
    axes.set(xlabel="x", ylabel="y", title=f"epoch {trainer.current_epoch + 1}")
    figure.colorbar(image, label="probability of the second moon")
    return figure


if __name__ == "__main__":
    torch.set_num_threads(1)  # a network this small is slower on more
    LightningCLI(Classifier, Moons)
