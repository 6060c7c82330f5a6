"""A DQN that a kill does not change: started again, it ends with the weights of a training that was never stopped.

python examples/exact_resume.py      # stop it: Ctrl-C, kill -9, or a cluster's SIGTERM
python examples/exact_resume.py      # it goes on; the last line is the same however often it was stopped
"""

import copy
import hashlib

import gymnasium as gym
import numpy as np
import torch
import typer
from torch import nn

import rla_hooks as rla


class Replay:
    """The transitions of the last steps. All its attributes are data, so it can be saved as it is."""

    def __init__(self, size: int):
        self.before, self.after = np.zeros((size, 4), np.float32), np.zeros((size, 4), np.float32)
        self.action, self.reward, self.ended = np.zeros(size, int), np.zeros(size, np.float32), np.zeros(size, bool)
        self.count, self.rng = 0, np.random.default_rng(0)

    def add(self, *transition) -> None:
        for column, value in zip((self.before, self.action, self.reward, self.after, self.ended), transition):
            column[self.count % len(column)] = value
        self.count += 1

    def sample(self, number: int) -> list[torch.Tensor]:
        rows = self.rng.integers(min(self.count, len(self.action)), size=number)
        columns = (self.before, self.action, self.reward, self.after, self.ended)
        return [torch.as_tensor(column[rows]) for column in columns]


@rla.track(record=["lr"], resume="auto", writers=["csv", "tensorboard", "log"])
def main(lr: float = 1e-3, steps: int = 15_000, save_every: int = 1_000, batch: int = 64, seed: int = 1) -> None:
    """Train an agent with DQN on CartPole-v1, and save all that the next step depends on."""
    torch.manual_seed(seed)
    env = gym.make("CartPole-v1")
    online = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    target, optimizer, replay = copy.deepcopy(online), torch.optim.Adam(online.parameters(), lr), Replay(10_000)
    now = {"observation": env.reset(seed=seed)[0], "return": 0.0}  # what the loop itself knows

    everything = {"models": {"online": online, "target": target}, "optimizers": optimizer, "buffers": replay}
    everything |= {"env": env, "extra": now}
    state = rla.load_state(**everything)  # None in a new run
    for step in range(state.step + 1 if state else 0, steps):
        before, explores = now["observation"], torch.rand(()) < max(0.05, 1 - step / (0.3 * steps))
        action = int(torch.randint(2, ())) if explores else int(online(torch.as_tensor(before)).argmax())
        after, reward, ended, cut, _ = env.step(action)
        replay.add(before, action, reward, after, ended)
        now["observation"], now["return"] = after, now["return"] + reward
        if ended or cut:
            rla.log({"perf/return": now["return"]}, step=step)
            now["observation"], now["return"] = env.reset()[0], 0.0
        if replay.count >= 10 * batch and step % 2 == 0:
            before, action, reward, after, ended = replay.sample(batch)
            with torch.no_grad():
                goal = reward + 0.99 * target(after).max(1).values * ~ended
            loss = nn.functional.smooth_l1_loss(online(before).gather(1, action[:, None])[:, 0], goal)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if step % 250 == 0:
            target.load_state_dict(online.state_dict())
        rla.save_state(step, **everything, every=save_every)
        if rla.should_stop():  # a cluster takes the machine away: the line before has saved, though it was not due
            return
    weights = b"".join(each.detach().numpy().tobytes() for each in online.parameters())
    print(f"sha256 of the weights: {hashlib.sha256(weights).hexdigest()}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
