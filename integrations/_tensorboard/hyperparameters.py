"""Hyper-parameters in a text: the table that CleanRL and others give to ``add_text("hyperparameters", ...)``.

|param|value|
|-|-|
|env_id|CartPole-v1|
|learning_rate|0.00025|
"""

from __future__ import annotations

import ast
import re
from typing import Any

_TAGS = {"hyperparameters", "hyperparameter", "hyperparams", "hparams", "parameters", "params"}
_TAGS |= {"args", "arguments", "config", "configuration", "settings"}
_RULE = re.compile(r"\|?\s*:?-+:?\s*\|\s*:?-+:?\s*\|?")
_ROW = re.compile(r"\|([^|\n]+)\|(.*?)\|?", re.DOTALL)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")  # Python also takes 64_64 and 0x10: names, here
_LONGEST = 1_000_000  # characters of a table


def parse(tag: object, text: object) -> dict[str, Any]:
    """Return the hyper-parameters in a Markdown table of two columns; none if the tag or the text is another one.

    Values are what they are in Python, as far as they are numbers, truth values, None or lists of these; else texts.

    >>> parse("hyperparameters", "|param|value|\\n|-|-|\\n|env_id|CartPole-v1|\\n|lr|1e-3|\\n|track|False|")
    {'env_id': 'CartPole-v1', 'lr': 0.001, 'track': False}
    """
    if not (isinstance(tag, str) and isinstance(text, str)) or len(text) > _LONGEST:
        return {}
    if re.sub(r"[-_ ]", "", tag.rpartition("/")[2]).lower() not in _TAGS:
        return {}
    lines = text.strip().split("\n")
    if len(lines) < 3 or not _RULE.fullmatch(lines[1].strip()):
        return {}
    rows: list[str] = []
    for line in lines[2:]:
        if line.lstrip().startswith("|") or not rows:
            rows.append(line.strip())
        else:
            rows[-1] += f"\n{line}"  # a value of several lines
    found = [_ROW.fullmatch(row.rstrip()) for row in rows]
    return {each[1].strip(): _value(each[2].strip()) for each in found if each is not None}


def _value(text: str) -> Any:
    """Return the value that is written so; the text itself where a script has written a text.

    >>> _value("1e-3"), _value("(64, 64)"), _value("2024_01"), _value("'a'")
    (0.001, (64, 64), '2024_01', "'a'")
    """
    if re.fullmatch(r"[-+]?(nan|inf)", text):
        return float(text)
    if not (_NUMBER.fullmatch(text) or text in ("True", "False", "None") or text[:1] in ("[", "(", "{")):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
