"""A toolkit for imitation with a logger class of its own around RLA, in torch."""

import os
from os.path import join

import numpy as np
import RLA
import torch as th


class RLALogger:
    def __init__(self, cfg, log_root):
        self.cfg, self.log_cfg, self.work_dir = cfg, cfg["log"], cfg["work_dir"]
        self.logger = RLA.logger
        self.exp_manager = RLA.exp_manager
        self.exp_manager.configure(
            task_table_name=self.log_cfg["project"],
            private_config_path=join(self.work_dir, *self.log_cfg["rla_config"].split("/")),
            data_root=join(self.work_dir, log_root),
            run_file=self.log_cfg["run_file"],
            code_root=self.work_dir,
        )
        self.exp_manager.set_hyper_param(**self.cfg)
        self.exp_manager.add_record_param(self.log_cfg["record_param"])
        self.exp_manager.log_files_gen()
        self.exp_manager.print_args()
        self.results_dir = self.exp_manager.results_dir
        self.checkpoint_dir = self.exp_manager.checkpoint_dir

    def set_global_t(self, t):
        self.exp_manager.time_step_holder.set_time(t)

    def get_global_t(self):
        return self.exp_manager.time_step_holder.get_time()

    def dump2log(self, info):
        self.logger.info(info)

    def logkvs(self, infos, tag=None):
        self.logger.logkvs(infos, f"{tag}/")

    def dumpkvs(self):
        self.logger.dumpkvs()


class BehaviourCloning:
    def __init__(self, cfg, logger):
        self.logger, self.models = logger, {"actor": th.nn.Linear(2, 1)}
        self.optimizer = th.optim.SGD(self.models["actor"].parameters(), lr=cfg["agent"]["lr"])

    def learn(self, states, actions, steps):
        for t in range(steps):
            self.logger.set_global_t(t)
            loss = th.nn.functional.mse_loss(self.models["actor"](states), actions)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.logger.logkvs({"actor": loss.item(), "entropy": np.float64(0.5)}, "loss")
            self.logger.dumpkvs()
            if t % 5 == 0:
                self.logger.dump2log({"t": self.logger.get_global_t(), "loss": loss})
                path = join(self.logger.checkpoint_dir, f"policy_{t}.pt")
                th.save({name: model.state_dict() for name, model in self.models.items()}, path)
                th.load(path, weights_only=True)


if __name__ == "__main__":
    work_dir = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    cfg = {
        "work_dir": work_dir,
        "seed": 5,
        "env": {"name": "HalfCheetah-v3"},
        "agent": {"algo": "bc", "lr": 0.05, "net_arch": [64, 64]},
        "log": {
            "project": "ilkit/bc",
            "rla_config": "rla_config.yaml",
            "run_file": ["run_scripts/ilkit.py"],
            "record_param": ["env.name", "agent.algo", "seed"],
        },
    }
    th.manual_seed(cfg["seed"])
    states = th.randn(20, 2)
    BehaviourCloning(cfg, RLALogger(cfg, "logs")).learn(states, states.sum(1, keepdim=True), 11)
