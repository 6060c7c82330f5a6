"""Fifteen short trainings on CartPole, three learning rates with five seeds each, to look back at.

    python examples/sweep.py                  # some ten seconds on one core
    rla runs --by lr -c perf/mean             # which learning rate is best?

The agent is REINFORCE with a linear policy, in numpy: Williams, "Simple Statistical Gradient-Following Algorithms for
Connectionist Reinforcement Learning", 1992. The lines with ``rla.`` are all there is to tracking.
"""

from __future__ import annotations

from itertools import product

import gymnasium as gym
import numpy as np

import rla_hooks as rla

LEARNING_RATES = (0.01, 0.1, 1.0)
SEEDS = range(5)
TOTAL_STEPS = 10_000  # of the environment, in each run
LAST = 20  # episodes that a mean return is taken over


@rla.track(record=["lr", "seed"], task="sweep", writers=["csv", "tensorboard"], group="learning-rates")
def train(lr: float, seed: int, gamma: float = 0.99) -> dict[str, float]:
    env = gym.make("CartPole-v1")
    random = np.random.default_rng(seed)
    weights = np.zeros(4)  # the probability of a push to the right is sigmoid(weights @ observation)
    baseline, returns, steps, episode = 0.0, [], 0, 0
    while steps < TOTAL_STEPS:
        observations, errors, rewards = play(env, weights, random, seed=seed + 1000 * episode)
        steps, episode = steps + len(rewards), episode + 1
        to_go = discounted(rewards, gamma)
        baseline += 0.05 * (to_go.mean() - baseline)
        weights += lr * (errors * (to_go - baseline)) @ observations / len(rewards)
        returns.append(float(sum(rewards)))
        rla.log(
            {"perf/return": returns[-1], "perf/mean": np.mean(returns[-LAST:]), "policy/norm": norm(weights)}, steps
        )
    rla.save_checkpoint({"weights": weights}, step=steps)
    return {"return": float(np.mean(returns[-LAST:])), "episodes": episode}


def play(env: gym.Env, weights: np.ndarray, random: np.random.Generator, seed: int):
    """Play an episode; return observations (steps, 4), errors (action - probability) and rewards (steps)."""
    observations, errors, rewards = [], [], []
    observation, _ = env.reset(seed=seed)
    done = False
    while not done:
        probability = 1 / (1 + np.exp(-weights @ observation))
        action = int(random.random() < probability)
        observations.append(observation)
        errors.append(action - probability)
        observation, reward, terminated, truncated, _ = env.step(action)
        rewards.append(reward)
        done = terminated or truncated
    return np.array(observations), np.array(errors), rewards


def discounted(rewards: list[float], gamma: float) -> np.ndarray:
    """Return what comes after each step, reward by reward."""
    total, found = 0.0, np.zeros(len(rewards))
    for step in reversed(range(len(rewards))):
        total = rewards[step] + gamma * total
        found[step] = total
    return found


def norm(weights: np.ndarray) -> float:
    return float(np.linalg.norm(weights))


NEXT = """
Now look at them, in this folder:

    rla runs -c lr,seed,perf/mean --sort -last.perf/mean -n 5    # the five best
    rla runs --by lr -c perf/mean                                # mean and spread for each learning rate
    rla tag --where "last.perf/mean > 200" good                  # label those that learned well
    rla plot perf/mean --where "'good' in tags"                  # their curves
    rla compare "lr=1.0&seed=0" "lr=0.01&seed=0"                 # what differs between two
    rla plot perf/mean --task sweep --by lr --save curves.pdf    # a figure for a paper: bands over the seeds
    rla table perf/mean --task sweep --threshold 150             # its table; --format latex
    rla export -c perf/mean -o metrics.csv                       # all of it, for a figure of your own
    rla tail latest
    python examples/sweep_and_plot.py                            # figures and a table from Python
"""

if __name__ == "__main__":
    for lr, seed in product(LEARNING_RATES, SEEDS):
        result = train(lr=lr, seed=seed)
        print(f"lr={lr} seed={seed}: mean return {result['return']:.1f} over the last {LAST} episodes")
    print(NEXT)
