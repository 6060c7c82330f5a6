"""What the hook for Stable-Baselines3 adds to a dump and to a step, beside the logger that ships with SB3.

Loggers take turns in blocks of ``BLOCK`` dumps of what PPO records, in changing order. Measured is the processor time
of ``record`` and ``dump``, with that of a logger without formats taken off.
"""

import os
import random
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import torch
from rla_hooks.integrations.sb3 import RLACallback, sb3_logger
from stable_baselines3 import A2C
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, configure

BLOCK, ROUNDS = 20, 50
STEPS, REPEATS = 2_000, 3
CALLS = 20_000
OF_TRAIN = ("entropy_loss", "policy_gradient_loss", "value_loss", "approx_kl", "clip_fraction", "loss")
HIDDEN = ("time/iterations", "time/time_elapsed", "time/total_timesteps", "train/n_updates")  # from TensorBoard


def measure():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        yield from _dumps(Path(folder))
        yield from _steps(Path(folder))
        yield from _trainings(Path(folder))


def _options(folder):
    return {"task": "bench", "log_root": str(folder / "rla"), "writers": ["csv", "tensorboard"], "backup": "none"}


def _dump(logger, step):
    """What PPO records of one iteration."""
    for key in HIDDEN:
        logger.record(key, step, exclude="tensorboard")
    logger.record("time/fps", 1500)
    for key in ("rollout/ep_rew_mean", "rollout/ep_len_mean", "train/explained_variance", "train/learning_rate"):
        logger.record(key, random.random())
    for key in OF_TRAIN:
        logger.record(f"train/{key}", random.random())
    logger.dump(step)


def _dumps(folder):
    loggers = {
        "nothing": Logger(None, []),
        "ours": sb3_logger(**_options(folder)),
        "csv": configure(str(folder / "csv"), ["csv"]),
        "tensorboard": configure(str(folder / "tb"), ["tensorboard"]),
        "both": configure(str(folder / "both"), ["csv", "tensorboard"]),
    }
    seconds, step = {name: [] for name in loggers}, 0
    for _ in range(ROUNDS):
        for name in random.sample(list(loggers), len(loggers)):
            start = time.process_time()
            for _ in range(BLOCK):
                step += 1
                _dump(loggers[name], step)
            seconds[name].append(time.process_time() - start)
    loggers["ours"].run.finish()
    median = {name: statistics.median(blocks[1:]) / BLOCK for name, blocks in seconds.items()}
    over = {name: (each - median["nothing"]) * 1e6 for name, each in median.items()}
    for name, words in (
        ("both", "SB3's csv + TensorBoard"),
        ("tensorboard", "SB3's TensorBoard"),
        ("csv", "SB3's csv"),
    ):
        what = f"a dump of 15 values, beyond a logger without formats: csv + TensorBoard of a run / {words}"
        yield what, over["ours"] / over[name], None if name == "csv" else 1, "times"
    yield "the same of a run in microseconds", over["ours"], None, "us"


class Nothing(BaseCallback):
    """A callback that does nothing."""

    def _on_step(self):
        return True


def _steps(folder):
    """What ``learn`` calls in each step of the environments, and before each rollout, which has one step in SAC."""
    callback, nothing = RLACallback(**_options(folder)), Nothing()
    model = A2C("MlpPolicy", "CartPole-v1", device="cpu")
    model._setup_learn(100, [callback, nothing])
    for each in (callback, nothing):
        each.on_training_start({"total_timesteps": 100}, {})
    seconds = {callback: [], nothing: []}
    for _ in range(5):
        for each in random.sample(list(seconds), 2):
            start = time.process_time()
            for _ in range(CALLS):
                each.on_rollout_start()
                each.on_step()
            seconds[each].append((time.process_time() - start) / CALLS)
    callback.run.finish()
    ours, theirs = (statistics.median(blocks) for blocks in seconds.values())
    yield (
        "a step with RLACallback, beyond a callback that does nothing",
        (ours - theirs) * 1e6,
        5,
        "us",
    )


def _trainings(folder):
    _learn(folder, True)  # imports, caches
    pairs = [(_learn(folder, True), _learn(folder, False)) for _ in range(REPEATS)]
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    yield f"learn of {STEPS:,} steps, {STEPS // 5} dumps: RLACallback / SB3's csv + TensorBoard", ratio, 1.1, "times"


def _learn(folder, ours):
    model = A2C("MlpPolicy", "CartPole-v1", n_steps=5, seed=1, device="cpu")
    callback = RLACallback(checkpoint_every=None, **_options(folder)) if ours else None
    formats = [] if ours else ["csv", "tensorboard"]
    model.set_logger(configure(tempfile.mkdtemp(dir=folder), formats))
    start = time.process_time()
    model.learn(STEPS, callback=callback, log_interval=1)
    seconds = time.process_time() - start
    if ours:
        callback.run.finish()
    return seconds
