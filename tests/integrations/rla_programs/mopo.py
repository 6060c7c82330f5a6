"""An ensemble of dynamics models learns from a data set: numpy only."""

import argparse
import os

import numpy as np
from RLA.easy_log import logger
from RLA.easy_log.tester import tester


def get_package_path():
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def get_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--env", default="hopper")
    parser.add_argument("--quality", default="mixed")
    parser.add_argument("--info", default="")
    parser.add_argument("--seed", type=int, default=88)
    parser.add_argument("--num_networks", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    return parser.parse_args()


class Ensemble:
    def __init__(self, size, random):
        self.weights = [random.normal(size=3) for _ in range(size)]

    def train(self, inputs, targets, epochs):
        half = len(inputs) // 2
        for epoch in range(epochs):
            tester.time_step_holder.set_time(epoch)
            losses = []
            for i, weights in enumerate(self.weights):
                error = inputs[:half] @ weights - targets[:half]
                self.weights[i] = weights - 0.1 * inputs[:half].T @ error / half
                losses.append(np.square(error).mean())
                holdout = np.square(inputs[half:] @ self.weights[i] - targets[half:]).mean()
                logger.ma_record_tabular(f"M/{i}", losses[i], 3)
                logger.ma_record_tabular(f"V/{i}", holdout, 3)
            logger.logkv("loss", np.float32(np.mean(losses)))
            logger.record_tabular("best", int(np.argmin(losses)))
            logger.dump_tabular()
            if epoch % 3 == 0:
                tester.sync_log_file()


def main(args):
    random = np.random.RandomState(args.seed)
    tester.set_hyper_param(**vars(args), activation=np.tanh, hidden_sizes=(200, 200))
    tester.add_record_param(["info", "seed", "env"])
    tester.configure(
        task_name="model_learn",
        private_config_path=os.path.join(get_package_path(), "rla_config.yaml"),
        run_file="run_scripts/mopo.py",
        log_root=get_package_path(),
    )
    tester.log_files_gen()
    tester.print_args()
    inputs = random.normal(size=[40, 3])
    Ensemble(args.num_networks, random).train(inputs, inputs.sum(1), args.epochs)
    name = "{}-{}_{}.npy".format(args.env, args.quality, tester.hyper_param["num_networks"])
    np.save(os.path.join(tester.log_dir, name), inputs)
    logger.warn("the model is saved as", name)
    logger.log(f"done in {tester.results_dir}")


if __name__ == "__main__":
    main(get_args())
