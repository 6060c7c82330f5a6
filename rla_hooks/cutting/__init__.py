"""Goes back to a checkpoint: what the metric files of a run got after it is cut off, and kept aside.

    log/<run name>/cut/1/cut.json        what was cut, and how far the cut has come
                         progress.csv    the rows that were cut, behind their header
                         tb/...          the event files that held some of it, whole

A cut is made in three steps: everything that is needed is written into a hidden folder; the folder gets its name; files
are moved. A process that is killed before the second step has changed nothing, and after it :func:`finish_cut` goes on.
Whoever cuts must be the only writer of the run, and have none of its files open.

csvfiles    which rows of a csv file stay
jsonfiles   which rows of a file of JSON lines stay
eventfiles  which events of TensorBoard's files stay
checks      whether cut.json is one that a cut has written
journal     cut.json, and what is done from it
back        the cut
"""

from rla_hooks.cutting.back import cut_all, cut_to
from rla_hooks.cutting.journal import Cut, finish_cut

__all__ = ["Cut", "cut_all", "cut_to", "finish_cut"]
