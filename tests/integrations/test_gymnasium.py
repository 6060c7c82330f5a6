"""track_episodes: rows are what Gymnasium's own RecordEpisodeStatistics counts, in every kind of environment."""

from __future__ import annotations

import copy
import importlib.util
import io
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings
from types import SimpleNamespace

import numpy
import pytest

import rla_hooks as rla
from rla_hooks import errors
from rla_hooks.errors import ConfigError


@pytest.fixture(scope="module")
def gym():
    """Gymnasium, our hook, and ``Line``: environments whose episodes have known lengths, rewards and pictures."""
    gymnasium = pytest.importorskip("gymnasium")
    from rla_hooks.integrations.gymnasium import track_episodes

    class Line(gymnasium.Env):
        """Episode ``n`` has ``lengths[n]`` steps. The picture has the grey of the step, 10 for each."""

        observation_space = gymnasium.spaces.Box(0, 1000, (1,), numpy.float32)
        action_space = gymnasium.spaces.Discrete(2)
        metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

        def __init__(self, lengths=(3,), reward=1.0, info=None, render_mode="rgb_array", size=(16, 12)):
            self.lengths, self.reward, self.info, self.render_mode = lengths, reward, info or {}, render_mode
            self.size, self.episode, self.at = size, -1, 0

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.episode, self.at = self.episode + 1, 0
            return numpy.zeros(1, numpy.float32), {}

        def step(self, action):
            self.at += 1
            over = self.at >= self.lengths[self.episode % len(self.lengths)]
            reward = self.reward(self) if callable(self.reward) else self.reward
            return numpy.full(1, self.at, numpy.float32), reward, over, False, dict(self.info) if over else {}

        def render(self):
            return numpy.full((self.size[1], self.size[0], 3), 10 * self.at, numpy.uint8)

    statistics = gymnasium.wrappers.RecordEpisodeStatistics
    return SimpleNamespace(track=track_episodes, Line=Line, statistics=statistics, **vars(gymnasium))


def play(env, episodes=1, seed=None):
    """Play whole episodes with random actions, and return the last info of each."""
    infos = []
    env.action_space.seed(0)
    for episode in range(episodes):
        env.reset(seed=seed if episode == 0 else None)
        over = False
        while not over:
            *_, terminated, truncated, info = env.step(env.action_space.sample())
            over = terminated or truncated
        infos.append(info)
    return infos


def play_vector(envs, steps, mode="NEXT_STEP", seed=3):
    """Step a vector environment; return (return, length, sub-environment) by its sub-environments' own statistics."""
    found = []
    envs.reset(seed=seed)
    envs.action_space.seed(0)
    for _ in range(steps):
        *_, terminated, truncated, infos = envs.step(envs.action_space.sample())
        over = terminated | truncated
        info = infos.get("final_info", {}) if mode == "SAME_STEP" else infos
        for index in numpy.flatnonzero(over):
            found.append((info["episode"]["r"][index], info["episode"]["l"][index], index))
        if mode == "DISABLED" and over.any():
            envs.reset(options={"reset_mask": over})
    return found


RUN = {"task": "t", "writers": ["csv", "tensorboard"]}


def test_rows_are_those_of_the_statistics(gym, here, only_run, rows):
    """Returns, lengths and numbers of real CartPole, by its steps; the hyper-parameters say what it is."""
    with rla.run(**RUN):
        env = gym.track(gym.statistics(gym.make("CartPole-v1")))
        theirs = [info["episode"] for info in play(env, 4, seed=7)]
        env.reset()
        env.step(0)
        env.reset()  # gives the episode up: it has no row
        env.reset()
        theirs += [info["episode"] for info in play(env, 1)]
        env.close()
        assert env.tracked_steps == sum(each["l"] for each in theirs) + 1
    ours = rows()
    assert [row["episode/return"] for row in ours] == [each["r"] for each in theirs]
    assert [row["episode/length"] for row in ours] == [each["l"] for each in theirs]
    assert all(row["episode/time"] > 0 for row in ours)
    assert [row["episode/number"] for row in ours] == [0, 1, 2, 3, 5], "a reset after a reset begins no episode"
    steps = numpy.cumsum([each["l"] for each in theirs])
    assert [row["time-step"] for row in ours] == [*steps[:4], steps[4] + 1]
    hparams = only_run().hparams
    assert (hparams["env.id"], hparams["env.seed"], hparams["env.max_episode_steps"]) == ("CartPole-v1", 7, 500)
    assert hparams["env.wrappers"][:2] == [
        "RecordEpisodeStatistics(buffer_length=100, stats_key='episode')",
        "TimeLimit(max_episode_steps=500)",
    ]
    assert hparams["env.action_space"] == "Discrete(2)"


@pytest.mark.parametrize("kind", ["Sync", "Async"])
@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP", "DISABLED"])
def test_vector_environments(gym, kind, mode, here, only_run, rows):
    """Rows are those of each sub-environment's own statistics, in each mode; resets are no steps."""
    make = [lambda n=n: gym.statistics(gym.Line((2 + n, 3), reward=0.5, info={"is_success": n == 1})) for n in range(3)]
    with rla.run(**RUN):
        vector = getattr(gym.vector, f"{kind}VectorEnv")
        envs = gym.track(vector(make, autoreset_mode=getattr(gym.vector.AutoresetMode, mode)))
        theirs = play_vector(envs, 12, mode)
        made = envs.tracked_steps
        envs.close()
    ours = rows()
    found = [(row["episode/return"], row["episode/length"], row["episode/success"]) for row in ours]
    assert found == [(total, length, index == 1) for total, length, index in theirs] and len(found) >= 8
    resets = len(theirs) if mode == "NEXT_STEP" else 0  # each in a step of its own; no episode ends with the last step
    assert made == 36 - resets and ours[-1]["time-step"] <= made
    assert ours[0]["time-step"] == 6 and ours[0]["episode/length"] == 2, "all sub-environments' steps count"
    assert sorted(row["episode/number"] for row in ours) == sorted({row["episode/number"] for row in ours})
    hparams = only_run().hparams
    assert (hparams["env.num_envs"], hparams["env.vector"]) == (3, f"{kind}VectorEnv")
    assert hparams["env.autoreset_mode"].lower() == mode.replace("_", "").lower()
    assert hparams["env.seed"] == 3
    assert hparams.get("env.id") == ("Line" if kind == "Sync" else None), "other processes are not asked"


def test_real_vector_environment(gym, here, rows):
    """CartPole by make_vec, beside Gymnasium's own vector statistics: the same numbers, before and behind ours."""
    with rla.run(**RUN):
        envs = gym.track(gym.make_vec("CartPole-v1", num_envs=4, vectorization_mode="sync"))
        outer = gym.wrappers.vector.RecordEpisodeStatistics(envs, buffer_length=1000)
        outer.reset(seed=1)
        outer.action_space.seed(0)
        for _ in range(120):
            outer.step(outer.action_space.sample())
        outer.close()
    ours = rows()
    assert [row["episode/return"] for row in ours] == list(outer.return_queue)
    assert [row["episode/length"] for row in ours] == list(outer.length_queue)


def test_arrays_of_other_libraries(gym, here, rows):
    """Rewards and flags may be tensors, also on a device; infos may be a list, as DictInfoToList makes them."""

    class Tensor(SimpleNamespace):
        detach = cpu = lambda self: self

        def __array__(self, dtype=None, copy=None):
            return self.array

    class OnDevice(gym.vector.VectorWrapper):
        def step(self, actions):
            observations, *arrays, infos = self.env.step(actions)
            return observations, *(Tensor(array=array) for array in arrays), infos

    envs = gym.vector.SyncVectorEnv([lambda: gym.Line((2,), info={"success": True})] * 2)
    with rla.run(**RUN):
        play_lines(gym.track(OnDevice(gym.wrappers.vector.DictInfoToList(envs))), 5)
    found = [(row["time-step"], row["episode/return"], row["episode/success"]) for row in rows()]
    assert found == [(4, 2.0, 1.0), (4, 2.0, 1.0), (8, 2.0, 1.0), (8, 2.0, 1.0)]


def test_steps_of_environments_that_are_gone(gym, here):
    """What was made stays made, whether an environment was closed in the middle of an episode or is only forgotten."""
    with rla.run(**RUN):
        env = gym.track(gym.Line((3,)))
        play(env)
        for is_closed in (True, False):
            other = gym.track(gym.Line((3,)))
            other.reset()
            other.step(0)
            if is_closed:
                other.close()
            del other
        assert env.tracked_steps == 5


def test_rows_of_many_environments_are_means(gym, here, rows):
    """With row_every, and with more than 64 sub-environments, a row has the means of so many episodes; none is lost."""
    make = [lambda n=n: gym.Line((1 + n,), reward=2.0, info={"success": n == 0}) for n in range(3)]
    with rla.run(**RUN):
        envs = gym.track(gym.vector.SyncVectorEnv(make), row_every=3)
        play_lines(envs, 3)  # episodes of 1 and 2 steps, then, in one step, of 1 and 3
        envs.close()
        many = gym.track(gym.vector.SyncVectorEnv([lambda: gym.Line((2,))] * 65), name="many")
        play_lines(many, 5)
        many.close()
    first, second, *others = rows()
    assert (first["episode/return"], first["episode/length"], first["episode/count"]) == (3.5, 1.75, 4)
    assert first["episode/success"] == 0.5
    assert [(row["many/count"], row["many/length"]) for row in [second, *others]] == [(65, 2), (65, 2)]


def play_lines(envs, steps):
    envs.reset()
    for _ in range(steps):
        envs.step(envs.action_space.sample())


def test_success_of_all_kinds_of_infos(gym):
    """is_success before success, masks, infos as lists, infos without keys, and no infos at all."""
    from rla_hooks.integrations._gymnasium.tracker import success_of

    masked = {"success": numpy.array([True, False]), "_success": numpy.array([False, True])}
    assert [success_of(masked, 0), success_of(masked, 1)] == [None, 0.0]
    assert success_of({"final_info": masked, "success": numpy.array([True, True])}, 1) == 0.0
    assert success_of([{}, {"is_success": True}], 1) == 1.0
    assert success_of({"success": 0, "is_success": numpy.True_}) == 1.0
    assert [success_of({}), success_of(None), success_of({"success": None}), success_of({}, 0)] == [None] * 4


def test_environments_of_one_name_count_together(gym, here, rows):
    """As the sub-environments of Stable-Baselines3 are; another name, for evaluation, counts for itself."""
    with rla.run(**RUN):
        envs = [gym.track(gym.Line((2,))) for _ in range(2)]
        for env in envs:
            env.reset()
        for _ in range(2):
            for env in envs:
                env.step(0)
        play(gym.track(gym.Line((4,)), name="eval", steps=lambda: envs[0].tracked_steps))
    first, second, evaluation = rows()
    assert [(row["time-step"], row["episode/number"]) for row in (first, second)] == [(3, 0), (4, 1)]
    assert (evaluation["time-step"], evaluation["eval/return"], evaluation["eval/number"]) == (4, 4.0, 0)


def test_environments_of_two_kinds_in_the_same_columns_are_told(gym, here, rows):
    """Training and evaluation are mixed then, and only one of them is described; of one kind it is usual."""

    class Other(gym.Line):
        """Another kind."""

    with rla.run(**RUN), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for env in (gym.Line((2,)), gym.Line((2,)), Other((3,)), Other((3,))):
            play(gym.track(env))
        play(gym.track(Other((3,)), name="eval"))
    (told,) = [str(each.message) for each in caught]
    assert "Line and Other share the columns episode/..., which mixes their episodes" in told and "name='eval'" in told
    assert rla.runs("root")[-1].hparams["env.id"] == "Line" and len(rows()) == 5


SB3 = """
import numpy, rla_hooks as rla
from rla_hooks.integrations.gymnasium import track_episodes
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv
import gymnasium as gym

with rla.run(task="t", writers=["csv"], backup="none"):
    outside = make_vec_env("CartPole-v1", n_envs=2, seed=0, wrapper_class=track_episodes)
    inside = DummyVecEnv([lambda: Monitor(track_episodes(gym.make("CartPole-v1"), name="inner"))])
    theirs = []
    for envs in (outside, inside):
        envs.reset()
        for _ in range(60):  # one action all the time: the pole falls after some ten steps
            infos = envs.step(numpy.full(envs.num_envs, 1))[3]
            theirs += [(info["episode"]["r"], info["episode"]["l"]) for info in infos if "episode" in info]
        envs.close()
    assert outside.env_is_wrapped(Monitor) == [True, True]
    assert outside.get_attr("tracked_steps") == [120, 120]
    assert inside.get_attr("tracked_steps") == [60]
rows = rla.runs()[-1].metrics().to_dict("records")
ours = [(row["episode/return"], row["episode/length"]) for row in rows if row["episode/return"] > 0]
ours += [(row["inner/return"], row["inner/length"]) for row in rows if row["inner/return"] > 0]
assert ours == theirs and len(ours) >= 12, (ours, theirs)
"""


@pytest.fixture
def program(here, warm):
    """Runs a program in a process of its own."""
    modules = "torch", "gymnasium", "stable_baselines3", "transformers", "keras"  # as in test_frameworks_docs.py
    if not all(map(importlib.util.find_spec, modules)):
        pytest.skip("one of them is not installed")

    def run(code):
        done = warm(*modules).run("-c", code, cwd=here)
        assert done.returncode == 0, done.stderr
        return done

    return run


def test_stable_baselines3(gym, program):
    """In its DummyVecEnv, around its Monitor and inside of it: the same numbers."""
    program(SB3)


SCRIPT = """
import gymnasium
from rla_hooks.integrations.gymnasium import track_episodes

env = track_episodes(gymnasium.make("CartPole-v1", max_episode_steps=5), backup="none")
for episode in range(3):
    env.reset()
    for step in range(5 - episode // 2):
        env.step(step % 2)
"""


def test_a_script_that_says_nothing_of_a_run(gym, program, rows):
    """It prints where its run is and how it went, no table for each episode; its end in an episode is no trouble."""
    done = program(SCRIPT)
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["run", "finished"] and done.stderr == ""
    assert [row["episode/return"] for row in rows()] == [5.0, 5.0]


def test_an_environment_that_resets_itself(gym, here, rows):
    """Gymnasium's Autoreset inside: there is no reset, and its step is none of an episode's."""
    with rla.run(**RUN) as run:
        env = gym.track(gym.wrappers.Autoreset(gym.Line((3,))), video="every", every=2)
        env.reset()
        for _ in range(11):
            env.step(0)
        env.close()
    assert [(row["time-step"], row["episode/length"], row["episode/return"]) for row in rows()] == [
        (3, 3, 3.0),
        (6, 3, 3.0),
        (9, 3, 3.0),
    ]
    second = video_of(run.results_dir / "videos" / "episode-2-step-9.mp4").mean(axis=(1, 2))
    assert numpy.abs(second - 10 * numpy.arange(4)).max() < 4


# --- the wrapper is one of Gymnasium's --------------------------------------------------------------------------------


def test_it_is_a_wrapper(gym, here):
    """unwrapped, attributes of the environment, the spec and what is made from it, copies and pickles."""
    env = gym.track(gym.make("CartPole-v1", render_mode="rgb_array"), video=["first", "every"], every=5, task="t")
    assert env.unwrapped is env.env.unwrapped and env.get_wrapper_attr("gravity") == 9.8
    assert not any(env.has_wrapper_attr(name) for name in ("_shared", "_return", "_length", "_tracker", "_films"))
    again = gym.make(pickle.loads(pickle.dumps(env.spec)))
    assert type(again) is type(env) and again.spec == env.spec
    assert "TrackEpisodes" in env.spec.to_json()
    assert not (here / "root").exists(), "nothing was created"


def test_copies(gym, here, rows):
    """A deep copy looks ahead, and records nothing; a pickled one joins the run that is open where it is loaded."""
    with rla.run(**RUN):
        env = gym.track(gym.Line((3,)))
        env.reset()
        env.step(0)
        ahead, sent = copy.deepcopy(env), pickle.dumps(gym.track(gym.make("CartPole-v1", max_episode_steps=2)))
        for _ in range(2):
            ahead.step(0)
            env.step(0)
        play(copy.deepcopy(env))
    assert [row["episode/return"] for row in rows()] == [3.0]
    with rla.run(**RUN):
        play(pickle.loads(sent))
    assert [run.metrics()["episode/length"].tolist() for run in rla.runs()] == [[3], [2]]


def test_a_vector_wrapper(gym, here, rows):
    """Its attributes are the vector environment's; it can be copied, too."""
    with rla.run(**RUN):
        envs = gym.track(gym.vector.SyncVectorEnv([gym.Line] * 2))
        assert envs.unwrapped is envs.env and envs.num_envs == 2 and envs.single_action_space.n == 2
        play_lines(envs, 2)
        play_lines(copy.deepcopy(envs), 3)
        assert envs.tracked_steps == 4
    with pytest.raises(ConfigError, match=r"autoreset_mode.*'soon'. Allowed: .*NEXT_STEP"):
        odd = gym.vector.SyncVectorEnv([gym.Line])
        odd.metadata = {"autoreset_mode": "soon"}
        gym.track(odd)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_all_mistakes_at_once(gym, here):
    """Before anything is created, with what is allowed."""
    with pytest.raises(ConfigError) as caught:
        gym.track(gym.Line(), video="frist", every=0, keep=0, max_frames="all", name="a/b", steps=3, bakup="none")
    text = str(caught.value)
    for part in ("video is 'frist'", "every is 0", "keep is 0", "max_frames", "name is 'a/b'", "steps is 3", "backup"):
        assert part in text
    with pytest.raises(ConfigError, match=r"every is 5.*beside video='every'"):
        gym.track(gym.Line(), every=5)
    with pytest.raises(ConfigError, match=r"render_mode is None.*gymnasium.make\('CartPole-v1', render_mode='rgb_arr"):
        gym.track(gym.make("CartPole-v1"), video="first")
    with pytest.raises(ConfigError, match=r"env is 'CartPole-v1' \(str\). Allowed: .*wrapper_class=track_episodes"):
        gym.track("CartPole-v1")
    tracked = gym.track(gym.Line())
    for twice in (
        tracked,
        gym.wrappers.TimeLimit(tracked, 5),
        gym.vector.SyncVectorEnv([lambda: gym.track(gym.Line())]),
    ):
        with pytest.raises(ConfigError, match="tracked already"):
            gym.track(twice)
    assert not (here / "root").exists()


def test_odd_rewards_and_infos(gym, here, rows, warnings_as_text):
    """NaN, no number, arrays of one or several elements, an info that raises: one warning each, and a row each."""

    class Bad(dict):
        def get(self, key, default=None):
            raise RuntimeError("not now")

    with rla.run(**RUN):
        for reward in (float("nan"), None, numpy.ones(2), numpy.float32(0.5), "x"):
            env = gym.track(gym.Line((2,), reward=reward))
            play(env, 2)
        raising = gym.Line((1,))
        raising.step = lambda action: (numpy.zeros(1), 1.0, True, False, Bad())
        play(gym.track(raising))
        vector = gym.track(gym.vector.SyncVectorEnv([lambda: gym.Line((2,), reward=float("nan")), gym.Line]))
        play_lines(vector, 4)
        several = gym.vector.SyncVectorEnv([gym.Line] * 2)
        step, several.step = several.step, lambda actions: (None, numpy.ones((2, 3)), *step(actions)[2:])
        play_lines(gym.track(several), 3)
    returns = [row["episode/return"] for row in rows()]
    assert numpy.isnan(returns[:6]).all() and returns[6:8] == [1.0, 1.0] and numpy.isnan(returns[8:10]).all()
    assert returns[10] == 1.0 and numpy.isnan(returns[11]) and returns[12] == 3.0 and numpy.isnan(returns[13:]).all()
    kinds = ["is NaN: the environment", "a reward is no number", "success of an episode", "rewards are no array"]
    assert [sum(kind in text for text in warnings_as_text) for kind in kinds] == [1] * 4 and len(warnings_as_text) == 4
    warnings_as_text.clear()


def test_rewards_of_one_element_are_numbers(gym, here, rows, warnings_as_text):
    """An environment that computes them by numpy gives arrays of shape (1,), and a vector of such (n, 1)."""
    with rla.run(**RUN):
        play(gym.track(gym.Line((2,), reward=numpy.array([0.5]))))
        vector = gym.vector.SyncVectorEnv([gym.Line] * 2)
        step, vector.step = vector.step, lambda actions: (None, numpy.ones((2, 1)), *step(actions)[2:])
        play_lines(gym.track(vector), 3)
    assert [row["episode/return"] for row in rows()] == [1.0, 3.0, 3.0]
    assert not warnings_as_text


def test_an_environment_that_changes(gym, here, rows):
    """Another observation, another size of pictures, other keys of infos: nothing of it matters."""
    with rla.run(**RUN) as run:
        line = gym.Line((3,))
        env = gym.track(line, video="first")
        env.reset()
        env.step(0)
        line.size, line.info = (31, 17), {"success": True}
        env.observation_space = gym.spaces.Box(0, 1, (5,))
        env.step(0)
        env.step(0)
        assert video_of(run.results_dir / "videos" / "episode-0-step-3.mp4").shape == (4, 12, 16)
    assert [(row["episode/return"], row["episode/success"]) for row in rows()] == [(3.0, 1.0)]


def test_workers_record_nothing(gym, here, runs, capfd, monkeypatch):
    """A tracked environment inside of an AsyncVectorEnv says once what to do; around it all is recorded."""
    monkeypatch.setattr(errors, "_print_as_text", lambda text, file, line: os.write(2, text.encode()))
    make = [lambda: gym.track(gym.Line((2,)))] * 2
    with rla.run(**RUN) as run:
        envs = gym.track(gym.vector.AsyncVectorEnv(make, context="fork"), name="outer")
        play_lines(envs, 5)
        envs.close()
    play_lines(lonely := gym.vector.AsyncVectorEnv(make, context="fork"), 4)
    lonely.close()
    assert [each.name for each in runs()] == [run.name], "no worker makes a run of its own"
    assert [path.name for path in run.log_dir.glob("*.csv")] == ["progress.csv"]
    assert runs()[0].metrics()["outer/return"].tolist() == [2.0] * 4
    assert capfd.readouterr().err.count("Track the vector environment, in the process that has the run") == 2


def test_without_a_run_there_is_a_new_one(gym, here, runs, end_of_process, warnings_as_text):
    """It begins with the first reset, and ends with the process. In an open run its options are of no use."""
    env = gym.track(gym.Line((2,)), task="alone", record={"info": "x"}, writers=["csv"])
    assert runs() == []
    play(env, 2)
    assert [(run.task, run.hparams["info"], run.status) for run in runs()] == [("alone", "x", "running")]
    with rla.run(**RUN):
        play(env)
    assert (
        warnings_as_text == [text for text in warnings_as_text if "task, record, writers are of no use" in text] != []
    )
    warnings_as_text.clear()
    end_of_process()
    assert [(run.status, len(run.metrics())) for run in runs()] == [("finished", 2), ("finished", 1)]


def test_environments_of_a_training_share_the_run_that_is_created(gym, here, runs):
    """They are all reset before the first step, as those of a DummyVecEnv are; those of the next training are not."""

    def train():
        envs = [gym.track(gym.Line((2,)), task="alone", writers=["csv"]) for _ in range(2)]
        for env in envs:
            env.reset()
        for _ in range(2):
            for env in envs:
                env.step(0)
        return envs

    kept = train(), train()
    assert len(kept) == len(runs()) == 2
    assert [run.metrics()["time-step"].tolist() for run in runs()] == [[3, 4], [3, 4]]


def test_off_and_other_ranks(gym, here, runs, monkeypatch):
    """Nothing is recorded, nothing rendered."""
    monkeypatch.setenv("RLA_MODE", "off")
    line = gym.Line((2,))
    line.render = lambda: pytest.fail("rendered")
    with rla.run(**RUN):
        play(gym.track(line, video="first"))
    play(gym.track(line, video="best"))
    assert runs() == []


def test_it_goes_on_in_a_run_that_is_resumed(gym, here, only_run):
    """Steps and numbers go on behind the checkpoint that was loaded."""
    with pytest.raises(KeyboardInterrupt), rla.run(**RUN) as run:
        env = gym.track(gym.Line((3,)))
        play(env, 2)
        rla.save_checkpoint({"weights": [1.0]}, step=env.tracked_steps)
        play(env, 1)
        raise KeyboardInterrupt
    with rla.run(**RUN, resume=run.name):
        rla.load_checkpoint()
        play(gym.track(gym.Line((3,))), 2)
    metrics = only_run().metrics()
    assert metrics["time-step"].tolist() == [3, 6, 9, 12]
    assert metrics["episode/number"].tolist() == [0, 1, 2, 3]


def test_a_checkpoint_that_is_loaded_after_the_first_reset(gym, here, only_run):
    """As in SB3's learn: steps go on at the checkpoint, numbers behind the rows that stay; no more videos are kept."""
    video = {"video": ["every", "best"], "every": 1, "keep": 2}
    with pytest.raises(KeyboardInterrupt), rla.run(**RUN) as run:
        env = gym.track(gym.Line((3,)), **video)
        play(env, 2)
        env.reset()
        env.step(0)
        rla.save_checkpoint({"weights": [1.0]}, step=env.tracked_steps)
        play(env, 2)
        raise KeyboardInterrupt
    with rla.run(**RUN, resume=run.name):
        env = gym.track(gym.Line((3,)), **video)
        env.reset()
        rla.load_checkpoint()
        play(env, 2)
    metrics = only_run().metrics()
    assert metrics["time-step"].tolist() == [3, 6, 10, 13]
    assert metrics["episode/number"].tolist() == [0, 1, 2, 3]
    kept = ["best-episode-0-step-3.mp4", "episode-2-step-10.mp4", "episode-3-step-13.mp4"]
    assert names(run) == kept, "no later return was higher than that of the first episode"


@pytest.mark.parametrize("kind", ["single", "vector", "means"])
def test_a_whole_state_amid_episodes(gym, here, runs, kind):
    """A run that goes on from it has the rows of one that was never interrupted: returns, lengths, numbers, steps."""
    import gymnasium

    def make():
        if kind == "single":
            return gym.track(gymnasium.make("CartPole-v1", max_episode_steps=15))
        envs = [lambda: gymnasium.make("CartPole-v1", max_episode_steps=15)] * 3
        return gym.track(gymnasium.vector.SyncVectorEnv(envs), row_every=3 if kind == "means" else 1)

    def train(stop_at=None):
        env = make()
        state = rla.load_state(env=env)
        if state is None:
            env.reset(seed=1), env.action_space.seed(2)
        else:
            assert state.missing == []
        for step in range(state.step + 1 if state else 0, 70):
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if kind == "single" and (terminated or truncated):
                env.reset()
            if step == 31:
                rla.save_state(step, env=env)
            if step == stop_at:
                raise KeyboardInterrupt

    with rla.run(**RUN):
        train()
    with pytest.raises(KeyboardInterrupt), rla.run(**RUN) as run:
        train(stop_at=50)
    with rla.run(**RUN, resume=run.name):
        train()
    whole, resumed = (run.metrics().drop(columns=["timestamp", "episode/time"]) for run in runs())
    assert len(whole) > 3 and resumed.equals(whole)


# --- videos -----------------------------------------------------------------------------------------------------------


def video_of(path):
    """The grey of each pixel of each frame, by another reader."""
    import imageio_ffmpeg

    reader = imageio_ffmpeg.read_frames(str(path), pix_fmt="gray", bits_per_pixel=8)
    width, height = next(reader)["source_size"]
    return numpy.stack([numpy.frombuffer(frame, numpy.uint8).reshape(height, width) for frame in reader])


def names(run, pattern="*"):
    return sorted(path.name for path in (run.results_dir / "videos").glob(pattern))


def gifs(run, read_events):
    """The GIFs in the event files: (tag, step, number of frames)."""
    from PIL import Image

    found = []
    for event in read_events(run.tensorboard_dir):
        for value in event.summary.value:
            data = value.image.encoded_image_string or (value.tensor.string_val[2:] or [b""])[0]
            if data.startswith(b"GIF"):
                found.append((value.tag, event.step, Image.open(io.BytesIO(data)).n_frames))
    return found


def test_chosen_episodes_have_videos(gym, here, read_events):
    """The first, those at intervals, and the best: whole, as mp4 files, and in TensorBoard; the newest are kept."""
    lengths = (4, 2, 6, 3, 5, 1, 2, 2)
    with rla.run(**RUN) as run:
        env = gym.track(gym.Line(lengths), video=["first", "every", "best"], every=2, keep=2)
        play(env, len(lengths))
        env.close()
    files = ["best-episode-2-step-12.mp4", "episode-0-step-4.mp4", "episode-4-step-20.mp4", "episode-6-step-23.mp4"]
    assert names(run) == files, "of the older ones the first one stays"
    best = video_of(run.results_dir / "videos" / files[0])
    assert best.shape == (7, 12, 16)
    assert numpy.abs(best.mean(axis=(1, 2)) - 10 * numpy.arange(7)).max() < 4, "from the reset to the last step"
    assert gifs(run, read_events) == [
        *(("videos/episode", 4, 5), ("videos/best-episode", 4, 5), ("videos/episode", 12, 7)),
        *(("videos/best-episode", 12, 7), ("videos/episode", 20, 6), ("videos/episode", 23, 3)),
    ]


def test_which_numbers_are_chosen():
    """Cubes up to 1000, then each thousandth; a function of the user's; several words at once."""
    from rla_hooks.integrations._gymnasium.videos import Videos

    def chosen(video, every=None, top=3001):
        videos = Videos(video, every, 10, 100)
        return [number for number in range(top) if videos.is_chosen(number)]

    assert chosen("cubes") == [0, 1, 8, 27, 64, 125, 216, 343, 512, 729, 1000, 2000, 3000]
    assert chosen("every", top=301) == [0, 100, 200, 300]
    assert chosen(["first", lambda number: number == 7]) == [0, 7]
    assert chosen("best") == chosen(None) == []


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP", "DISABLED"])
def test_videos_of_vector_environments(gym, mode, here):
    """Each shows one sub-environment's episode from its reset on; in SAME_STEP its last picture is not to be had."""
    autoreset = getattr(gym.vector.AutoresetMode, mode)
    with rla.run(**RUN) as run:
        make = [lambda n=n: gym.statistics(gym.Line((2 + n, 4))) for n in range(2)]
        envs = gym.track(
            gym.vector.SyncVectorEnv(make, autoreset_mode=autoreset), video=lambda number: number in (1, 2)
        )
        play_vector(envs, 8, mode)
        envs.close()
    shown = [video_of(run.results_dir / "videos" / name).mean(axis=(1, 2)) for name in names(run)]
    last = mode != "SAME_STEP"
    assert [len(frames) for frames in shown] == [3 + last, 4 + last]
    assert all(numpy.abs(frames - 10 * numpy.arange(len(frames))).max() < 4 for frames in shown)


def test_a_video_of_an_environment_in_another_process(gym, here):
    """It is asked for all pictures, and one of them is taken."""
    with rla.run(**RUN) as run:
        make = [lambda n=n: gym.Line((3 + n,)) for n in range(2)]
        envs = gym.track(gym.vector.AsyncVectorEnv(make, context="fork"), video=lambda number: number == 1)
        play_lines(envs, 5)
        envs.close()
    frames = video_of(run.results_dir / "videos" / "episode-1-step-7.mp4").mean(axis=(1, 2))
    assert numpy.abs(frames - 10 * numpy.arange(5)).max() < 4


def test_users_own_wrappers_beside(gym, here, rows):
    """RecordVideo and RenderCollection go on as without ours: no picture is taken away from them."""
    pytest.importorskip("moviepy")
    with rla.run(**RUN) as run:
        recorded = gym.wrappers.RecordVideo(gym.Line((3,)), str(here / "mine"), episode_trigger=lambda n: n == 0)
        env = gym.statistics(gym.track(recorded, video="first"))
        assert play(env, 2)[0]["episode"]["l"] == 3
        env.close()
        collected = gym.track(gym.wrappers.RenderCollection(gym.Line((3,))), name="list", video="first")
        play(collected)
        assert len(collected.render()) == 4
    theirs, ours = here / "mine" / "rl-video-episode-0.mp4", run.results_dir / "videos" / "episode-0-step-3.mp4"
    assert video_of(theirs).shape == video_of(ours).shape == (4, 12, 16)
    assert names(run) == ["episode-0-step-3.mp4", "list-0-step-3.mp4"]


def test_an_episode_that_is_cut_off(gym, here, runs):
    """By close, by an exception, by another reset: the video shows what there was, and is not that of the best."""
    with pytest.raises(ZeroDivisionError), rla.run(**RUN) as run:
        env = gym.track(gym.Line((9,)), video=["first", "best"])
        env.reset()
        env.step(0)
        env.reset()
        closed = gym.track(gym.Line((9,)), name="closed", video="first")
        closed.reset()
        closed.close()
        failing = gym.track(gym.Line((9,)), name="failing", video="first")
        failing.reset()
        failing.step(0)
        raise ZeroDivisionError
    assert runs()[-1].status == "failed"
    assert names(run) == ["closed-0-step-0.mp4", "episode-0-step-1.mp4", "failing-0-step-1.mp4"]


def test_without_an_encoder(gym, here, warnings_as_text, monkeypatch, read_events):
    """imageio-ffmpeg is missing, or fails: one warning, and GIFs."""
    from rla_hooks.integrations import _versions
    from rla_hooks.integrations._gymnasium import videos

    def film(name):
        with rla.run(**RUN) as run:
            play(gym.track(gym.Line((3,)), video="every", every=1, keep=2, name=name), 3)
        (text,) = warnings_as_text
        warnings_as_text.clear()
        assert len(gifs(run, read_events)) == 3
        assert names(run) == [f"{name}-6.gif", f"{name}-9.gif"], "no more of them are kept than of mp4 files"
        return text

    is_installed = _versions.is_installed
    monkeypatch.setattr(_versions, "is_installed", lambda name: name != "imageio_ffmpeg" and is_installed(name))
    videos._warn_of_encoder.forget_all()
    assert "imageio-ffmpeg is not installed, so videos are saved as GIFs only" in film("missing")
    monkeypatch.setattr(_versions, "is_installed", is_installed)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/bin/false")
    assert "ffmpeg has ended with 1" in film("failing")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(here / "nothing"))
    assert "No such file" in film("gone")


def test_a_render_that_fails(gym, here, rows, warnings_as_text):
    """One warning, no more videos, and the training goes on; so with a function of the user's that raises."""
    with rla.run(**RUN) as run:
        for bad in (lambda: 1 / 0, lambda: None, lambda: numpy.zeros(5), list):
            line = gym.Line((2,))
            line.render = bad
            play(gym.track(line, video="every", every=1), 2)
        play(gym.track(gym.Line((2,)), video=lambda number: 1 / 0))
        play(gym.track(gym.Line((2,)), steps=lambda: None))
    assert len(rows()) == 10 and not names(run)
    assert "no more videos are recorded: ZeroDivisionError" in warnings_as_text[0]
    assert "steps() has failed" in warnings_as_text[1] and len(warnings_as_text) == 2
    warnings_as_text.clear()


def test_long_videos_take_no_memory(tmp_path, monkeypatch):
    """Frames go to ffmpeg when they are many, the GIF has few, and the end of a video is cut at max_frames."""
    film = pytest.importorskip("rla_hooks.integrations._gymnasium.film")
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    monkeypatch.setattr(film, "_SPOOL", 100_000)
    made = film.Film(tmp_path, ffmpeg, 30, 500)
    held = 0
    for number in range(500):
        made.add(numpy.full((45, 61), number % 250, numpy.uint8))
        held = max(held, len(made._spool))
    assert held < 15 and made.is_full and made.save(tmp_path / "v.mp4")
    frames, fps = made.gif()
    assert len(frames) <= 64 and fps == 8
    assert video_of(tmp_path / "v.mp4").shape == (500, 46, 62), "even numbers of rows and columns"
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]
    dropped = film.Film(tmp_path, ffmpeg, 30, 500)
    for _ in range(30):
        dropped.add(numpy.zeros((40, 60, 4), numpy.float32))
    dropped.drop()
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"], "what was begun is gone"


def test_a_process_that_is_forked_while_a_film_is_open(tmp_path, monkeypatch, forked):
    """It does not hold the pipe open, for whose end ffmpeg waits, and what it does with its copy is nothing to ours."""
    film = pytest.importorskip("rla_hooks.integrations._gymnasium.film")
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    monkeypatch.setattr(film, "_SPOOL", 0)
    monkeypatch.setattr(film, "_WAIT", 60)
    made = film.Film(tmp_path, ffmpeg, 30, 500)
    made.add(numpy.zeros((40, 60, 3), numpy.uint8))
    child = forked(lambda: (made.drop(), (tmp_path / "dropped").touch(), time.sleep(200)))
    try:
        deadline = time.monotonic() + 100
        while not (tmp_path / "dropped").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert made.save(tmp_path / "v.mp4"), made.error
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.ended()


def test_a_program_that_ends_in_a_film_leaves_no_temporary_file(tmp_path):
    """As after Ctrl-C: ffmpeg is ended, too."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    script = f"""
import numpy
from pathlib import Path
from rla_hooks.integrations._gymnasium import film
film._SPOOL = 0
made = film.Film(Path("films"), {str(ffmpeg)!r}, 30, 500)
made.add(numpy.zeros((40, 60, 3), numpy.uint8))
raise KeyboardInterrupt
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "KeyboardInterrupt" in done.stderr
    assert [*(tmp_path / "films").iterdir()] == []


def test_tensorboard_gets_fewer_and_fewer(tmp_path):
    """Of ten thousand videos it gets some sixty: its files never shrink."""
    from rla_hooks.integrations._gymnasium.videos import Shelf

    shelf, shown = Shelf("episode"), []
    film = SimpleNamespace(gif=lambda: (None, 8))
    run = SimpleNamespace(add_video=lambda tag, frames, step, fps: shown.append(step))
    for number in range(10_000):
        shelf._show(run, film, "", number)
    assert shown[:14] == [*range(10), 10, 12, 14, 16] and 50 < len(shown) < 70
