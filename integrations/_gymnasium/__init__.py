"""The parts of rla_hooks.integrations.gymnasium.

vector.py     the wrapper of a vector environment; that of one environment is in ../gymnasium.py
recorded.py   what the wrappers have in common, and the checks of their arguments
tracker.py    the run, rows, films: the same for both
shared.py     the numbers of steps and episodes, for all environments of one name
describe.py   an environment's id, wrappers and spaces as hyper-parameters
videos.py     which episodes are filmed, and which files are kept
film.py       the frames of one episode: an mp4 file, and small pictures for a GIF
"""
