"""A continued environment of Gymnasium equals the uninterrupted one number by number."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy
import pytest

from rla_hooks.errors import CheckpointError
from rla_hooks.state import objects
from rla_hooks.state.objects import environment_fields, layers
from rla_hooks.state.objects.normalizers import normalizer_of


@pytest.fixture(scope="module")
def gym():
    return pytest.importorskip("gymnasium")


def without_times(info):
    """An info without what the clock says: the seconds that an episode took."""
    return {
        key: without_times(part) if isinstance(part, dict) else part
        for key, part in info.items()
        if key not in ("t", "_t")
    }


def steps(env, count, is_vector=False):
    """Everything that some random steps bring; their actions come from the random state of the space."""
    found = []
    for _ in range(count):
        action = env.action_space.sample()
        *step, info = env.step(action)
        found.append(copy.deepcopy((action, step, without_times(info))))
        if not is_vector and (step[2] or step[3]):
            observation, info = env.reset()
            found.append(copy.deepcopy((observation, without_times(info))))
    return found


def same(a, b):
    """Equal in type and value, to the last bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, numpy.ndarray) and a.dtype != object:
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, numpy.ndarray):
        return same(a.tolist(), b.tolist())
    return type(a) is type(b) and (a == b or (a != a and b != b))


@pytest.fixture
def tree_of(through_files):
    """Gives the tree of an object as it comes from the files of a state."""
    return lambda value: through_files(objects.capture(value, "env").tree)


@pytest.fixture
def continues(through_files):
    """Gives the function that tells how an environment goes on."""
    return lambda *arguments, **options: _continues(through_files, *arguments, **options)


def _continues(through_files, make, before, after, is_vector=False):
    """Whether new environments that get the state go on as the first one does: with and without a reset before.

    Returns what is missing, too.
    """
    first = make()
    first.reset(seed=3)
    first.action_space.seed(5)
    steps(first, before, is_vector)
    captured = objects.capture(first, "env")
    tree = through_files(captured.tree)
    expected = steps(first, after, is_vector)
    first.close()
    equal = True
    for is_new in (True, False):
        other = make()
        if not is_new:
            other.reset(seed=9)
            steps(other, 2, is_vector)
        assert objects.restore(other, tree, "env") == []
        equal = equal and same(expected, steps(other, after, is_vector))
        other.close()
    return SimpleNamespace(equal=equal, missing=captured.missing, tree=tree, steps=expected)


CLASSIC = "CartPole-v1 Acrobot-v1 MountainCar-v0 MountainCarContinuous-v0 Pendulum-v1".split()
TOYS = "Blackjack-v1 FrozenLake-v1 CliffWalking-v1 Taxi-v4".split()


@pytest.mark.parametrize("name", [*CLASSIC, *TOYS])
def test_classic_control_and_toys(gym, name, continues):
    """State, TimeLimit's counter, the statistics of episodes and the random states of environment and spaces go on."""
    result = continues(
        lambda: gym.wrappers.RecordEpisodeStatistics(gym.make(name, max_episode_steps=11), buffer_length=3), 35, 40
    )
    assert result.equal and result.missing == []
    assert any("episode" in step[-1] for step in result.steps)


def test_mujoco(gym, tmp_path, monkeypatch, continues):
    """MuJoCo goes on with what the last step has computed, which Ant reads before it steps; Reacher with its goal."""
    pytest.importorskip("mujoco")
    monkeypatch.chdir(tmp_path)  # it may write a log there
    for name in ("Ant-v5", "Reacher-v5"):
        result = continues(lambda name=name: gym.make(name), 12, 12)
        assert result.equal and result.missing == [], name
    other = gym.make("Hopper-v5")
    assert objects.restore(other, result.tree, "env")[0].startswith("env is Hopper-v5 and in the state Reacher-v5")
    other.close()


def test_atari(gym, continues):
    """A game goes on with the emulator's random state, from which its sticky actions come."""
    gym.register_envs(pytest.importorskip("ale_py"))

    def make(game="Breakout"):
        env = gym.make(f"ALE/{game}-v5", frameskip=1, repeat_action_probability=0.25)
        return gym.wrappers.FrameStackObservation(gym.wrappers.MaxAndSkipObservation(env, 4), 2)

    result = continues(make, 6, 10)
    assert result.equal and result.missing == []
    result.tree["id"] = "ALE/Pong-v5"
    result.tree["layers"][-1]["engine"]["game"] = "pong"
    env = make()
    assert objects.restore(env, result.tree, "env") == ["env is ALE/Breakout-v5 and in the state ALE/Pong-v5"]
    env.close()


def test_atari_preprocessing(gym, continues):
    """The frames, lives and end that AtariPreprocessing keeps go on."""
    gym.register_envs(pytest.importorskip("ale_py"))
    pytest.importorskip("cv2")

    def make():
        env = gym.make("ALE/Breakout-v5", frameskip=1, repeat_action_probability=0.25)
        return gym.wrappers.AtariPreprocessing(env, terminal_on_life_loss=True, noop_max=3)

    result = continues(make, 20, 60)
    assert result.equal and result.missing == []


def test_wrappers(gym, continues):
    """Wrappers with a memory go on: normalizers, stacks, delays, sticky actions, time; those without need nothing."""
    wrappers = gym.wrappers

    def make():
        env = gym.make("Pendulum-v1", max_episode_steps=9)
        env = wrappers.TransformReward(wrappers.StickyAction(env, 0.5), lambda reward: reward / 2)
        env = wrappers.NormalizeReward(wrappers.NormalizeObservation(env))
        env = wrappers.DelayObservation(wrappers.TimeAwareObservation(env), 2)
        env = wrappers.FrameStackObservation(env, 3, padding_type="reset")
        return wrappers.RecordEpisodeStatistics(wrappers.Autoreset(env))

    result = continues(make, 25, 30)
    assert result.equal and result.missing == []


def test_every_wrapper_of_gymnasium_is_known(gym):
    """Each has its fields in the table, or none that changes: a wrapper of a later version is noticed here."""
    without = """vector AddRenderObservation AddWhiteNoise ArrayConversion ClipAction ClipReward DiscretizeAction
        DiscretizeObservation DtypeObservation FilterObservation FlattenObservation GrayscaleObservation HumanRendering
        JaxToNumpy JaxToTorch NumpyToTorch ObstructView RenderCollection RepeatAction RescaleAction RescaleObservation
        ReshapeObservation ResizeObservation TransformAction TransformObservation TransformReward DictInfoToList
        VectorizeTransformAction VectorizeTransformObservation VectorizeTransformReward""".split()
    for module in (gym.wrappers, gym.wrappers.vector):
        for name in module.__all__:
            known = f"gymnasium.{name}" in environment_fields.WRAPPERS
            assert known != (name in without), name


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_vectors(gym, mode, continues):
    """Vectors in this process and in others go on, at the very step where one of them is to be reset, too."""
    functions = [lambda: gym.make("CartPole-v1", max_episode_steps=7)] * 2

    def sync():
        env = gym.vector.SyncVectorEnv(functions, autoreset_mode=mode)
        return gym.wrappers.vector.NormalizeReward(gym.wrappers.vector.RecordEpisodeStatistics(env))

    def parallel():
        return gym.vector.AsyncVectorEnv(functions, autoreset_mode=mode, shared_memory=True, context="fork")

    for make in (sync, parallel):
        result = continues(make, 7, 12, is_vector=True)
        assert result.equal and result.missing == []
        members = result.tree["members"]
        waiting = members.get("autoreset") or numpy.asarray(members["fields"]["_autoreset_envs"]).tolist()
        assert waiting == [True] * 2 or mode == "SameStep"


def test_vectors_by_themselves(gym, continues):
    """A vector that computes all of its members at once goes on."""
    result = continues(lambda: gym.make_vec("CartPole-v1", 3, vectorization_mode="vector_entry_point"), 30, 30, True)
    assert result.equal and result.missing == []


def test_an_async_vector_that_does_not_fit(gym, tree_of):
    """What the processes say is named with the number of the member; an end that the state does not have is refused."""
    env = gym.vector.AsyncVectorEnv([lambda: gym.make("CartPole-v1", max_episode_steps=3)] * 2, context="fork")
    env.reset(seed=1)
    tree = tree_of(env)
    for _ in range(3):
        env.step([0, 1])
    assert objects.restore(env, tree, "env") == [
        f"env.AsyncVectorEnv[{index}] would be reset by its next step. Reset the environments before"
        for index in (0, 1)
    ] or objects.restore(env, tree, "env") == [
        f"env[{index}] would be reset by its next step. Reset the environments before" for index in (0, 1)
    ]
    tree["members"]["envs"][1]["id"] = "Other-v0"
    env.reset()
    assert objects.restore(env, tree, "env") == ["env[1] is CartPole-v1 and in the state Other-v0"]
    env.close()


def test_what_a_class_of_ones_own_misses(gym, continues, tree_of, through_files):
    """Without methods for their state, environments and wrappers keep only what is known; the rest is named."""

    class Corridor(gym.Env):
        observation_space, action_space = gym.spaces.Discrete(9), gym.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.place = 0
            return self.place, {}

        def step(self, action):
            self.place += int(self.np_random.integers(2))
            return self.place, 0.0, self.place > 7, False, {}

    class Kept(Corridor):
        def get_state(self):
            return {"place": self.place}

        def set_state(self, state):
            if state["place"] < 0:
                raise ValueError("there is no such place")
            self.place = state["place"]

    class Bonus(gym.Wrapper):
        def __init__(self, env):
            super().__init__(env)
            self.total = 0

    class Cart(gym.envs.classic_control.CartPoleEnv):
        pass

    assert continues(lambda: gym.wrappers.TimeLimit(Kept(), 50), 5, 30).missing == []
    result = continues(lambda: gym.wrappers.TimeLimit(Kept(), 50), 5, 30)
    assert result.equal
    advice = "Give it get_state() and set_state(state) to restore the rest"
    env = Corridor()
    env.reset(seed=1)
    captured = objects.capture(env, "env")
    assert captured.missing == [f"env (Corridor): only its random state is restored. {advice}"]
    tree = through_files(captured.tree)
    expected = env.np_random.integers(100, size=5).tolist()
    other = Corridor()
    assert objects.restore(other, tree, "env") == []
    assert other.np_random.integers(100, size=5).tolist() == expected
    bonus = Bonus(Cart())
    bonus.reset()
    assert objects.capture(bonus, "env").missing == [
        f"env.Bonus (Bonus): its fields total are not restored. {advice}",
        f"env.Cart (Cart): the fields of gymnasium.CartPoleEnv and the random state are restored. {advice}",
    ]
    env = gym.wrappers.TimeLimit(Kept(), 50)
    env.reset(seed=1)
    tree = tree_of(env)
    tree["layers"][-1]["own"]["place"] = -1
    with pytest.raises(CheckpointError, match="there is no such place"):
        objects.restore(env, tree)
    assert env.unwrapped.place == 0


def test_environments_that_do_not_fit(gym, tree_of):
    """Another environment, other wrappers, other spaces: an error, and nothing is changed."""
    env = gym.make("CartPole-v1")
    env.reset(seed=1)
    tree = tree_of(env)
    others = {
        "env is Pendulum-v1 and in the state CartPole-v1": gym.make("Pendulum-v1"),
        "env is made of RecordEpisodeStatistics, ": gym.wrappers.RecordEpisodeStatistics(gym.make("CartPole-v1")),
        "env is a Discrete": gym.spaces.Discrete(2),
    }
    for problem, other in others.items():
        assert objects.restore(other, tree, "env")[0].startswith(problem)
    unnamed = gym.envs.classic_control.PendulumEnv()  # made without gym.make, which gives the id
    problem = "env is gymnasium.PendulumEnv and in the state CartPole-v1"
    assert objects.restore(unnamed, tree, "env") == [problem]
    problem = "env is CartPole-v1 and in the state gymnasium.PendulumEnv"
    assert objects.restore(env, tree_of(unnamed), "env") == [problem]
    tree["spaces"][1] = "Discrete(3)"
    assert "Discrete(2) and in the state" in objects.restore(env, tree, "env")[0]


def test_composite_spaces(gym, tree_of):
    """The random states of spaces inside of spaces go on, too."""
    spaces = gym.spaces

    class Many(gym.Env):
        observation_space = spaces.Discrete(2)

        def __init__(self):
            inner = spaces.Tuple([spaces.Discrete(9), spaces.MultiBinary(3)])
            self.action_space = spaces.Dict(a=inner, b=spaces.Sequence(spaces.Box(0, 1)))

    first, second = Many(), Many()
    first.action_space.seed(3)
    tree = tree_of(first)
    assert objects.restore(second, tree) == []
    assert repr(second.action_space.sample()) == repr(first.action_space.sample())


def test_normalizers_of_gymnasium(gym, tree_of):
    """A normalizer is restored without the environment inside of it."""

    def make():
        return gym.wrappers.NormalizeReward(gym.wrappers.NormalizeObservation(gym.make("Pendulum-v1")))

    env, other = make(), make()
    env.reset(seed=1), steps(env, 20)
    tree = tree_of(normalizer_of(env))
    other.reset(seed=2)
    state = other.unwrapped.state.copy()
    assert objects.restore(normalizer_of(other), tree, "norm") == []
    assert numpy.array_equal(other.unwrapped.state, state)
    for mine, theirs in zip(layers.layers_of(env)[:2], layers.layers_of(other)[:2]):
        for name in ("obs_rms", "return_rms"):
            if hasattr(mine, name):
                assert same(vars(getattr(mine, name)), vars(getattr(theirs, name)))
    assert numpy.array_equal(env.discounted_reward, other.discounted_reward)
    wrong = gym.wrappers.NormalizeObservation(gym.make("Pendulum-v1"))
    assert "in the state gymnasium.NormalizeReward" in objects.restore(normalizer_of(wrong), tree, "norm")[0]
    with pytest.raises(CheckpointError, match="has no wrapper that normalizes"):
        normalizer_of(gym.make("CartPole-v1"))


def test_an_environment_that_an_object_holds_is_passed_by_itself(gym):
    """Else it is named, so that nobody believes that it goes on; one that is passed in a wrapper counts."""
    from types import SimpleNamespace

    from rla_hooks.state import whole

    env = gym.make("CartPole-v1")
    env.reset(seed=1)
    collector = SimpleNamespace(env=env.unwrapped, others=(env,), steps=3)
    missing = whole.capture({"models": {"collector": collector}}, None, {}).content["missing"]
    said = "it is an environment, and was not passed. Pass it as env, too"
    assert missing == [f"models.collector.env: {said}", f"models.collector.others: {said}"]
    passed = whole.capture({"env": {"env": env}}, {"collector": collector}, {})
    assert passed.content["missing"] == []
