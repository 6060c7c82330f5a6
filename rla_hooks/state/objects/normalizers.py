"""Running normalizers: objects with mean, var and count are restored by their attributes, wrappers by their fields."""

from __future__ import annotations

from typing import Any

from rla_hooks.errors import CheckpointError
from rla_hooks.state.objects import layers
from rla_hooks.state.objects.environment_fields import name_of
from rla_hooks.state.objects.parts import Part
from rla_hooks.state.objects.walk import Walk

WRAPPERS = ("gymnasium.NormalizeObservation", "gymnasium.NormalizeReward", "stable_baselines3.VecNormalize")


def normalizer_of(value: Any) -> Any:
    """Return what is captured and restored for a normalizer: of an environment only the wrappers that normalize.

    >>> class Statistics:
    ...     mean, var, count = 0.0, 1.0, 0
    >>> statistics = Statistics()
    >>> normalizer_of(statistics) is statistics
    True

    Raises CheckpointError for an environment that has no such wrapper.
    """
    if not (hasattr(value, "step") and hasattr(value, "reset") and hasattr(value, "observation_space")):
        return value
    found = [layer for layer in layers.layers_of(value) if name_of(type(layer)) in WRAPPERS]
    if not found:
        known = ", ".join(name.rpartition(".")[2] for name in WRAPPERS)
        raise CheckpointError(f"{type(value).__name__} has no wrapper that normalizes. Known: {known}")
    return NormalizingWrappers(found)


class NormalizingWrappers(Part):
    """Wrappers that normalize, without the environment inside of them."""

    name = "normalizing wrappers"

    def __init__(self, wrappers: list[Any]):
        self._wrappers = wrappers

    def capture(self, at: str, walk: Walk) -> dict[str, Any]:
        return {
            "spaces": [repr(wrapper.observation_space) for wrapper in self._wrappers],
            "layers": [layers.capture(wrapper, at, walk) for wrapper in self._wrappers],
        }

    def check(self, tree: dict[str, Any], at: str, walk: Walk) -> None:
        names = [name_of(type(wrapper)) for wrapper in self._wrappers]
        stored = [layer["class"] for layer in tree["layers"]]
        if names != stored:
            walk.problems.append(f"{at} has the wrappers {', '.join(names)} and in the state {', '.join(stored)}")
            return
        for wrapper, layer, space in zip(self._wrappers, tree["layers"], tree["spaces"]):
            if repr(wrapper.observation_space) != space:
                walk.problems.append(f"{at} has observations of {wrapper.observation_space} and in the state {space}")
                return
            with walk.free():
                layers.check(wrapper, layer, at, walk)

    def put(self, tree: dict[str, Any], walk: Walk) -> None:
        with walk.free():
            for wrapper, layer in zip(self._wrappers, tree["layers"]):
                layers.put(wrapper, layer, walk)
