"""A program that starts workers, each of which is a run of the same group."""

import os
import subprocess
import sys

import wandb


def worker(number):
    wandb.init(project="workers", group=os.environ["GROUP"], job_type="worker", config={"worker": number})
    for step in range(3):
        wandb.log({"return": 10.0 * number + step})
    wandb.finish(exit_code=int(number == 1))


if len(sys.argv) > 1:
    worker(int(sys.argv[1]))
else:
    environment = {**os.environ, "GROUP": "experiment-1"}
    processes = [subprocess.Popen([sys.executable, __file__, str(number)], env=environment) for number in range(2)]
    codes = [process.wait() for process in processes]
    wandb.init(project="workers", job_type="main", mode="offline", settings=wandb.Settings(_disable_stats=True))
    wandb.log({"workers": len(codes)})
