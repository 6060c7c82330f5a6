"""What a training has left in its log root: to be compared with what another one has left."""

import csv
import json

import rla_hooks as rla


def outcome(root):
    """Return the rows and the files of the newest state of the run that has finished, without times; and the run."""
    (run,) = (each for each in rla.runs(root) if each.status == "finished")
    assert run.problems == ()
    with (run.log_dir / "progress.csv").open(newline="") as file:
        rows = [{key: cell for key, cell in row.items() if key != "timestamp"} for row in csv.DictReader(file)]
    newest = max(run.checkpoint_dir.glob("state-*"), key=lambda path: int(path.name.partition("-")[2]))
    files = {str(path.relative_to(newest)): path.read_bytes() for path in newest.rglob("*") if path.is_file()}
    head = json.loads(files.pop("state.json"))
    head.pop("time")
    return rows, (newest.name, head, files), run
