"""PPO of Stable-Baselines3 learns to balance a pole; one callback keeps all of it in a run.

    python examples/sb3_ppo.py                     # about a minute on two cores
    python examples/sb3_ppo.py --learning-rate 3e-4 --info slow
    python examples/sb3_ppo.py --help

Stop it in any way, and start it again: it goes on behind its newest checkpoint.
"""

from __future__ import annotations

import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from rla_hooks.integrations.sb3 import RLACallback
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import Figure as LoggedFigure

import rla_hooks as rla

ENV_ID = "CartPole-v1"


class PolicyFigure(BaseCallback):
    """Records a picture of the policy by SB3's own logger: the run keeps it with the row that is dumped next."""

    def __init__(self, every: int):
        super().__init__()
        self.every = self.due = every

    def _on_training_start(self) -> None:
        self.due = self.num_timesteps + self.every

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.num_timesteps >= self.due:
            self.due = self.num_timesteps + self.every
            self.logger.record("policy", LoggedFigure(draw_policy(self.model), close=True), exclude=("stdout", "log"))


# The run's name has `info` and the learning rate. "auto": a run with these that was stopped goes on.
@rla.track(record=["info", "learning_rate"], resume="auto", writers=["csv", "tensorboard", "log"])
def main(
    info: str = "baseline",
    learning_rate: float = 1e-3,
    steps: int = 60_000,
    num_envs: int = 8,
    seed: int = 1,
    checkpoint_every: int = 10_000,
) -> None:
    """Train PPO on CartPole-v1, evaluate it now and then, and play with the best model."""
    env, run = make_vec_env(ENV_ID, num_envs, seed=seed), rla.current_run()
    if rla.is_resumed():
        saved = rla.latest_checkpoint(run, "checkpoint")
        model = PPO.load(saved / "model.zip", env=env, device="cpu")
        print(f"going on at step {model.num_timesteps}")
    else:
        schedule = {"n_steps": 128, "batch_size": 256, "n_epochs": 8, "gamma": 0.98, "gae_lambda": 0.9}
        model = PPO("MlpPolicy", env, learning_rate, **schedule, seed=seed, device="cpu")

    evaluation = EvalCallback(make_vec_env(ENV_ID, seed=seed + 1), eval_freq=max(1, steps // 8 // num_envs), verbose=1)
    callbacks = [evaluation, PolicyFigure(every=max(1, steps // 3)), RLACallback(checkpoint_every)]
    model.learn(steps - model.num_timesteps, callback=callbacks, reset_num_timesteps=False)

    path = rla.latest_checkpoint(run, "best") if run else None
    if path is not None:  # none with RLA_MODE=off
        returns, _ = evaluate_policy(PPO.load(path / "model.zip", device="cpu"), env, 20, return_episode_rewards=True)
        rla.log({"best/return": float(np.mean(returns))}, step=model.num_timesteps)
        print(f"{path.name} gets {np.mean(returns):.1f} of 500, over 20 episodes")
        print(f"run:         {run.log_dir}")
        print(f"TensorBoard: tensorboard --logdir {run.paths.log_root / 'log' / run.task_name}")


def draw_policy(model: PPO) -> Figure:
    """The probability of a push to the right, over the pole's angle and its velocity, with the cart at rest."""
    angles, velocities = np.meshgrid(np.linspace(-0.2, 0.2, 81), np.linspace(-2, 2, 81))
    states = np.zeros((angles.size, 4), dtype=np.float32)
    states[:, 2], states[:, 3] = angles.ravel(), velocities.ravel()
    with torch.no_grad():
        policy = model.policy.get_distribution(torch.as_tensor(states)).distribution
    right = policy.probs[:, 1].numpy().reshape(angles.shape)
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    image = axes.pcolormesh(angles, velocities, right, cmap="RdBu", vmin=0, vmax=1, shading="gouraud")
    figure.colorbar(image, label="probability of a push to the right")
    axes.set(xlabel="angle of the pole (rad)", ylabel="its velocity (rad/s)")
    axes.set_title(f"policy after {model.num_timesteps:,} steps")
    return figure


if __name__ == "__main__":
    torch.set_num_threads(1)  # networks this small are slower on more
    typer.run(main)
