"""Records the code of a run: a copy of the project, and the state of git, Python and packages."""
