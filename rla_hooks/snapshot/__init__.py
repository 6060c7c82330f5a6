"""What a run's code was: the backup of the project, and the state of git, Python and packages behind it."""
