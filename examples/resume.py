"""A training that may be stopped at any moment: started again, it goes on in the same run, on one curve.

    python examples/resume.py            # stop it: Ctrl-C, kill -9, or a cluster's SIGTERM
    python examples/resume.py            # it goes on behind its newest checkpoint
    rla show latest                      # the lives of the run, and how many rows were cut

The agent and the algorithm are those of cartpole.py.
"""

from __future__ import annotations

import torch
import typer
from cartpole import Agent, Collector, update

import rla_hooks as rla

NUM_ENVS, ROLLOUT = 8, 128


# "auto" finds the newest run with these hyper-parameters that was stopped; without one it starts a new run.
@rla.track(record=["lr"], resume="auto", writers=["csv", "tensorboard", "log"])
def main(lr: float = 2.5e-3, updates: int = 100, save_every: int = 10, seed: int = 1) -> None:
    """Train an agent with PPO on CartPole-v1, and save all that a further process needs to go on."""
    torch.manual_seed(seed)
    collector, agent = Collector(NUM_ENVS, seed), Agent(4, 2)
    optimizer = torch.optim.Adam(agent.parameters(), lr=lr, eps=1e-5)
    state = {"policy": agent, "optimizer": optimizer}
    rla.new_saver(max_to_keep=3)

    done = 0  # updates
    if rla.is_resumed():
        # The rows after the checkpoint leave the curve, since they are made again: log nothing before this line.
        step, content = rla.load_checkpoint(objects=state)
        done = content["done"]
        torch.set_rng_state(content["random"])
        collector.step, collector.returns = step, content["returns"]
        print(f"going on at step {step}, after {done} of {updates} updates")

    for number in range(done, updates):
        rollout = collector.rollout(agent, ROLLOUT)
        losses = update(agent, optimizer, rollout, 0.98, 0.9, epochs=4, minibatch=256, clip=0.2, entropy_weight=0.01)
        rla.log({"perf/return": collector.mean_return(), **losses}, step=collector.step)

        asked = rla.should_stop()  # by a cluster that takes the machine away: true after SIGTERM, SIGUSR1 or SIGUSR2
        if asked or (number + 1) % save_every == 0 or number + 1 == updates:
            progress = {"done": number + 1, "returns": collector.returns[-20:], "random": torch.get_rng_state()}
            rla.save_checkpoint({**state, **progress}, step=collector.step)
        if asked:
            return  # the run is `preempted`, and this process exits with 128 + the signal

    print(f"last return: {collector.mean_return():.1f} of 500")
    if run := rla.current_run():  # None with RLA_MODE=off
        print(f"run:         {run.log_dir}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
