"""Checkpoints of TensorFlow: see :mod:`rla_hooks.checkpoints.tensorflow.backend`."""
