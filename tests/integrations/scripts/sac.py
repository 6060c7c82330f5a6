"""SAC on Pendulum, with an evaluation that has a writer of its own, and an agent that is saved beside the logs."""

import argparse
import json
import os
import random
import time

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--exp-name", type=str, default="sac")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--total-timesteps", type=int, default=240)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--policy-lr", type=float, default=3e-4)
    parser.add_argument("--q-lr", type=float, default=1e-3)
    parser.add_argument("--gamma", type=float, default=0.99)
    parser.add_argument("--tau", type=float, default=0.005)
    parser.add_argument("--alpha", type=float, default=0.2)
    parser.add_argument("--learning-starts", type=int, default=64)
    return parser.parse_args()


def network(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, outputs))


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = network(3, 2)

    def forward(self, observation):
        """An action, squashed to the range of the environment, and its log probability."""
        mean, log_std = self.body(observation).chunk(2, dim=-1)
        normal = torch.distributions.Normal(mean, log_std.clamp(-5, 2).exp())
        raw = normal.rsample()
        squashed = torch.tanh(raw)
        log_prob = normal.log_prob(raw) - torch.log(2 * (1 - squashed.pow(2)) + 1e-6)
        return 2 * squashed, log_prob.sum(-1, keepdim=True)


def evaluate(actor, env, writer, global_step):
    observation, _ = env.reset(seed=global_step)
    total = 0.0
    for _ in range(20):
        with torch.no_grad():
            action, _ = actor(torch.as_tensor(observation))
        observation, reward, *_ = env.step(action.numpy())
        total += float(reward)
    writer.add_scalar("episodic_return", total, global_step)


def main():
    args = parse_args()
    run_name = f"Pendulum-v1__{args.exp_name}__{args.seed}__{int(time.time())}"
    writer = SummaryWriter(log_dir=f"runs/{run_name}", comment="unused", flush_secs=5)
    eval_writer = SummaryWriter(log_dir=f"runs/{run_name}/eval")
    rows = [f"|{key}|{value}|" for key, value in vars(args).items()]
    writer.add_text("hyperparameters", "|param|value|\n|-|-|\n" + "\n".join(rows))
    with open(os.path.join(writer.log_dir, "args.json"), "w") as file:
        json.dump(vars(args), file)

    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    env = gym.wrappers.RecordEpisodeStatistics(gym.make("Pendulum-v1"))
    env.action_space.seed(args.seed)
    eval_env = gym.make("Pendulum-v1")

    actor, critics, targets = Actor(), *(nn.ModuleList([network(4, 1), network(4, 1)]) for _ in range(2))
    targets.load_state_dict(critics.state_dict())
    q_optimizer = torch.optim.Adam(critics.parameters(), lr=args.q_lr)
    actor_optimizer = torch.optim.Adam(actor.parameters(), lr=args.policy_lr)
    memory = []

    start = time.time()
    observation, _ = env.reset(seed=args.seed)
    for global_step in range(args.total_timesteps):
        if global_step < args.learning_starts:
            action = env.action_space.sample()
        else:
            action = actor(torch.as_tensor(observation))[0].detach().numpy()
        following, reward, terminated, truncated, info = env.step(action)
        memory.append((observation, action, [reward], following, [float(terminated)]))
        observation = following
        if truncated:
            writer.add_scalar("charts/episodic_return", info["episode"]["r"], global_step)
            observation, _ = env.reset()
        if global_step < args.learning_starts:
            continue
        drawn = zip(*random.sample(memory, args.batch_size))
        obs, act, rew, nxt, done = (torch.as_tensor(np.array(column), dtype=torch.float32) for column in drawn)
        with torch.no_grad():
            next_action, next_log_prob = actor(nxt)
            worst = torch.min(*(q(torch.cat([nxt, next_action], -1)) for q in targets))
            wanted = rew + args.gamma * (1 - done) * (worst - args.alpha * next_log_prob)
        first, second = (q(torch.cat([obs, act], -1)) for q in critics)
        q1_loss, q2_loss = (nn.functional.mse_loss(values, wanted) for values in (first, second))
        q_optimizer.zero_grad()
        (q1_loss + q2_loss).backward()
        q_optimizer.step()
        new_action, log_prob = actor(obs)
        actor_loss = (args.alpha * log_prob - torch.min(*(q(torch.cat([obs, new_action], -1)) for q in critics))).mean()
        actor_optimizer.zero_grad()
        actor_loss.backward()
        actor_optimizer.step()
        with torch.no_grad():
            for mine, theirs in zip(critics.parameters(), targets.parameters()):
                theirs.lerp_(mine, args.tau)
        if global_step % 40 == 0:
            writer.add_scalar("losses/qf1_values", first.mean().item(), global_step)
            writer.add_scalar("losses/qf2_values", second.mean().item(), global_step)
            writer.add_scalar("losses/qf_loss", ((q1_loss + q2_loss) / 2.0).item(), global_step)
            writer.add_scalar("losses/actor_loss", actor_loss.item(), global_step)
            writer.add_scalar("losses/alpha", args.alpha, global_step)
            writer.add_scalar("charts/SPS", int(global_step / (time.time() - start)), global_step)
            evaluate(actor, eval_env, eval_writer, global_step)
    torch.save(actor.state_dict(), os.path.join(writer.log_dir, "actor.pt"))
    eval_writer.close()
    writer.close()


if __name__ == "__main__":
    main()
