"""Environments, normalizers and buffers of Stable-Baselines3 go on exactly."""

from __future__ import annotations

import copy
import sys
import types
from types import SimpleNamespace

import numpy
import pytest

from rla_hooks.state import objects
from rla_hooks.state.objects.normalizers import normalizer_of


@pytest.fixture(scope="module")
def sb3():
    """SB3 would import TensorFlow, for TensorBoard, if it is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tensorboard.compat.notf", types.ModuleType("notf"))
        pytest.importorskip("stable_baselines3")
        import torch.utils.tensorboard as _  # noqa: F401
    import gymnasium
    from stable_baselines3.common import buffers, monitor, vec_env
    from stable_baselines3.her import HerReplayBuffer

    return SimpleNamespace(gym=gymnasium, buffers=buffers, vec=vec_env, monitor=monitor, Her=HerReplayBuffer)


@pytest.fixture
def tree_of(through_files):
    """Gives the tree of an object as it comes from the files of a state."""
    return lambda value: through_files(objects.capture(value, "it").tree)


def steps(venv, count):
    found = []
    for _ in range(count):
        actions = numpy.array([venv.action_space.sample() for _ in range(venv.num_envs)])
        observations, rewards, dones, infos = venv.step(actions)
        for info in infos:
            info.get("episode", {}).pop("t", None)  # seconds
        found.append(repr((actions, observations.tolist(), rewards.tolist(), dones, infos)))
    return found


def continues(make, through_files, used):
    first, second = make(), make()
    first.seed(3), first.reset(), first.action_space.seed(4), steps(first, 15)
    captured = objects.capture(first, "env")
    assert captured.missing == []
    tree = through_files(captured.tree)
    expected = steps(first, 15)
    if used:
        second.seed(5), second.reset(), steps(second, 3)
    assert objects.restore(second, tree, "env") == []
    found = steps(second, 15)
    first.close(), second.close()
    return found == expected


def test_vectors(sb3, through_files):
    """Vectors with Monitor, frames and a normalizer go on, in this process and in others."""

    def functions(count=2):
        return [lambda: sb3.monitor.Monitor(sb3.gym.make("Pendulum-v1", max_episode_steps=7)) for _ in range(count)]

    def plain():
        return [lambda: sb3.gym.make("Pendulum-v1", max_episode_steps=7)] * 2

    vec = sb3.vec
    for used in (True, False):
        assert continues(
            lambda: vec.VecFrameStack(vec.VecNormalize(vec.DummyVecEnv(functions())), 3), through_files, used
        )
        assert continues(lambda: vec.VecMonitor(vec.SubprocVecEnv(plain(), start_method="fork")), through_files, used)
    one, two = vec.DummyVecEnv(functions(1)), vec.DummyVecEnv(functions())
    tree = through_files(objects.capture(two).tree)
    assert objects.restore(one, tree, "env") == ["env has 1 environments and in the state 2"]


def test_vec_normalize(sb3, tree_of):
    """The statistics are restored without the environment inside; those of another space are named."""

    def make(**options):
        return sb3.vec.VecNormalize(sb3.vec.DummyVecEnv([lambda: sb3.gym.make("Pendulum-v1")]), **options)

    first, second = make(), make()
    first.reset(), steps(first, 9), second.reset()
    inner = copy.deepcopy(second.venv.envs[0].unwrapped.state)
    assert objects.restore(normalizer_of(second), tree_of(normalizer_of(first))) == []
    for name in ("obs_rms", "ret_rms"):
        assert repr(vars(getattr(first, name))) == repr(vars(getattr(second, name)))
    assert numpy.array_equal(first.returns, second.returns)
    assert numpy.array_equal(second.venv.envs[0].unwrapped.state, inner)
    cart = sb3.vec.VecNormalize(sb3.vec.DummyVecEnv([lambda: sb3.gym.make("CartPole-v1")]))
    assert "and in the state Box" in objects.restore(normalizer_of(cart), tree_of(normalizer_of(first)), "norm")[0]
    assert numpy.array_equal(first.normalize_obs(numpy.ones(3)), second.normalize_obs(numpy.ones(3)))


def filled(buffer, count, seed=0):
    stream, n = numpy.random.default_rng(seed), buffer.n_envs
    spaces = getattr(buffer.observation_space, "spaces", None)

    def observation():
        return {k: stream.normal(size=(n, 2)) for k in spaces} if spaces else stream.normal(size=(n, 3))

    for index in range(count):
        done = numpy.full(n, index % 5 == 4)
        step = observation(), observation(), stream.normal(size=(n, 1)), stream.normal(size=n), done
        buffer.add(*step, [{"index": index} for _ in range(n)])
    return buffer


def drawn(buffer):
    numpy.random.seed(1)
    return repr([buffer.sample(6) for _ in range(3)])


def test_replay_buffers(sb3, tree_of):
    """Filled in place, sampled alike, and further transitions go where they would have gone."""
    box = sb3.gym.spaces.Box(-1, 1, (3,), numpy.float32)
    action = sb3.gym.spaces.Box(-1, 1, (1,), numpy.float32)
    small = sb3.gym.spaces.Box(-1, 1, (2,), numpy.float32)
    keys = sb3.gym.spaces.Dict(observation=small, achieved_goal=small, desired_goal=small)
    lean = {"optimize_memory_usage": True, "handle_timeout_termination": False}
    goals = SimpleNamespace(
        num_envs=2, env_method=lambda name, reached, wanted, *rest, **options: [-numpy.abs(reached - wanted).sum(1)]
    )
    makers = [
        lambda: sb3.buffers.ReplayBuffer(20, box, action, n_envs=2),
        lambda: sb3.buffers.ReplayBuffer(20, box, action, **lean),
        lambda: sb3.buffers.DictReplayBuffer(20, keys, action, n_envs=2),
        lambda: sb3.Her(40, keys, action, env=goals, n_envs=2, copy_info_dict=True),
    ]
    for make in makers:
        first, second = filled(make(), 27), filled(make(), 3, seed=2)
        arrays = {name: part for name, part in vars(second).items() if isinstance(part, numpy.ndarray)}
        assert objects.restore(second, tree_of(first), "buffer") == []
        assert all(getattr(second, name) is part for name, part in arrays.items())
        assert drawn(second) == drawn(first)
        assert drawn(filled(second, 2)) == drawn(filled(first, 2))
    small_one = sb3.buffers.ReplayBuffer(10, box, action, n_envs=2)
    problems = objects.restore(small_one, tree_of(makers[0]()), "buffer")
    assert problems[0] == "buffer.observations has shape (5, 2, 3) and in the state (10, 2, 3)"
    assert not small_one.observations.any()


def test_rollout_buffers(sb3, tree_of):
    """Also one that is being read, whose arrays have another shape then; other sizes are named."""
    import torch

    box = sb3.gym.spaces.Box(-1, 1, (3,), numpy.float32)

    def make(size=4):
        return sb3.buffers.RolloutBuffer(size, box, box, n_envs=2)

    first, second = make(), make()
    for _ in range(4):
        values = numpy.random.default_rng(0).normal(size=(2, 3))
        first.add(values, values, values[:, 0], values[:, 1] > 0, torch.ones(2), torch.ones(2))
    first.compute_returns_and_advantage(torch.ones(2), numpy.zeros(2))
    list(first.get(4))
    assert objects.restore(second, tree_of(first), "buffer") == []
    numpy.random.seed(2)
    expected = repr(list(first.get(4)))
    numpy.random.seed(2)
    assert repr(list(second.get(4))) == expected
    assert objects.restore(make(5), tree_of(first), "b")[0] == "b.buffer_size is 5 and in the state 4"


def test_every_wrapper_of_sb3_is_known(sb3):
    """Each has its fields in the table, or none that changes: a wrapper of a later version is noticed here."""
    from stable_baselines3.common import atari_wrappers

    from rla_hooks.state.objects.environment_fields import WRAPPERS

    without = """VecExtractDictObs VecTransposeImage NoopResetEnv FireResetEnv ClipRewardEnv WarpFrame
        AtariWrapper""".split()
    for module, base in ((sb3.vec, sb3.vec.VecEnvWrapper), (atari_wrappers, sb3.gym.Wrapper)):
        for name, kind in vars(module).items():
            is_wrapper = isinstance(kind, type) and issubclass(kind, base) and kind is not base
            if is_wrapper and kind.__module__.startswith("stable_baselines3"):
                assert (f"stable_baselines3.{name}" in WRAPPERS) != (name in without), name
