"""A DQN that is tracked, and that nobody has thought to resume: the lines that docs/state.md adds make it exact."""

import random
from collections import deque, namedtuple
from copy import deepcopy

import gymnasium as gym
import torch
from torch import nn

import rla_hooks as rla

Transition = namedtuple("Transition", "before action reward after ended")


class Agent:
    """Two networks, their optimizer, and what was seen."""

    def __init__(self, lr):
        self.online = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
        self.target = deepcopy(self.online)
        self.optimizer = torch.optim.Adam(self.online.parameters(), lr)
        self.memory, self.steps = deque(maxlen=500), 0

    def act(self, observation):
        self.steps += 1
        if random.random() < max(0.05, 1 - self.steps / 400):
            return random.randrange(2)
        return int(self.online(torch.as_tensor(observation)).argmax())

    def learn(self, batch=16):
        if len(self.memory) < batch:
            return
        columns = Transition(*zip(*random.sample(self.memory, batch)))
        before, after = (torch.tensor(each) for each in (columns.before, columns.after))
        with torch.no_grad():
            best = self.target(after).max(1).values * (1 - torch.tensor(columns.ended, dtype=torch.float32))
        now = self.online(before).gather(1, torch.tensor(columns.action)[:, None])[:, 0]
        loss = nn.functional.smooth_l1_loss(now, torch.tensor(columns.reward) + 0.99 * best)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.steps % 100 == 0:
            self.target.load_state_dict(self.online.state_dict())


@rla.track(record=["lr"], writers=["csv"], backup="none")
def main(lr=1e-3, episodes=41):
    random.seed(1), torch.manual_seed(1), torch.set_num_threads(1)
    env, agent = gym.make("CartPole-v1"), Agent(lr)
    env.reset(seed=1)
    for episode in range(episodes):
        observation, _ = env.reset()
        total, over = 0.0, False
        while not over:
            action = agent.act(observation)
            after, reward, ended, cut, _ = env.step(action)
            agent.memory.append(Transition(observation.tolist(), action, reward, after.tolist(), ended))
            agent.learn()
            observation, total, over = after, total + reward, ended or cut
        rla.log({"perf/return": total}, step=episode)
    print([parameter.tolist() for parameter in agent.online.parameters()], random.random(), env.reset()[0])


main()
