"""Tries the installed wheel in an environment that has nothing else: run by ``make wheel``."""

import csv
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from importlib import metadata
from pathlib import Path

import rla_hooks as rla

site = Path(sysconfig.get_paths()["purelib"])
assert Path(rla.__file__).is_relative_to(site), f"not the wheel: {rla.__file__}"
assert not (site / "integrations").exists(), "a package named integrations landed in site-packages"
assert metadata.version("rla-hooks") == rla.__version__
assert (site / "rla_hooks" / "py.typed").is_file()

os.chdir(tempfile.mkdtemp(prefix="rla_hooks wheel "))


@rla.track(record=["lr"], task="smoke", writers=["csv", "tensorboard", "log"])
def main(lr=0.1, steps=3):
    for step in range(steps):
        rla.log({"loss": lr / (step + 1)}, step=step)
    rla.save_checkpoint({"weights": [1.0, 2.0]})
    assert rla.load_checkpoint() == (2, {"weights": [1.0, 2.0]})
    assert rla.simple_plot(name="curve", data=[[1, 2, 3]]).is_file()


main()
(run,) = rla.runs()
assert run.status == "finished" and run.hparams == {"lr": 0.1, "steps": 3}, run
with (run.log_dir / "progress.csv").open(newline="") as file:
    assert [float(row["loss"]) for row in csv.DictReader(file)] == [0.1, 0.05, 0.1 / 3]
assert rla.latest_checkpoint(run).is_file()
assert json.loads((run.log_dir / "run.json").read_text())["rla_hooks"] == rla.__version__
listed = subprocess.run([Path(sys.executable).parent / "rla", "runs"], capture_output=True, text=True, check=True)
assert "smoke" in listed.stdout and "finished" in listed.stdout
print("the wheel works:", rla.__version__)
