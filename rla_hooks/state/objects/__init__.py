"""Objects as plain trees, and back: random streams, environments, normalizers, replay buffers, what is inside of them.

    walk.py           capture, check, put, restore; the table of kinds
    values.py, columns.py, classes.py      numbers and containers; long ones as arrays; named tuples and dataclasses
    attributes.py, methods.py      objects by their attributes, or by methods for their state
    numpy_values.py, torch_values.py, jax_values.py, tensorflow_values.py, keras_values.py      arrays and streams
    torch_modules.py, keras_models.py, tensorflow_objects.py, jax_trees.py, nnx_modules.py      models, optimizers
    random_state.py, parts.py      the random state of the program
    environments.py, layers.py, environment_fields.py, engines.py      environments and their wrappers; simulators
    members.py, remote.py      vectors of environments, in this process and in others
    normalizers.py, sb3.py, torchrl.py, tianshou.py      normalizers; buffers that need more than their attributes
    stored.py         arrays of a tree that are still in their files

Frameworks are imported when the program has imported them.
"""

from rla_hooks.state.objects.walk import Captured, Kind, Walk, capture, check, put, restore

__all__ = ["Captured", "Kind", "Walk", "capture", "check", "put", "restore"]
