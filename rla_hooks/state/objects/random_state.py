"""The random state of the program: of Python, numpy, torch with every device, TensorFlow and Keras.

Each part is an object that ``capture`` and ``restore`` of rla_hooks.state.objects take. A framework has a part when
the program has imported it. The keys of JAX are arrays that the program holds: they belong into ``extra``.
"""

from __future__ import annotations

import importlib
import random
import sys
from typing import Any

from rla_hooks.state.objects.parts import Part, python_state
from rla_hooks.state.objects.walk import Walk


class PythonRandom(Part):
    """The functions of Python's module ``random``."""

    name = "random state of Python"

    def capture(self, at: str, walk: Walk) -> dict[str, Any]:
        return {"state": random.getstate()}

    def put(self, tree: dict[str, Any], walk: Walk) -> None:
        random.setstate(python_state(tree["state"]))


class NumpyRandom(Part):
    """The functions of ``numpy.random``."""

    name = "random state of numpy"

    def capture(self, at: str, walk: Walk) -> dict[str, Any]:
        import numpy

        return {"state": numpy.random.get_state(legacy=False)}

    def check(self, tree: dict[str, Any], at: str, walk: Walk) -> None:
        import numpy

        own, stored = (
            numpy.random.get_state(legacy=False)["bit_generator"],  # type: ignore[index,call-overload]
            tree["state"]["bit_generator"],
        )
        if own != stored:
            walk.problems.append(
                f"{at} is a stream of {own} and in the state of {stored}. Call numpy.random.set_bit_generator as before"
            )

    def put(self, tree: dict[str, Any], walk: Walk) -> None:
        import numpy

        numpy.random.set_state(tree["state"])


#: By the name of the part: the package that the program must have imported, the module, and the class of the part.
#: In the order in which they are put: the first ones may draw from the later ones.
_PARTS = {
    "keras": ("keras", "rla_hooks.state.objects.keras_values", "KerasRandom"),
    "tensorflow": ("tensorflow", "rla_hooks.state.objects.tensorflow_values", "TensorFlowRandom"),
    "torch": ("torch", "rla_hooks.state.objects.torch_values", "TorchRandom"),
    "numpy": ("numpy", __name__, "NumpyRandom"),
    "python": ("", __name__, "PythonRandom"),
}


def random_parts() -> dict[str, Part]:
    """Return the random state of the program, by the names of the libraries that it has imported.

    >>> from rla_hooks.state import objects
    >>> parts = random_parts()
    >>> trees = {name: objects.capture(part).tree for name, part in parts.items()}
    >>> first = random.random()
    >>> objects.restore(parts["python"], trees["python"]), random.random() == first
    ([], True)
    """
    return {
        name: getattr(importlib.import_module(module), kind)()
        for name, (needs, module, kind) in _PARTS.items()
        if not needs or sys.modules.get(needs) is not None
    }
