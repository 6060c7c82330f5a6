"""RLA's trackers of time and of memory, in modules of their names."""
