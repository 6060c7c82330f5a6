"""Folders of other tools, read as runs: what TensorBoard, Lightning, Stable-Baselines3 and Keras leave behind.

scan     finds the folders, and says what is in them
run      one of them as a saved run
tables   CSV files: of SB3's logger and its Monitor, of Lightning's and Keras' CSVLogger
events   TensorBoard's event files
parts    what a reader of such files gives

Nothing is written into them, and nothing of them is run. A new kind of file is a class with the methods of
:class:`~rla_hooks.query.foreign.parts.Part`, and a line in ``scan``.
"""
