"""RLA's figures: ``from rla_hooks.easy_log.simple_mat_plot import *``."""

from rla_hooks.face import simple_hist, simple_plot, simple_scatter

__all__ = ["simple_hist", "simple_plot", "simple_scatter"]
