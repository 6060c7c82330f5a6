"""Runs a script that saves states, and kills it with SIGKILL at a fixed point.

    python killed.py before:STEP|while:STEP|after:STEP|never SCRIPT [ARGUMENTS]

before: when it is about to save the state of the step. while: when a part of that state is on the disk. after: when
it has been saved.
"""

import os
import random
import runpy
import signal
import sys
import warnings
from pathlib import Path

import numpy as np

import rla_hooks as rla

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
warnings.simplefilter("ignore", rla.RLAWarning)  # that there is no state yet, say
when, _, at = sys.argv[1].partition(":")
save_state, fsync = rla.save_state, os.fsync


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_second(descriptor):
    os.fsync = die
    fsync(descriptor)


def save_or_die(step, **options):
    is_there = when != "never" and step == int(at)
    if is_there and when == "before":
        die()
    os.fsync = die_at_second if is_there and when == "while" else fsync
    path = save_state(step, **options)
    if is_there:
        assert path is not None, "no state was due"
        die()
    return path


rla.save_state = save_or_die
random.seed(0)  # what a script does not use is the same in the end, too
np.random.seed(0)
sys.argv = sys.argv[2:]
sys.path[:1] = [os.path.dirname(sys.argv[0]), str(EXAMPLES)]
runpy.run_path(sys.argv[0], run_name="__main__")
