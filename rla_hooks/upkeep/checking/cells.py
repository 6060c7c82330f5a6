"""Which cells of a row are numbers, and which would be one but for a flipped bit."""

from __future__ import annotations

import re

NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|NaN|inf|Infinity)")
QUOTED = re.compile(rb'(\A|,)"[^"]*(?:""[^"]*)*"')
_NUMBER_BYTES = b"0123456789.,-+eE\n"
# For bytes.translate: 1 for each byte that no row of numbers has. It finds the few cells that have to be looked at.
ODD_BYTES = bytes(each not in _NUMBER_BYTES for each in range(256))
_MAX_CELL = 40  # bytes of a number


def is_flipped(cell: bytes) -> bool:
    """Whether a cell would be a number if one bit of it were another one.

    >>> is_flipped(b"0n5"), is_flipped(b"1.5"), is_flipped(b"ppo"), is_flipped(b"q")
    (True, False, False, False)
    """
    if not 2 <= len(cell) <= _MAX_CELL or NUMBER.fullmatch(cell):
        return False
    for at, byte in enumerate(cell):
        for bit in range(8):
            other = byte ^ 1 << bit
            if NUMBER.fullmatch(cell[:at] + bytes((other,)) + cell[at + 1 :]):
                return True
    return False
