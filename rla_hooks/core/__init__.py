"""A run while it goes on: what it is to be, its parts, how it ends, how it goes to other processes."""
