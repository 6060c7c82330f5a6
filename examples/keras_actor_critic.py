"""PPO in Keras 3 learns to balance a pole, and every run of it is kept by rla_hooks.

    python examples/keras_actor_critic.py                       # about a minute on two cores
    python examples/keras_actor_critic.py --lr 1e-3 --info slow
    KERAS_BACKEND=torch python examples/keras_actor_critic.py   # or jax
    python examples/keras_actor_critic.py --help

An update of the agent is a ``model.fit`` over what was just played, and a training is a hundred of them. One
``RLACallback`` goes through all fits and makes one curve of them: its step is the number of gradient steps so far.
The algorithm is that of Schulman et al., "Proximal Policy Optimization Algorithms", 2017,
https://arxiv.org/abs/1707.06347.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import gymnasium as gym
import keras
import numpy as np
import typer
from keras import layers, ops
from matplotlib.figure import Figure
from rla_hooks.integrations.keras import RLACallback

import rla_hooks as rla
from rla_hooks.cli import print_run

ENV_ID = "CartPole-v1"
LAST = 20  # episodes that a mean return is taken over


@keras.saving.register_keras_serializable(package="keras_actor_critic")
class ActorCritic(keras.Model):
    """A policy and a value function: two networks that share nothing, and the loss that improves both.

    ``compute_loss`` is what ``fit`` minimises. It is written in ``keras.ops``, so it runs on every backend.
    """

    def __init__(self, num_actions: int, width: int = 64, clip: float = 0.2, entropy_weight: float = 0.01, **kwargs):
        super().__init__(**kwargs)
        self.settings = {"num_actions": num_actions, "width": width, "clip": clip, "entropy_weight": entropy_weight}
        # A policy that starts near uniform explores; hence the small gain of its last layer.
        self.actor = mlp(width, num_actions, last_gain=0.01)
        self.critic = mlp(width, 1, last_gain=1.0)
        names = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")
        self.means = [keras.metrics.Mean(name) for name in names]

    def get_config(self) -> dict[str, Any]:
        """What ``.keras`` files keep, so that they load without this script's settings."""
        return {**super().get_config(), **self.settings}

    def call(self, observations: Any) -> tuple[Any, Any]:
        """Return log-probabilities of the actions, (batch, num_actions), and values, (batch,)."""
        return ops.log_softmax(self.actor(observations)), ops.squeeze(self.critic(observations), -1)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Any:
        """The clipped objective of PPO (its equations 7 and 9), as something to minimise.

        ``y`` holds a column of the batch each: ``action``, ``log_prob`` when it was taken, ``advantage``, ``target``
        of the value, and ``weight``: 1 for steps to learn from and 0 for others.
        """
        log_probs, value = y_pred
        taken = ops.one_hot(ops.cast(y["action"], "int32"), log_probs.shape[-1])
        log_ratio = ops.sum(log_probs * taken, -1) - y["log_prob"]
        ratio, clip = ops.exp(log_ratio), self.settings["clip"]
        clipped = ops.clip(ratio, 1 - clip, 1 + clip)
        policy_loss = -ops.minimum(ratio * y["advantage"], clipped * y["advantage"])
        value_loss = ops.square(value - y["target"])
        entropy = -ops.sum(ops.exp(log_probs) * log_probs, -1)
        approx_kl = ratio - 1 - log_ratio  # http://joschu.net/blog/kl-approx.html
        clip_fraction = ops.cast(ops.not_equal(ratio, clipped), ratio.dtype)
        for mean, each in zip(self.means, (policy_loss, value_loss, entropy, approx_kl, clip_fraction)):
            mean.update_state(each, y["weight"])
        loss = policy_loss + 0.5 * value_loss - self.settings["entropy_weight"] * entropy
        return ops.sum(y["weight"] * loss) / ops.sum(y["weight"])


def mlp(width: int, outputs: int, last_gain: float) -> keras.Sequential:
    """Two hidden layers and a linear one, which begin orthogonal."""
    sizes = [(width, "tanh", math.sqrt(2)), (width, "tanh", math.sqrt(2)), (outputs, "linear", last_gain)]
    starts = [keras.initializers.Orthogonal(gain) for _, _, gain in sizes]
    return keras.Sequential([layers.Dense(n, kind, kernel_initializer=at) for (n, kind, _), at in zip(sizes, starts)])


class Rollout(NamedTuple):
    """What the environments did in some steps: arrays of shape (steps, envs), but for two."""

    observations: np.ndarray  # (steps, envs, size)
    action: np.ndarray
    log_prob: np.ndarray
    value: np.ndarray  # (steps + 1, envs): the last one is of what follows the last action
    reward: np.ndarray
    terminated: np.ndarray  # the pole fell: what comes after is worth nothing
    done: np.ndarray  # terminated, or cut off by the time limit
    valid: np.ndarray  # whether the step is one of an episode, see Collector


class Collector:
    """Steps the environments, and keeps what goes over from one rollout to the next.

    Gymnasium's vector environments start a new episode in the step *after* one has ended. That step ignores
    its action and belongs to no episode, so it is not valid for learning. The good of it: the observation that
    follows the last action of an episode is in the rollout, and its value is at hand where time ran out.
    """

    def __init__(self, num_envs: int, seed: int):
        mode = gym.vector.AutoresetMode.NEXT_STEP
        self.envs = gym.vector.SyncVectorEnv([lambda: gym.make(ENV_ID)] * num_envs, autoreset_mode=mode)
        self.observations, _ = self.envs.reset(seed=seed)
        self.done = np.zeros(num_envs, dtype=bool)
        self.running_return = np.zeros(num_envs)
        self.rng = np.random.default_rng(seed)
        self.step = 0
        self.returns: list[float] = []  # of the episodes that have ended, and
        self.ended_at: list[int] = []  # the environment steps taken by then

    def rollout(self, model: ActorCritic, num_steps: int) -> Rollout:
        """Play ``num_steps`` in each environment."""
        steps = []
        for _ in range(num_steps):
            observations, valid = self.observations, ~self.done
            log_probs, value = model.predict_on_batch(observations)
            # To add Gumbel noise and take the largest is to sample: https://arxiv.org/abs/1611.01144
            action = (log_probs + self.rng.gumbel(size=log_probs.shape)).argmax(-1)
            log_prob = np.take_along_axis(log_probs, action[:, None], -1)[:, 0]
            self.observations, reward, terminated, truncated, _ = self.envs.step(action)
            self.done = terminated | truncated
            self.step += len(reward)
            self.running_return += reward
            self.returns += self.running_return[self.done].tolist()
            self.ended_at += [self.step] * int(self.done.sum())
            self.running_return[self.done] = 0
            steps.append((observations, action, log_prob, value, reward, terminated, self.done, valid))
        _, last_value = model.predict_on_batch(self.observations)
        rollout = Rollout(*(np.stack(each) for each in zip(*steps)))
        return rollout._replace(value=np.concatenate([rollout.value, last_value[None]]))

    def mean_return(self) -> float:
        """Of the newest episodes."""
        return float(np.mean(self.returns[-LAST:])) if self.returns else math.nan


def estimate_advantages(rollout: Rollout, gamma: float, gae_lambda: float) -> np.ndarray:
    """Generalised advantage estimation, https://arxiv.org/abs/1506.02438. Returns shape (steps, envs).

    An episode that time cut off would have gone on: the value of its last observation stands for the rest.
    """
    errors = rollout.reward + gamma * rollout.value[1:] * ~rollout.terminated - rollout.value[:-1]
    advantages, following = np.zeros_like(errors), 0.0
    for t in reversed(range(len(errors))):
        following = errors[t] + gamma * gae_lambda * ~rollout.done[t] * following
        advantages[t] = following
    return advantages


def training_data(rollout: Rollout, advantages: np.ndarray) -> dict[str, Any]:
    """The x and y of ``fit``: all steps in one row. Those of no episode stay, with weight 0: shapes never change."""
    chosen = advantages[rollout.valid]
    y = {
        "action": rollout.action,
        "log_prob": rollout.log_prob,
        "advantage": (advantages - chosen.mean()) / (chosen.std() + 1e-8),
        "target": advantages + rollout.value[:-1],
        "weight": rollout.valid,
    }
    x = rollout.observations.reshape(-1, rollout.observations.shape[-1])
    return {"x": x, "y": {name: column.ravel().astype(np.float32) for name, column in y.items()}}


def evaluate(model: ActorCritic, episodes: int = 20, seed: int = 10_000) -> float:
    """The mean return of the most likely actions, over episodes that are the same at every call."""
    envs = gym.vector.SyncVectorEnv([lambda: gym.make(ENV_ID)] * episodes)
    observations, _ = envs.reset(seed=seed)
    returns, running = np.zeros(episodes), np.ones(episodes, dtype=bool)
    while running.any():
        log_probs, _ = model.predict_on_batch(observations)
        observations, rewards, terminated, truncated, _ = envs.step(log_probs.argmax(-1))
        returns += rewards * running
        running &= ~(terminated | truncated)
    envs.close()
    return float(returns.mean())


def plot_returns(collector: Collector, evaluations: dict[int, float]) -> Figure:
    """All episodes of the training with their running mean, and the greedy evaluations by environment steps."""
    returns = collector.returns
    smooth = [np.mean(returns[max(0, end - LAST) : end]) for end in range(1, len(returns) + 1)]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(collector.ended_at, returns, color="#9ecae1", linewidth=0.6, label="episode, exploring")
    axes.plot(collector.ended_at, smooth, color="#08519c", linewidth=1.8, label=f"mean of {LAST} episodes")
    axes.plot(*zip(*evaluations.items()), "o", color="#d94801", markersize=5, label="greedy evaluation")
    axes.set(xlabel="environment steps", ylabel="return", ylim=(0, 520))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


def plot_policy(model: ActorCritic, epoch: int, logs: dict[str, float]) -> Figure:
    """The probability of a push to the right, by the pole's angle and its speed."""
    angle, speed = np.meshgrid(np.linspace(-0.2, 0.2, 81), np.linspace(-1, 1, 81))
    still = np.zeros_like(angle)  # the cart stands in the middle
    observations = np.stack([still, still, angle, speed], axis=-1).reshape(-1, 4).astype(np.float32)
    log_probs, _ = model.predict_on_batch(observations)
    right = np.exp(log_probs[:, 1]).reshape(angle.shape)
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    image = axes.pcolormesh(np.degrees(angle), speed, right, cmap="RdBu_r", vmin=0, vmax=1, shading="gouraud")
    if right.min() < 0.5 < right.max():
        axes.contour(np.degrees(angle), speed, right, levels=[0.5], colors="black")
    axes.set(xlabel="angle of the pole (degrees, right is above 0)", ylabel="its speed (radians a second)")
    figure.colorbar(image, label="probability of a push to the right")
    return figure


@rla.track(record=["info", "lr", "seed"])
def main(
    info: str = "ppo",
    lr: float = 2.5e-3,
    total_steps: int = 100_000,
    num_envs: int = 16,
    rollout_steps: int = 64,
    epochs: int = 4,
    minibatch: int = 256,
    gamma: float = 0.98,
    gae_lambda: float = 0.9,
    clip: float = 0.2,
    entropy_weight: float = 0.01,
    eval_every: int = 20,
    seed: int = 1,
) -> float:
    """Train an agent with PPO on CartPole-v1, keep the run, and return the evaluation of its best checkpoint.

    A perfect agent balances for 500 steps. The learning rate falls to zero over the training.
    """
    keras.utils.set_random_seed(seed)
    collector = Collector(num_envs, seed)
    sizes = collector.envs.single_observation_space.shape[0], int(collector.envs.single_action_space.n)
    model = ActorCritic(sizes[1], clip=clip, entropy_weight=entropy_weight)
    model(collector.observations)  # builds it
    updates = max(1, total_steps // (num_envs * rollout_steps))
    gradient_steps = updates * epochs * math.ceil(num_envs * rollout_steps / minibatch)
    schedule = keras.optimizers.schedules.PolynomialDecay(lr, gradient_steps, end_learning_rate=0.0)
    model.compile(keras.optimizers.Adam(schedule, epsilon=1e-5, global_clipnorm=0.5))

    callback = RLACallback(  # it counts epochs over all fits
        save_every=eval_every * epochs,
        max_to_keep=1,
        figures={"policy": plot_policy},
        figures_every=max(1, updates // 4) * epochs,
    )
    rla.new_saver(max_to_keep=1)
    evaluations: dict[int, float] = {}  # mean greedy return, by environment steps
    for update in range(1, updates + 1):
        rollout = collector.rollout(model, rollout_steps)
        data = training_data(rollout, estimate_advantages(rollout, gamma, gae_lambda))
        model.fit(**data, epochs=epochs, batch_size=minibatch, shuffle=True, verbose=0, callbacks=[callback])
        step = int(model.optimizer.iterations)
        rla.log({"perf/return": collector.mean_return(), "perf/env_steps": collector.step}, step=step)
        if update % eval_every == 0 or update == updates:
            score = evaluate(model)
            rla.log({"eval/return": score}, step=step)
            if score > max(evaluations.values(), default=0.0):
                rla.save_checkpoint({"model": model}, checkpoint_name="best")
            evaluations[collector.step] = score
    collector.envs.close()

    rla.save_figure("returns", plot_returns(collector, evaluations))
    run = rla.current_run()
    if run is None:  # with RLA_MODE=off there is nothing to load or to show
        return score
    best_step, _ = rla.load_checkpoint(checkpoint_name="best", objects={"model": model})
    score, best = evaluate(model), max(evaluations.values())
    if score != best:
        raise RuntimeError(f"the best checkpoint scores {score}, and scored {best} when it was saved")
    unseen = evaluate(model, seed=20_000)
    rla.log({"best/return": score, "best/return_unseen": unseen}, step=step)
    print(f"best checkpoint: step {best_step}, {score:.1f} over 20 episodes as when saved, {unseen:.1f} over 20 others")
    print_run(run.paths)
    return unseen


if __name__ == "__main__":
    typer.run(main)
