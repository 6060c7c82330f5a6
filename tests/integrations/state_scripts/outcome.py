"""What a training has left in its log root: to be compared with what another one has left."""

import csv
import json

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest


def outcome(root):
    """Return the rows and the files of the newest state of the run that has finished, without times; and the run."""
    (run,) = (each for each in rla.runs(root) if each.status == "finished")
    assert run.problems == ()
    with (run.log_dir / "progress.csv").open(newline="") as file:
        rows = [{key: cell for key, cell in row.items() if key != "timestamp"} for row in csv.DictReader(file)]
    newest = Manifest(run.checkpoint_dir).newest("state")
    folder = run.checkpoint_dir / newest.file  # state-40.1 where a kill has left a state-40 that is not listed
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    head = json.loads(files.pop("state.json"))
    head.pop("time"), head.pop("run")
    return rows, (newest.step, head, files), run
