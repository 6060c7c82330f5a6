"""The hyper-parameters of a training by a Trainer: of its arguments, its model, and its adapters.

A Trainer has some 130 arguments, and a model's config some 50 entries. Hyper-parameters are those that decide how it
learns, and the other arguments that differ from their defaults; files under results/ have all of them.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from rla_hooks import hooks
from rla_hooks.hooks import Run

# Arguments that tables compare, whether they have their defaults or not; the second line is TRL's.
_ALWAYS = """
    learning_rate num_train_epochs max_steps per_device_train_batch_size gradient_accumulation_steps optim
    lr_scheduler_type warmup_steps warmup_ratio weight_decay max_grad_norm seed bf16 fp16
    beta loss_type num_generations temperature max_length max_completion_length num_iterations epsilon
""".split()
# Arguments of what is logged, saved and shown, and where: they change nothing in what is learned.
_NEVER = """
    output_dir overwrite_output_dir run_name resume_from_checkpoint local_rank use_cpu no_cuda _n_gpu fsdp_config
    greater_is_better
""".split()
_NEVER_BEGINNINGS = (
    "log",
    "save_",
    "report_",
    "hub_",
    "push_",
    "eval_",
    "do_",
    "disable_",
    "dataloader_",
    "ddp_",
    "skip_",
    "remove_unused",
    "prediction_",
    "per_device_eval",
    "trackio",
    "include_",
    "vllm_server",
)
# What a model's config calls its size, in the names that all models of transformers understand.
_SIZES = "hidden_size num_hidden_layers num_attention_heads num_key_value_heads intermediate_size vocab_size".split()
_ADAPTER = "peft_type r lora_alpha lora_dropout target_modules".split()
_MOST = 20  # entries of a list or mapping that is a hyper-parameter


def tell_arguments(run: Run, args: Any) -> None:
    """Add them to the hyper-parameters of the run, and save them in full."""
    run.add_hyper_params(arguments(args))
    hooks.save_results(run, "transformers/training_arguments.json", args.to_dict())


def tell_model(run: Run, model: Any) -> None:
    """Add what matters of it to the hyper-parameters of the run, and save its config in full."""
    run.add_hyper_params(of_model(model))
    config = _as_dict(getattr(model, "config", None))
    if config:
        hooks.save_results(run, "transformers/model_config.json", config)


def arguments(args: Any) -> dict[str, Any]:
    """Return the arguments that are hyper-parameters, and the batch size over all ranks and accumulated steps."""
    found = {}
    for field in dataclasses.fields(args):
        name, value = field.name, _plain(getattr(args, field.name))
        if name in _ALWAYS or (_is_given(field, value) and _is_plain(value) and not _is_left_out(name)):
            found[name] = value
    steps = args.gradient_accumulation_steps
    found["total_train_batch_size"] = args.train_batch_size * steps * args.world_size
    return found


def _is_given(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether an argument differs from its default; False is what a Trainer's arguments make of None."""
    made = field.default_factory
    default = _plain(field.default if made is dataclasses.MISSING else made())
    return not (default is None and value is False) and bool(value != default)


def _is_left_out(name: str) -> bool:
    return name in _NEVER or name.startswith(_NEVER_BEGINNINGS) or name.endswith("_token")


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _is_plain(value: Any) -> bool:
    """Whether a value is short enough to be compared with those of other runs."""
    if isinstance(value, (list, tuple)):
        return 0 < len(value) <= _MOST and all(_is_plain(each) for each in value)
    if isinstance(value, Mapping):
        return 0 < len(value) <= _MOST and all(_is_plain(each) for each in value.values())
    return isinstance(value, (bool, int, float, str)) and value != ""


def of_model(model: Any) -> dict[str, Any]:
    """Return class, size and dropout of a model as ``model.<name>``, and what its adapters are as ``peft.<name>``."""
    config, found = getattr(model, "config", None), {}
    if model is not None:
        weights = [*model.parameters()]
        found = {"class": type(model).__name__, "parameters": sum(each.numel() for each in weights)}
        found["trainable_parameters"] = sum(each.numel() for each in weights if each.requires_grad)
    if config is not None:
        found |= {"type": getattr(config, "model_type", None), "name_or_path": getattr(config, "_name_or_path", None)}
        found |= {name: getattr(config, name, None) for name in _SIZES}
        found |= {name: value for name, value in _as_dict(config).items() if "drop" in name}
    found = {f"model.{name}": value for name, value in found.items()}
    for name, adapter in (getattr(model, "peft_config", None) or {}).items():
        start = "peft" if name == "default" else f"peft.{name}"
        found |= {f"{start}.{key}": _of_adapter(adapter, key) for key in _ADAPTER}
    return {name: value for name, value in found.items() if _is_plain(value)}


def _of_adapter(adapter: Any, key: str) -> Any:
    value = _plain(getattr(adapter, key, None))
    return sorted(value) if isinstance(value, (set, frozenset)) else value


def _as_dict(config: Any) -> dict[str, Any]:
    """The entries of a config; a model of the user's own may have any object there."""
    if isinstance(config, Mapping) or not hasattr(config, "to_dict"):
        return dict(hooks.config_fields(config) or ())
    return dict(config.to_dict())
