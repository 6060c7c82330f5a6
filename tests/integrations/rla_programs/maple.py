"""Offline reinforcement learning that adapts, on a TF1 graph; a former experiment is continued where one is named."""

import argparse
import copy
import os

import numpy as np
import tensorflow.compat.v1 as tf
from RLA import logger
from RLA.easy_log.tester import tester


def get_variant():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="d4rl.hopper_medium")
    parser.add_argument("--info", default="default")
    parser.add_argument("--model_suffix", default="3")
    parser.add_argument("--length", type=int, default=5)
    parser.add_argument("--penalty_coeff", type=float, default=0.25)
    parser.add_argument("--n_epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loaded_task_name", default="")
    parser.add_argument("--loaded_date", default="")
    parser.add_argument("--retrain_model", action="store_true")
    args = parser.parse_args()
    variant = {
        "environment_params": {"training": {"domain": "hopper", "kwargs": {}}, "evaluation": lambda variant: None},
        "algorithm_params": {"kwargs": {"model_load_dir": "", "num_networks": 3}},
        "run_params": {"seed": args.seed, "checkpoint_at_end": True},
    }
    variant.update(vars(args))
    return variant


def get_package_path():
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    variant = get_variant()
    tf.disable_eager_execution()
    session = tf.Session()
    tester.set_hyper_param(**variant)
    loader = None
    if variant["loaded_task_name"] != "":
        from RLA import ExperimentLoader

        loader = ExperimentLoader()
        loader.config(task_name=variant["loaded_task_name"], record_date=variant["loaded_date"], root="../")
        args = loader.import_hyper_parameters(hp_to_overwrite=["n_epochs", "retrain_model"])
        tester.hyper_param = vars(args)
        tester.hyper_param["retrain_model"] = False
        variant = copy.deepcopy(tester.hyper_param)
    tester.add_record_param(["info", "model_suffix", "penalty_coeff", "run_params.seed"])
    tester.configure(
        task_name="v2_" + variant["config"],
        rla_config=os.path.join(get_package_path(), "rla_config.yaml"),
        log_root=get_package_path(),
    )
    tester.log_files_gen()
    tester.print_args()
    assert variant["environment_params"]["training"]["domain"] == "hopper"

    random = np.random.RandomState(variant["run_params"]["seed"])
    states = random.normal(size=[64, 4]).astype("float32")
    state = tf.placeholder(tf.float32, [None, 4])
    with tf.variable_scope("maple"):
        weights = tf.get_variable("w", [4, 1], initializer=tf.zeros_initializer())
    loss = tf.reduce_mean(tf.square(tf.matmul(state, weights) - tf.reduce_sum(state, axis=-1, keepdims=True)))
    step = tf.train.AdamOptimizer(0.1).minimize(loss)
    session.run(tf.global_variables_initializer())
    tester.time_step_holder.set_time(0)
    with session.as_default():
        tester.new_saver(max_to_keep=1)
        first = 0
        if loader is not None:
            loader.fork_log_files()
            first = loader.load_from_record_date()[0] + 1
    for epoch in range(first, variant["n_epochs"]):
        tester.time_step_holder.set_time(epoch)
        value, _ = session.run([loss, step], {state: states})
        diagnostics = {"perf/AverageReturn": -value, "training/sac_Q/loss": value, "times/epoch": epoch}
        if epoch % 2 == 0:
            tester.sync_log_file()
        logger.logkvs(diagnostics)
        logger.dump_tabular()
        with session.as_default():
            tester.save_checkpoint()
    print("weights", *session.run(weights).ravel().tolist())


if __name__ == "__main__":
    main()
