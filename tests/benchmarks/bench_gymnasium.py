"""What track_episodes adds to a step, beside Gymnasium's own RecordEpisodeStatistics, which writes nothing.

The environments do next to nothing, so that the difference is what the wrappers cost; episodes have ``LENGTH`` steps.
The wrappers take turns in blocks of ``BLOCK`` steps, whose processor time is measured; rows go to csv and TensorBoard.
In each step of the 1,024 sub-environments two episodes end.
"""

import os
import random
import statistics
import tempfile
import time
from pathlib import Path

import gymnasium
import numpy
from gymnasium.vector import AutoresetMode
from rla_hooks.integrations.gymnasium import track_episodes

import rla_hooks as rla

LENGTH, BLOCK, ROUNDS = 500, 2_000, 25  # the length of CartPole's, once it is learned
BOUND = 5  # microseconds


class Nothing(gymnasium.Env):
    """An environment that counts to ``LENGTH``."""

    observation_space = gymnasium.spaces.Box(0, 1, (4,))
    action_space = gymnasium.spaces.Discrete(2)
    at = 0

    def reset(self, *, seed=None, options=None):
        self.at = 0
        return None, {}

    def step(self, action):
        self.at += 1
        return None, 1.0, self.at >= LENGTH, False, {}


class NothingVector(gymnasium.vector.VectorEnv):
    """A vector environment whose sub-environments end one after the other."""

    def __init__(self, count):
        self.num_envs, self.at, self.over = count, 0, numpy.zeros(count, bool)
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.rewards, self.truncated = numpy.ones(count), numpy.zeros(count, bool)
        self.offsets = numpy.arange(count) * LENGTH // count
        self.single_observation_space = self.observation_space = gymnasium.spaces.Box(0, 1, (4,))
        self.single_action_space = self.action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return None, {}

    def step(self, actions):
        self.at += 1
        return None, self.rewards, (self.at + self.offsets) % LENGTH == 0, self.truncated, {}


def measure():
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        options = {"log_root": str(Path(folder) / "rla"), "writers": ["csv", "tensorboard"], "backup": "none"}
        with rla.run(task="bench", **options):
            ends = gymnasium.wrappers.RecordEpisodeStatistics
            yield from _compare("a step", Nothing, lambda env, name: track_episodes(env, name=name), ends)
            ends = gymnasium.wrappers.vector.RecordEpisodeStatistics
            for count in (8, 1024):
                yield from _compare(
                    f"a step of {count:,} sub-environments",
                    lambda count=count: NothingVector(count),
                    lambda env, name: track_episodes(env, name=name),
                    ends,
                )


def _compare(what, make, ours, theirs):
    envs = {"bare": make(), "ours": ours(make(), what), "theirs": theirs(make())}
    seconds = {name: [] for name in envs}
    order = list(envs)
    for _ in range(ROUNDS):
        random.shuffle(order)
        for name in order:
            seconds[name].append(_block(envs[name]))
    bare, own, other = (statistics.median(seconds[name][1:]) / BLOCK * 1e6 for name in ("bare", "ours", "theirs"))
    bound = BOUND if "1,024" not in what else None
    yield f"{what}: track_episodes over the bare environment", own - bare, bound, "us"
    yield (
        f"{what}, beyond the bare environment: track_episodes / RecordEpisodeStatistics",
        (own - bare) / (other - bare),
        1,
        "times",
    )


def _block(env):
    env.reset()
    single = isinstance(env, gymnasium.Env)
    start = time.process_time()
    for _ in range(BLOCK):
        _, _, terminated, _, _ = env.step(0)
        if single and terminated:
            env.reset()
    return time.process_time() - start
