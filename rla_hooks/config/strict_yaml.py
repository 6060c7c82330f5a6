"""Reads a YAML file that holds one mapping, and reports what is wrong with a file that does not.

Tags that create objects are refused, and so are duplicate keys, of which PyYAML silently takes the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from rla_hooks.config import checks
from rla_hooks.errors import ConfigError
from rla_hooks.smallfiles import read_bytes


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which also refuses duplicate keys in a mapping."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Not later: when PyYAML builds the objects, it has mixed in the keys of "<<: *other", which repeat.
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in lines:
                problem = f"the key {key.value!r} stands in line {lines[key.tag, key.value]} already"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            lines[key.tag, key.value] = key.start_mark.line + 1
        return node


def read_mapping(path: Path, origin: str) -> Mapping[Any, Any]:
    """Return the mapping in the YAML file ``path``; an empty file is an empty mapping.

    ``origin`` is a sentence, without its full stop, that says why this file is read. Raises :class:`ConfigError`.
    """
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing. {origin}: correct the path, or make the file.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot be read: {reason}. {origin}: give a YAML file.", str(path)) from error
    try:
        content = yaml.load(data, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "an unknown place"
        problem = f"no valid YAML at {place}: {error.problem or error.context}. Correct it there."
        raise ConfigError(problem, str(path)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # Bytes that are no text; a date such as 2026-13-45; a number of 5,000 digits; ten thousand brackets.
        raise ConfigError(f"no valid YAML: {_one_line(error)}. Correct the file.", str(path)) from error
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise ConfigError(f"holds {checks.show(content)}. Allowed: a mapping, 'KEY: value' a line.", str(path))
    return content


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
