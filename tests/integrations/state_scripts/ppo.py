"""PPO on two CartPoles, those of examples/cartpole.py: agent, optimizer, environments and what the collector counts."""

import random

import torch
from cartpole import Agent, Collector, update
from told import tell

import rla_hooks as rla

torch.set_num_threads(1)


@rla.track(task="ppo", resume="auto", writers=["csv"], backup="none")
def main(updates=21, seed=1):
    torch.manual_seed(seed)
    random.seed(seed)
    collector, agent = Collector(2, seed), Agent(4, 2, width=8)
    envs = collector.envs
    for space in (envs.observation_space, envs.action_space, envs.single_observation_space, envs.single_action_space):
        space.seed(seed)  # nobody draws from them; but all of the state is to be the same
    optimizer = torch.optim.Adam(agent.parameters())
    everything = {"models": {"agent": agent}, "optimizers": optimizer, "env": envs}
    everything["extra"] = {"collector": collector}  # all its attributes, without the environments
    state = rla.load_state(**everything)
    for number in range(state.step + 1 if state else 0, updates):
        losses = update(agent, optimizer, collector.rollout(agent, 16), 0.98, 0.9, 1, 16, 0.2, 0.01)
        rla.log({"perf/return": collector.mean_return(), "drawn": random.random(), **losses}, step=number)
        rla.save_state(number, **everything, every=4)
    tell(agent.state_dict(), optimizer.state_dict(), [env.unwrapped.state for env in envs.envs])


main()
