"""The layers of an environment: its wrappers from the outside in, and the environment itself. The state of each."""

from __future__ import annotations

import contextlib
from typing import Any

from rla_hooks.errors import CheckpointError
from rla_hooks.state.objects import environment_fields, stored
from rla_hooks.state.objects.attributes import is_no_state
from rla_hooks.state.objects.engines import engine_of
from rla_hooks.state.objects.environment_fields import ALWAYS, ENVIRONMENTS, KNOWN_PACKAGES, WRAPPERS, name_of
from rla_hooks.state.objects.methods import has_methods
from rla_hooks.state.objects.walk import Walk
from rla_hooks.texts import text_of

_INNER = ("env", "venv")  # what wrappers of Gymnasium, and of Stable-Baselines3, hold
#: Fields of the classes that all wrappers derive from.
_OF_EVERY_WRAPPER = frozenset(
    "env venv metadata render_mode spec num_envs closed reset_infos actions np_random observation_space action_space "
    "single_observation_space single_action_space reward_range class_attributes waiting ale".split()
)


def layers_of(env: Any) -> list[Any]:
    """Return the layers of an environment, the outermost first."""
    found = [env]
    while (inner := _inner(found[-1])) is not None and not any(inner is layer for layer in found):
        found.append(inner)
    return found


def capture(layer: Any, at: str, walk: Walk) -> dict[str, Any]:
    """Return the state of one layer, without those below it. Says in ``walk.missing`` what is left out of it."""
    tree: dict[str, Any] = {"class": name_of(type(layer)), "random": _random_of(layer, at, walk)}
    if methods := _own_methods(layer):
        tree["own"] = walk.capture(methods[0](), at)
        return tree
    is_wrapper = _inner(layer) is not None
    engine = None if is_wrapper else engine_of(layer)
    if engine is not None:
        tree["engine"] = {"name": engine.name, **engine.capture(layer, at, walk)}
    known = environment_fields.find(layer, WRAPPERS if is_wrapper else ENVIRONMENTS)
    names = known[1] if known else ()
    tree["fields"] = {name: walk.capture(vars(layer)[name], f"{at}.{name}") for name in names if name in vars(layer)}
    tree["fields"].update(ALWAYS.get(known[0], {}) if known else {})
    if engine is not None:
        tree["fields"].update(_data_of(layer, at, walk))
    elif problem := _left_out(layer, is_wrapper, known):
        walk.missing.append(f"{at} ({type(layer).__name__}): {problem}")
    return tree


def check(layer: Any, tree: dict[str, Any], at: str, walk: Walk) -> None:
    """Say in ``walk.problems`` why a tree does not fit a layer."""
    for index, space in enumerate(_spaces_of(layer)):
        if index < len(tree["random"]["spaces"]) and tree["random"]["spaces"][index] is not None:
            walk.check(space._np_random, tree["random"]["spaces"][index], f"{at}.space")
    if tree["random"]["np_random"] is not None:
        walk.check(_stream_of(layer), tree["random"]["np_random"], f"{at}.np_random")
    if "own" in tree:
        if not _own_methods(layer):
            walk.problems.append(f"{at} has no get_state and set_state, which it had when the state was saved")
        return
    if "engine" in tree:
        engine = engine_of(layer)
        if engine is None or engine.name != tree["engine"]["name"]:
            walk.problems.append(f"{at} is no environment of {tree['engine']['name']}, and in the state it is one")
        else:
            engine.check(layer, tree["engine"], at, walk)
    for name, part in tree["fields"].items():
        walk.check(vars(layer).get(name), part, f"{at}.{name}")


def put(layer: Any, tree: dict[str, Any], walk: Walk) -> None:
    """Put a tree that fits into a layer, but for what its own ``set_state`` takes."""
    if "engine" in tree:
        engine_of(layer).put(layer, stored.loaded(tree["engine"]), walk)  # type: ignore[union-attr]
    for name, part in tree.get("fields", {}).items():
        setattr(layer, name, walk.put(vars(layer).get(name), part))
    random = tree["random"]
    if random["np_random"] is not None:
        layer._np_random = walk.put(_stream_of(layer), random["np_random"])
        layer._np_random_seed = random["seed"]
    for space, part in zip(_spaces_of(layer), random["spaces"]):
        if part is not None:
            space._np_random = walk.put(space._np_random, part)


def put_own(layers: list[Any], trees: list[dict[str, Any]], walk: Walk) -> None:
    """Call ``set_state`` of the layers that have it; if one refuses, give it and those before it their former states.

    Raises CheckpointError then.
    """
    before: list[tuple[Any, Any]] = []
    for layer, tree in zip(layers, trees):
        methods = _own_methods(layer)
        if "own" not in tree or methods is None:
            continue
        get_state, set_state = methods
        with contextlib.suppress(Exception):  # one that was never reset may have no state yet
            before.append((set_state, get_state()))
        try:
            set_state(walk.put(None, tree["own"]))
        except Exception as error:
            for put_back, state in reversed(before):
                with contextlib.suppress(Exception):  # what refuses the new state may refuse the old one, too
                    put_back(state)
            raise CheckpointError(
                f"{type(layer).__name__}.set_state() refuses the state ({type(error).__name__}: {text_of(error)}). "
                "Make the environment as it was when the state was saved"
            ) from error


def _own_methods(layer: Any) -> tuple[Any, Any] | None:
    """The methods of a layer that return and take its state: of a user's class, or of the wrappers of rla_hooks."""
    for get, put in (("get_state", "set_state"), ("_rla_get_state", "_rla_set_state")):
        if has_methods(layer, get, put):
            return getattr(layer, get), getattr(layer, put)
    return None


def _inner(layer: Any) -> Any:
    for name in _INNER:
        inner = vars(layer).get(name)
        if inner is not None and hasattr(inner, "step") and hasattr(inner, "reset"):
            return inner
    return None


def _random_of(layer: Any, at: str, walk: Walk) -> dict[str, Any]:
    """The random streams of a layer: its own, None before the first use, and those that its spaces sample from."""
    own = _stream_of(layer)
    return {
        "np_random": None if own is None else walk.capture(own, f"{at}.np_random"),
        "seed": vars(layer).get("_np_random_seed"),
        "spaces": [
            None if space._np_random is None else walk.capture(space._np_random, f"{at}.space")
            for space in _spaces_of(layer)
        ],
    }


def _stream_of(layer: Any) -> Any:
    return vars(layer).get("_np_random")


def _spaces_of(layer: Any) -> list[Any]:
    """The spaces of a layer and those that they are made of, in a fixed order."""
    found: list[Any] = []
    for name in ("action_space", "observation_space", "single_action_space", "single_observation_space"):
        for space in (vars(layer).get(name), vars(layer).get(f"_{name}"), getattr(type(layer), name, None)):
            _add_spaces(space, found)
    return found


def _add_spaces(space: Any, found: list[Any]) -> None:
    if space is None or not hasattr(space, "_np_random") or any(space is other for other in found):
        return
    found.append(space)
    parts = getattr(space, "spaces", ())
    for part in parts.values() if hasattr(parts, "values") else parts:
        _add_spaces(part, found)
    for name in ("feature_space", "stack_feature_space", "node_space", "edge_space"):
        _add_spaces(getattr(space, name, None), found)


def _data_of(layer: Any, at: str, walk: Walk) -> dict[str, Any]:
    """The further fields of an environment in a simulator: arrays, such as the goal of Reacher."""
    return {
        name: walk.capture(value, f"{at}.{name}")
        for name, value in vars(layer).items()
        if hasattr(value, "dtype") and hasattr(value, "shape") and not is_no_state(value)
    }


def _left_out(layer: Any, is_wrapper: bool, known: tuple[str, tuple[str, ...]] | None) -> str:
    """Say what the state of a layer does not have, "" where nothing is left out."""
    advice = "Give it get_state() and set_state(state) to restore the rest"
    own_class = name_of(type(layer))
    if known and known[0] == own_class:
        return ""
    if not is_wrapper:
        if known:
            return f"the fields of {known[0]} and the random state are restored. {advice}"
        return f"only its random state is restored. {advice}"
    if own_class.partition(".")[0] in KNOWN_PACKAGES:
        return ""
    names = sorted(
        name
        for name, value in vars(layer).items()
        if name.strip("_") not in _OF_EVERY_WRAPPER
        and name not in ("_cached_spec", "_saved_kwargs", "_np_random_seed")
        and name not in (known[1] if known else ())
        and not is_no_state(value)
    )
    return f"its fields {', '.join(names)} are not restored. {advice}" if names else ""
