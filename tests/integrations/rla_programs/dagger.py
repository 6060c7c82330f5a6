"""Imitation of an expert whose data are collected again and again, in torch, with a clock of its own for each curve."""

import argparse

import matplotlib
import torch
from RLA import exp_manager, logger, time_step_holder

matplotlib.use("Agg")
import matplotlib.pyplot as plt


class Agent:
    def __init__(self, args, device):
        self.model = torch.nn.Linear(4, 2)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=args.lr)
        self.device, self.update_num = device, 0

    def train(self, data, label):
        self.model.train()
        total = 0.0
        for batch in range(3):
            loss = torch.nn.functional.cross_entropy(self.model(data[batch::3]), label[batch::3])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item()
            self.update_num += 1
            logger.logkv("train_loss", loss.item())
            time_step_holder.set_time(self.update_num)
            logger.dumpkvs()
        return total / 3

    def get_checkpoint(self):
        checkpoint = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        return checkpoint, {"update_num": self.update_num}


def evaluate(agent, states, time_step, save_fig=False):
    with torch.no_grad():
        values = agent.model(states)
    logger.record_tabular("eval/reward", float(values.max()))
    logger.record_tabular("eval/action", values[0].argmax())
    time_step_holder.set_time(time_step)
    logger.dump_tabular()
    if save_fig:
        figure, axes = plt.subplots()
        axes.hist(values.ravel().numpy())
        figure.savefig(f"{exp_manager.results_dir}/values-{time_step}.png")
        plt.close(figure)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--info", default="dagger run")
    parser.add_argument("--env_name", default="MontezumaRevengeNoFrameskip-v0")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--epochs", type=int, default=4)
    args = parser.parse_args()
    exp_manager.set_hyper_param(**vars(args))
    exp_manager.add_record_param(["info", "seed", "env_name", "lr"])
    exp_manager.configure("dagger", rla_config="./rla_config.yaml", data_root="./rslts")
    exp_manager.log_files_gen()
    exp_manager.print_args()
    torch.manual_seed(args.seed)
    device = torch.device("cpu")
    logger.info(device)
    agent = Agent(args, device)
    states = torch.randn(30, 4)
    evaluate(agent, states, time_step=-1)
    exp_manager.new_saver(max_to_keep=1000)
    for epoch in range(args.epochs):
        loss = agent.train(states, (states.sum(1) > 0).long())
        logger.logkv("train_epoch_loss", loss)
        time_step_holder.set_time(epoch)
        logger.dumpkvs()
        if (epoch + 1) % 2 == 0:
            evaluate(agent, states, time_step=epoch, save_fig=True)
            checkpoint, related_variable = agent.get_checkpoint()
            exp_manager.save_checkpoint(checkpoint, related_variable=related_variable)
    evaluate(agent, states, time_step=args.epochs)
    index, content = exp_manager.load_checkpoint()
    agent.model.load_state_dict(content["model"])
    print("last checkpoint", index, *content["model"]["weight"].shape)


if __name__ == "__main__":
    main()
