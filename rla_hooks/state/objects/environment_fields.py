"""Which fields of known environments and wrappers change while they run.

A class is named by its package and its name: ``gymnasium.TimeLimit``. What an environment is made with, and the time of
the clock, is not in it. Classes without fields have an empty tuple.
"""

from __future__ import annotations

from typing import Any

_EPISODES = ("episode_count", "episode_returns", "episode_lengths", "time_queue", "return_queue", "length_queue")

ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "gymnasium.AcrobotEnv": ("state",),
    "gymnasium.AsyncVectorEnv": (),  # the members of these have the state
    "gymnasium.CartPoleEnv": ("state", "steps_beyond_terminated"),
    "gymnasium.CartPoleVectorEnv": ("state", "steps_beyond_terminated", "steps", "prev_done"),
    "gymnasium.Continuous_MountainCarEnv": ("state",),
    "gymnasium.MountainCarEnv": ("state",),
    "gymnasium.PendulumEnv": ("state", "last_u"),
    "gymnasium.BlackjackEnv": ("player", "dealer", "dealer_top_card_suit", "dealer_top_card_value_str"),
    "gymnasium.CliffWalkingEnv": ("s", "lastaction"),
    "gymnasium.FrozenLakeEnv": ("s", "lastaction"),
    "gymnasium.SyncVectorEnv": (),
    "gymnasium.TaxiEnv": ("s", "lastaction", "taxi_orientation", "fickle_step"),
    "stable_baselines3.DummyVecEnv": ("_seeds", "_options", "reset_infos"),
    "stable_baselines3.SubprocVecEnv": ("_seeds", "_options", "reset_infos"),
}

WRAPPERS: dict[str, tuple[str, ...]] = {
    "gymnasium.AtariPreprocessing": ("obs_buffer", "lives", "game_over"),
    "gymnasium.Autoreset": ("autoreset",),
    "gymnasium.DelayObservation": ("observation_queue",),
    "gymnasium.FrameStackObservation": ("obs_queue", "stacked_obs", "padding_value"),
    "gymnasium.MaxAndSkipObservation": ("_obs_buffer",),
    "gymnasium.NormalizeObservation": ("obs_rms",),
    "gymnasium.NormalizeReward": ("return_rms", "discounted_reward", "accumulated_reward", "_prev_dones"),
    "gymnasium.OrderEnforcing": ("_has_reset",),
    "gymnasium.PassiveEnvChecker": ("checked_reset", "checked_step", "checked_render"),
    "gymnasium.RecordEpisodeStatistics": (*_EPISODES, "prev_dones"),
    "gymnasium.RecordVideo": ("step_id", "episode_id", "has_autoreset"),
    "gymnasium.StickyAction": ("last_action", "is_sticky_actions", "num_repeats", "repeats_taken"),
    "gymnasium.TimeAwareObservation": ("timesteps",),
    "gymnasium.TimeLimit": ("_elapsed_steps",),
    "sb3_contrib.TimeFeatureWrapper": ("_current_step",),
    "stable_baselines3.EpisodicLifeEnv": ("lives", "was_real_done"),
    "stable_baselines3.MaxAndSkipEnv": ("_obs_buffer",),
    "stable_baselines3.Monitor": (
        *("rewards", "needs_reset", "episode_returns", "episode_lengths", "episode_times", "total_steps"),
        "current_reset_info",
    ),
    "stable_baselines3.StickyActionEnv": ("_sticky_action",),
    "stable_baselines3.VecCheckNan": ("_user_warned",),
    "stable_baselines3.VecFrameStack": ("stacked_obs",),
    "stable_baselines3.VecMonitor": ("episode_count", "episode_returns", "episode_lengths"),
    "stable_baselines3.VecNormalize": ("obs_rms", "ret_rms", "returns", "old_obs", "old_reward"),
    "stable_baselines3.VecVideoRecorder": ("step_id",),
}

#: What a restored one has whatever it had. This checker of Gymnasium compares the first steps with the reset before.
ALWAYS: dict[str, dict[str, Any]] = {"gymnasium.PassiveEnvChecker": {"checked_data_reuse": True}}

#: Packages whose other wrappers are known to have no fields.
KNOWN_PACKAGES = ("gymnasium", "stable_baselines3", "sb3_contrib")


def name_of(kind: type) -> str:
    """Return the name of a class in the tables.

    >>> import collections
    >>> name_of(collections.OrderedDict)
    'collections.OrderedDict'
    """
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def find(layer: Any, table: dict[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]] | None:
    """Return the known class that a layer is of or derives from, and its fields; None where there is none."""
    for kind in type(layer).__mro__:
        if (name := name_of(kind)) in table:
            return name, table[name]
    return None
