"""Prints what a training has come to, without a word of rla_hooks: a test compares it."""

import hashlib
import random

import numpy as np


def tell(*values):
    """Print a sum of all bits in dicts, lists and arrays, and the next random number of each library."""
    digest = hashlib.sha256()
    for each in values:
        _add(each, digest)
    print("sum", digest.hexdigest())
    print("next", random.random(), np.random.random(), _next_of_torch())


def _add(value, digest):
    if isinstance(value, dict):
        for key in value:
            digest.update(repr(key).encode())
            _add(value[key], digest)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _add(each, digest)
    else:
        array = np.asarray(value)
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(repr(value).encode() if array.dtype == object else array.tobytes())


def _next_of_torch():
    import sys

    torch = sys.modules.get("torch")
    return torch and float(torch.rand(()))
