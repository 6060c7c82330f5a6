"""RLA's later home of its time trackers."""
