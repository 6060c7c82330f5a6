"""Reads files of rows, such as a progress.csv, as columns: types come from what stands in the file, never from a guess.

A column is int64 where all its cells are integers of that range, float64 where all are numbers (``nan`` and ``inf``
among them; an integer beyond int64 makes it float64), else it holds texts. An empty cell is no value. Only the columns
that are asked for are converted, and files are read in blocks: memory is bounded by the result.

lines     the lines of a file in blocks, past holes and NULs
plain     the cells of rows without quotes
decimals  numbers from their digits
pieces    cells become arrays; blocks and files are joined
reader    a file as pieces
"""
