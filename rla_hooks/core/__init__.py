"""The class Run and its parts: settings, start and end, and what happens to a run in several processes."""
