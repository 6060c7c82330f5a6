"""RLA's helpers for torch: see :mod:`rla_hooks.easy_torch.save_tools`."""
