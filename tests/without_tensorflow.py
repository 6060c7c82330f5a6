"""Importing this first lets TensorBoard, and so Stable-Baselines3, leave TensorFlow alone, which takes seconds."""

import sys
import types

sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")
