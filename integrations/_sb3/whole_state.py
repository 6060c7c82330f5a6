"""The whole state of a training of SB3, saved and loaded by the run: what SB3's own files do not have, too.

    models        the modules and tensors that SB3 saves: policy, log_ent_coef
    optimizers    theirs
    buffers       replay buffer, action noise, and what the user adds
    env           the environments with their normalizers, and those of EvalCallback
    extra         counters and last observations of the model, calls of the callbacks, what was recorded and not dumped

It is loaded where it was saved, at the start of a rollout: all that comes before has drawn its random numbers then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, EvalCallback, EventCallback
from stable_baselines3.common.logger import Figure, HParam, Image, Video

from rla_hooks.hooks import Run

_PUBLIC = ("num_timesteps", "exploration_rate", "ep_info_buffer", "ep_success_buffer")
_NO_STATE = ("_total_timesteps", "_init_setup_model")  # of the call of learn, and of the constructor
_MEDIA = (Figure, HParam, Image, Video)
_NOISE = ("exploration_mat", "exploration_matrices")
_EVALUATIONS = (
    "best_mean_reward last_mean_reward evaluations_results evaluations_timesteps evaluations_length "
    "evaluations_successes _is_success_buffer"
).split()


class WholeState:
    """Saves and loads the whole state of the model that a callback records. added: further objects, by their names."""

    def __init__(self, added: Mapping[str, Any]):
        self._added = dict(added)

    def save(self, run: Run, model: BaseAlgorithm, root: BaseCallback, keep: int | None) -> None:
        """Save it. If the disk fails, the run warns. Raises CheckpointError for what cannot be stored."""
        run.save_state(model.num_timesteps, **self._objects(model, root), extra=_extra(model, root), keep=keep)

    def load(self, run: Run, model: BaseAlgorithm, root: BaseCallback) -> list[str] | None:
        """Load the newest one of a run that is resumed; return what it lacks, None where there is no state."""
        state = run.load_state(**self._objects(model, root))
        if state is None:
            return None
        extra = state.extra
        for name, value in extra["model"].items():
            setattr(model, name, value)
        for callback, (kind, values) in zip(_callbacks(root), extra["callbacks"]):
            if type(callback).__name__ == kind:
                for name, value in values.items():
                    setattr(callback, name, value)
        logger: Any = model.logger
        for name, values in extra["logger"].items():
            getattr(logger, name).clear()
            getattr(logger, name).update(values)
        for distribution, noise in zip(_distributions(model), extra["noise"]):
            vars(distribution).update(noise)
        return list(state.missing)

    def _objects(self, model: Any, root: BaseCallback) -> dict[str, Any]:
        dicts, tensors = model._get_torch_save_params()  # by which SB3 itself saves a model, also one of sb3-contrib
        found = {name: _attribute(model, name) for name in (*dicts, *tensors)}
        optimizers = {name: each for name, each in found.items() if isinstance(each, torch.optim.Optimizer)}
        buffers = {name: getattr(model, name, None) for name in ("replay_buffer", "action_noise")}
        evaluations = [each for each in _callbacks(root) if isinstance(each, EvalCallback)]
        env = {"training": model.get_env()}
        env |= {f"evaluation-{index}": each.eval_env for index, each in enumerate(evaluations)}
        return {
            "models": {name: each for name, each in found.items() if name not in optimizers and each is not None},
            "optimizers": optimizers,
            "buffers": {name: each for name, each in buffers.items() if each is not None} | self._added,
            "env": {name: each for name, each in env.items() if each is not None},
        }


def _extra(model: Any, root: BaseCallback) -> dict[str, Any]:
    logger = model.logger
    known = [key for key, value in logger.name_to_value.items() if not isinstance(value, _MEDIA)]
    tables = {name: getattr(logger, name) for name in ("name_to_value", "name_to_count", "name_to_excluded")}
    recorded = {name: {key: table[key] for key in known if key in table} for name, table in tables.items()}
    noise = [{name: vars(each)[name] for name in _NOISE if name in vars(each)} for each in _distributions(model)]
    return {"model": _attributes(model), "callbacks": _of_callbacks(root), "logger": recorded, "noise": noise}


def _distributions(model: Any) -> list[Any]:
    """The distributions whose noise (use_sde) is drawn for several steps, and before a rollout starts."""
    owners: tuple[Any, ...] = model.policy, getattr(model, "actor", None)
    return [owner.action_dist for owner in owners if hasattr(owner, "action_dist")]


def _attributes(model: Any) -> dict[str, Any]:
    """What a model keeps while it learns: ``_last_obs``, ``_n_updates`` and the like. Its settings are public names."""
    left_out = {*_NO_STATE, *model._excluded_save_params()}
    own = {name: value for name, value in vars(model).items() if name in _PUBLIC or name.startswith("_")}
    return {name: value for name, value in own.items() if name not in left_out and not callable(value)}


def _of_callbacks(root: BaseCallback) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for callback in _callbacks(root):
        values = {"n_calls": callback.n_calls}
        if isinstance(callback, EvalCallback):
            values |= {name: getattr(callback, name) for name in _EVALUATIONS if hasattr(callback, name)}
        found.append((type(callback).__name__, values))
    return found


def _callbacks(root: BaseCallback) -> Iterator[BaseCallback]:
    """Yield a callback and those inside of it, in a fixed order."""
    yield root
    inner = root.callbacks if isinstance(root, CallbackList) else []
    if isinstance(root, EventCallback) and root.callback is not None:
        inner = [root.callback]
    for each in inner:
        yield from _callbacks(each)


def _attribute(owner: Any, name: str) -> Any:
    for part in name.split("."):
        owner = getattr(owner, part)
    return owner
