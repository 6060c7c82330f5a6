"""``Summary`` messages of TensorBoard that somebody else has made: TensorFlow 1 gives their bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rla_hooks.texts import shown


def parsed(summary: Any) -> Any:
    """Return the message: one that is given, of any program's classes, or one of these bytes. Raises ValueError.

    TensorFlow is not needed.
    """
    if not isinstance(summary, (bytes, bytearray, memoryview)):
        if hasattr(summary, "value") and callable(getattr(summary, "SerializeToString", None)):
            return summary
        raise ValueError(f"{shown(summary)} is given. Allowed: a Summary message, or its bytes")
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.summary_pb2 import Summary

    try:
        return Summary.FromString(bytes(summary))
    except DecodeError as error:
        raise ValueError(f"these {len(summary)} bytes are no Summary message ({error})") from error


def scalars(message: Any) -> list[tuple[str, float]]:
    """Return tag and value of each scalar of a message, in order."""
    return [(value.tag, value.simple_value) for value in message.value if value.HasField("simple_value")]


def without(message: Any, is_known: Callable[[Any], bool]) -> bytes:
    """Return what is left of a message without these values, serialised; no bytes if nothing is."""
    rest = type(message)()
    for value in message.value:
        if not is_known(value):
            rest.value.add().CopyFrom(value)
    return bytes(rest.SerializeToString()) if len(rest.value) else b""
