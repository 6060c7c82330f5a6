"""Reads a YAML file of hyper-parameters that another program wrote: tags that would make objects are inert.

PyYAML's safe loader refuses a whole file for one ``!!python/tuple``; here a tagged list is a list, a tagged mapping a
mapping, and a tagged text what stands there. Aliases within aliases cannot become more values than the limit.

>>> read_yaml(b"lr: 1e-3\\nlayers: !!python/tuple [64, 64]\\nact: !!python/name:torch.nn.ReLU ''")
{'lr': 0.001, 'layers': [64, 64], 'act': '<torch.nn.ReLU>'}
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import Any

import yaml

LIMIT = 1 << 17  # bytes: PyYAML needs a second or two for them
MAX_VALUES = 100_000
_MAX_BRACKETS = 10_000  # PyYAML needs a time that grows with the square of those that are open
_MAX_DEPTH = 50
_LONGEST = 1000  # characters of a number
_TAG = "tag:yaml.org,2002:"
_PYTHON = re.compile(r"tag:yaml\.org,2002:python/(?:name|module|object\S*?):(.+)", re.DOTALL)
_FLOAT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")  # YAML 1.1 wants a point and a sign: 1e-3 would be a text
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_CONSTANTS = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}


def read_yaml(data: bytes) -> Any:
    """Return the first document of a YAML file as dicts with texts for keys, lists, texts, numbers, None.

    Raises ValueError where it is no YAML, or holds too much.
    """
    if len(data) > LIMIT:
        raise ValueError(f"it has {len(data):,} bytes; YAML files of at most {LIMIT:,} are read")
    if data.count(b"[") + data.count(b"{") > _MAX_BRACKETS:
        raise ValueError(f"it has more than {_MAX_BRACKETS:,} brackets")
    try:
        loader = yaml.SafeLoader(data)
        node = loader.get_node() if loader.check_node() else None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(f"no valid YAML: {' '.join(str(error).split())[:300]}") from error
    return None if node is None else _Plain().of(node, 0)


class _Plain:
    """Makes plain data of the nodes of a document."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def of(self, node: yaml.Node, depth: int) -> Any:
        """Return the plain form of a node that lies ``depth`` levels deep."""
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"it holds more than {MAX_VALUES:,} values")
        if depth >= _MAX_DEPTH:
            return "<too deep>"
        if isinstance(node, yaml.MappingNode):
            found = {self._key(key): self.of(value, depth + 1) for key, value in node.value}
            merged = found.get("<<")
            return {**found.pop("<<"), **found} if isinstance(merged, dict) else found
        if isinstance(node, yaml.SequenceNode):
            return [self.of(item, depth + 1) for item in node.value]
        return _scalar(node)

    def _key(self, node: yaml.Node) -> str:
        return str(node.value) if isinstance(node, yaml.ScalarNode) else "<an object>"


def _scalar(node: Any) -> Any:
    text, kind = str(node.value), node.tag.removeprefix(_TAG)
    named = _PYTHON.fullmatch(node.tag)
    if named:
        return f"<{named[1][:200]}>{text}"
    if kind == "null":
        return None
    if kind == "bool":
        return _WORDS.get(text.lower(), text)
    if len(text) <= _LONGEST and (kind in ("int", "float") or (node.style is None and _FLOAT.fullmatch(text))):
        with suppress(ValueError):
            return _number(text.replace("_", "").lower(), kind)
    return text


def _number(text: str, kind: str) -> float:
    if kind != "int":
        return _CONSTANTS[text] if text in _CONSTANTS else float(text)
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits.isdigit():
        return int(text, 8)  # as YAML 1.1 has it, and as PyYAML writes none
    return int(text, 0)
