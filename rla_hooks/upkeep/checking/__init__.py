"""Checks the files of runs, and mends what can be rebuilt without loss.

tables            files of rows: progress.csv, system.csv
json_lines        files of rows as JSON lines: progress.json
events            TensorBoard's event files
saved             checkpoints, against their manifest
records           run.json, parameter.json, labels.json, tester.pkl, and cuts that were not finished
kept_code         the code of a run, against the names in the store
images            figures, images, videos and sounds
found             what a check has found, and how it can be mended
opening           files are opened here: only regular ones, and no links are followed
one_run           all of these for one run
all_runs          for many, and what is to be told
mending           puts mended files in the place of damaged ones, which are kept

Each check reads a file once, in blocks, and gives what it has found. Nothing is changed but by ``mending``.
"""
