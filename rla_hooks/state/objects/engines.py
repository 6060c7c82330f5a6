"""Environments whose state is in a simulator: Atari games and MuJoCo."""

from __future__ import annotations

import sys
from typing import Any

from rla_hooks.state.objects.walk import Walk


class Atari:
    """Games of the Arcade Learning Environment, with the random state of the emulator."""

    name = "ale"

    def matches(self, env: Any) -> bool:
        ale = sys.modules.get("ale_py")
        return ale is not None and isinstance(getattr(env, "ale", None), ale.ALEInterface)

    def capture(self, env: Any, at: str, walk: Walk) -> dict[str, Any]:
        return {"game": getattr(env, "_game", None), "state": env.ale.cloneSystemState().serialize()}

    def check(self, env: Any, tree: dict[str, Any], at: str, walk: Walk) -> None:
        own = getattr(env, "_game", None)
        if own != tree["game"]:
            walk.problems.append(f"{at} is the game {own} and in the state {tree['game']}")

    def put(self, env: Any, tree: dict[str, Any], walk: Walk) -> None:
        env.ale.restoreSystemState(sys.modules["ale_py"].ALEState(tree["state"]))


class MuJoCo:
    """The data of MuJoCo: what a step begins with, and the arrays that the last step has computed.

    These are one step behind the positions, and environments read them before they step: Ant its own position, say.
    """

    name = "mujoco"

    def matches(self, env: Any) -> bool:
        mujoco = sys.modules.get("mujoco")
        return mujoco is not None and isinstance(getattr(env, "data", None), mujoco.MjData)

    def capture(self, env: Any, at: str, walk: Walk) -> dict[str, Any]:
        import numpy

        mujoco = sys.modules["mujoco"]
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        state = numpy.empty(mujoco.mj_stateSize(env.model, kind))
        mujoco.mj_getState(env.model, env.data, state, kind)
        fixed = _arrays(mujoco.MjData(env.model))  # not those of the contacts, of which there are more or fewer
        arrays = _arrays(env.data)
        computed = {name: numpy.array(arrays[name]) for name, part in fixed.items() if part.size}
        return {"sizes": self._sizes(env.model), "state": state, "computed": computed}

    def check(self, env: Any, tree: dict[str, Any], at: str, walk: Walk) -> None:
        own, stored = self._sizes(env.model), tree["sizes"]
        if own != stored:
            walk.problems.append(f"{at} has a model with {own} and in the state with {stored}")

    def put(self, env: Any, tree: dict[str, Any], walk: Walk) -> None:
        mujoco = sys.modules["mujoco"]
        mujoco.mj_setState(env.model, env.data, tree["state"], mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_forward(env.model, env.data)
        arrays = _arrays(env.data)
        for name, value in tree["computed"].items():
            if name in arrays and arrays[name].shape == value.shape:  # another version may have other ones
                arrays[name][...] = value

    def _sizes(self, model: Any) -> dict[str, int]:
        return {name: int(getattr(model, name)) for name in ("nq", "nv", "nu", "na", "nbody", "ngeom", "nsensordata")}


def _arrays(data: Any) -> dict[str, Any]:
    import numpy

    found = {}
    for name in dir(data):
        if not name.startswith("_") and isinstance(value := getattr(data, name, None), numpy.ndarray):
            found[name] = value
    return found


ENGINES: list[Atari | MuJoCo] = [Atari(), MuJoCo()]


def engine_of(env: Any) -> Atari | MuJoCo | None:
    """Return the simulator of an environment, None where it has no known one."""
    return next((engine for engine in ENGINES if engine.matches(env)), None)
