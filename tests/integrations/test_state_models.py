"""Models and optimizers of every framework go on from a state as if nothing had happened."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.errors import CheckpointError

pytestmark = pytest.mark.usefixtures("quiet")

OPTIONS = {"task": "t", "log_root": "root", "backup": "none", "writers": []}


def goes_on(make, roles, steps=1):
    """A training of ``make(seed)``, which has ``step()`` and ``values()``, against one that a state was loaded into."""
    first = make(0)
    for _ in range(steps):
        first.step()
    with rla.run(**OPTIONS, title="saved"):
        rla.save_state(steps, **{role: getattr(first, role) for role in roles})
        first.step()
        second = make(1)
        second.step()
        given = {role: getattr(second, role) for role in roles}
        state = rla.load_state(**given)
        assert state.missing == []
        second.step()
        own, other = ([np.asarray(value) for value in each.values()] for each in (first, second))
        assert len(own) == len(other) > 1
        for a, b in zip(own, other, strict=True):
            assert a.dtype == b.dtype and a.tobytes() == b.tobytes()
        return given


def refused(given):
    """What does not fit, as load_state names it."""
    saved = next(each for each in rla.runs("root") if each.title == "saved")
    with pytest.raises(CheckpointError) as caught:
        rla.load_state(**given, run=saved)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["adam", "sgd", "plain"])
def test_torch(kind):
    """A module with buffers and tied weights, AdamW, a scheduler; wrapped or not; another class or shape is named."""
    torch = pytest.importorskip("torch")

    def make(seed, width=8):
        torch.manual_seed(seed)
        layers = torch.nn.Linear(4, width), torch.nn.BatchNorm1d(width), torch.nn.Linear(width, 4)
        own = SimpleNamespace(models=torch.nn.Sequential(*layers))
        if kind == "plain":
            own.models = torch.nn.ModuleList([own.models, own.models[0]])  # the same weights under two names
        parameters = list(own.models.parameters())
        options = {"lr": 0.1, "momentum": 0.9} if kind == "sgd" else {"lr": 0.1, "amsgrad": True}
        own.optimizers = (torch.optim.SGD if kind == "sgd" else torch.optim.AdamW)(parameters, **options)
        own.schedulers = torch.optim.lr_scheduler.MultiStepLR(own.optimizers, [2, 5])

        def step():
            own.optimizers.zero_grad()
            policy = own.models[0] if kind == "plain" else own.models
            policy(torch.randn(8, 4)).pow(2).mean().backward()
            own.optimizers.step()
            own.schedulers.step()

        def values():
            moments = [each for state in own.optimizers.state.values() for each in state.values() if each is not None]
            return [each.detach() for each in (*own.models.state_dict().values(), *moments)] + [
                own.schedulers.last_epoch,
                own.optimizers.param_groups[0]["lr"],
            ]

        own.step, own.values = step, values
        return own

    given = goes_on(make, ("models", "optimizers", "schedulers"))
    if kind == "plain":
        assert given["models"][0][0].weight is given["models"][1].weight
        assert refused({**given, "models": make(0, width=9).models}).count("has shape") == 9
    elif kind == "adam":
        text = refused({**given, "optimizers": torch.optim.SGD(given["models"].parameters(), lr=0.1)})
        assert "optimizers.model is a SGD and in the state a AdamW" in text
        text = refused({**given, "schedulers": torch.optim.lr_scheduler.StepLR(given["optimizers"], 1)})
        assert "schedulers.model is a StepLR and in the state a MultiStepLR" in text
        text = refused({**given, "optimizers": torch.optim.AdamW([torch.zeros(2, requires_grad=True)])})
        assert "has groups of [1] parameters and in the state [6]" in text
        with rla.run(**OPTIONS) as run:
            rla.save_state(1, models=torch.nn.DataParallel(given["models"]))
            weight = given["models"][0].weight.detach().clone()
            torch.nn.init.zeros_(given["models"][0].weight)
            rla.load_state(models=given["models"])
        assert torch.equal(given["models"][0].weight, weight)
        with pytest.raises(CheckpointError, match="is only in the state"):
            rla.load_state(models=torch.nn.Linear(4, 8), run=run.checkpoint_dir)


def test_keras():
    """A compiled model with dropout and its optimizer, and an optimizer by itself."""
    keras = pytest.importorskip("keras")

    def make(seed, width=6):
        keras.utils.set_random_seed(seed)
        layers = keras.layers.Dense(width), keras.layers.Dropout(0.5), keras.layers.Dense(1)
        model = keras.Sequential([keras.layers.Input((3,)), *layers])
        model.compile("adam", "mse", run_eagerly=True)
        optimizer = keras.optimizers.SGD(momentum=0.9)
        optimizer.build(model.trainable_variables)
        own = SimpleNamespace(models={"policy": model}, optimizers=optimizer)
        own.step = lambda: model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
        own.values = lambda: [np.asarray(each) for each in (*model.variables, *model.optimizer.variables)]
        return own

    given = goes_on(make, ("models", "optimizers"))
    text = refused({**given, "models": make(0, width=7).models})
    assert "kernel' has shape (3, 7) and in the state (3, 6)" in text
    assert "optimizers.model" in refused({**given, "optimizers": keras.optimizers.Adam()})


def test_tensorflow():
    """A module with variables in lists."""
    tf = pytest.importorskip("tensorflow")

    def make(seed, width=3):
        class Policy(tf.Module):
            def __init__(self):
                super().__init__()
                self.w = tf.Variable(tf.zeros((width, 2)) + float(seed))
                self.layers = [tf.Variable(float(seed)), tf.Variable([seed])]

        policy = Policy()
        own = SimpleNamespace(models={"policy": policy, "count": tf.Variable(seed)})

        def step():
            policy.w.assign_add(tf.random.normal(policy.w.shape))
            policy.layers[0].assign_add(0.1)
            own.models["count"].assign_add(1)

        own.step = step
        own.values = lambda: [each.numpy() for each in (policy.w, *policy.layers, own.models["count"])]
        return own

    given = goes_on(make, ("models",))
    text = refused({"models": {**given["models"], "policy": make(0, width=4).models["policy"]}})
    assert "policy.w' has shape (4, 2) and in the state (3, 2)" in text


def test_flax_and_optax():
    """A TrainState, which is replaced in its dict; parameters and a state of optax; typed keys; named where not."""
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    linen = pytest.importorskip("flax.linen")
    from flax.training.train_state import TrainState

    class Policy(linen.Module):
        width: int = 5

        @linen.compact
        def __call__(self, x):
            return linen.Dense(1)(linen.relu(linen.Dense(self.width)(x)))

    @jax.jit
    def update(train, x):
        return train.apply_gradients(grads=jax.grad(lambda p: (train.apply_fn(p, x) ** 2).mean())(train.params))

    adam = optax.adam(1e-2)

    def make(seed, width=5):
        policy = Policy(width)
        params = policy.init(jax.random.key(seed), np.ones((1, 3)))
        train = TrainState.create(apply_fn=policy.apply, params=params, tx=adam)
        own = SimpleNamespace(models={"train": train, "params": params, "key": jax.random.key(seed)})
        own.optimizers = {"adam": adam.init(params)}

        def step():
            own.models["key"], key = jax.random.split(own.models["key"])
            x = jax.random.normal(key, (4, 3))
            own.models["train"] = update(own.models["train"], x)
            grads = jax.tree.map(lambda each: each * 0.1, own.models["params"])
            updates, own.optimizers["adam"] = adam.update(grads, own.optimizers["adam"])
            own.models["params"] = optax.apply_updates(own.models["params"], updates)

        def values():
            train, trees = own.models["train"], (own.models["params"], own.optimizers["adam"])
            key = jax.random.key_data(own.models["key"])
            return [key, *jax.tree.leaves((train.step, train.params, train.opt_state, *trees))]

        own.step, own.values = step, values
        return own

    given = goes_on(make, ("models", "optimizers"))
    other = make(0, width=6)
    text = refused({**given, "models": {**given["models"], "train": other.models["train"]}})
    assert "models.train.params.params.Dense_1.kernel has shape (3, 6) and in the state (3, 5)" in text
    assert "models.train.opt_state[0].mu.params.Dense_1.kernel has shape (3, 6)" in text
    sgd = {"adam": optax.sgd(0.1, momentum=0.9).init(given["models"]["params"])}
    assert "optimizers.adam[0]" in refused({**given, "optimizers": sgd})


def test_nnx():
    """Modules and optimizers of Flax's nnx, in place, with their random streams and tied weights."""
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    nnx = pytest.importorskip("flax.nnx")

    class Policy(nnx.Module):
        def __init__(self, rngs, width=5):
            self.body, self.head = nnx.Linear(3, width, rngs=rngs), nnx.Linear(width, 1, rngs=rngs)
            self.noise, self.tied = nnx.Dropout(0.5, rngs=rngs), self.body

        def __call__(self, x):
            return self.head(self.noise(nnx.relu(self.body(x))))

    @nnx.jit
    def update(policy, optimizer, x):
        optimizer.update(policy, nnx.grad(lambda each: (each(x) ** 2).mean())(policy))

    def make(seed, width=5):
        policy = Policy(nnx.Rngs(seed), width)
        own = SimpleNamespace(models=policy, optimizers=nnx.Optimizer(policy, optax.adam(1e-2), wrt=nnx.Param))
        own.step = lambda: update(policy, own.optimizers, np.ones((4, 3)))

        def values():
            leaves = jax.tree.leaves((nnx.state(policy), nnx.state(own.optimizers)))
            keys = jax.dtypes.prng_key
            return [jax.random.key_data(x) if jax.numpy.issubdtype(x.dtype, keys) else x for x in leaves]

        own.values = values
        return own

    given = goes_on(make, ("models", "optimizers"))
    assert given["models"].tied is given["models"].body
    text = refused({**given, "models": make(0, width=6).models})
    assert "models.model.body.kernel has shape (3, 6) and in the state (3, 5)" in text
