"""A training of a minute that can be preempted at any step, and resumed: what tests/cluster/slurm.sh submits."""

import sys
import time

import rla_hooks as rla


@rla.track(task="slurm", record=["seed"], resume="auto", writers=["csv"], backup="none")
def main(seed, steps=200):
    step = 0
    if rla.current_run().is_resumed:
        step = rla.load_checkpoint()[0]
    while step < steps:
        rla.log({"loss": 1 / (step + 1), "seed": seed}, step=step)
        step += 1
        time.sleep(0.25)
        if rla.should_stop():
            rla.save_checkpoint({"weights": [float(step)]}, step=step)
            print(f"seed {seed}: saved at step {step}", flush=True)
            return


main(int(sys.argv[1]))
