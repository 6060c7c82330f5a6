"""A policy learns in the model that a former experiment has learned: its variables come back by their scope."""

import argparse
import os

import numpy as np
import tensorflow.compat.v1 as tf
from RLA import ExperimentLoader, ImgRecorder, exp_manager, logger


def get_package_path():
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--info", default="policy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--horizon", type=int, default=77)
    parser.add_argument("--loaded_task_name", default="")
    parser.add_argument("--loaded_date", default="")
    parser.add_argument("--total_timesteps", type=int, default=30)
    args = parser.parse_args()
    exp_manager.set_hyper_param(**vars(args))
    exp_manager.add_record_param(["info", "seed", "loaded_date"])
    exp_manager.configure(
        task_table_name="default-v2",
        rla_config=os.path.join(get_package_path(), "rla_config.yaml"),
        ignore_file_path=os.path.join(get_package_path(), ".gitignore"),
        data_root=get_package_path(),
    )
    exp_manager.log_files_gen()
    exp_manager.print_args()

    exp_loader = ExperimentLoader()
    root = os.path.join(get_package_path(), "RLA_LOG")
    exp_loader.config(task_name=args.loaded_task_name, record_date=args.loaded_date, root=root)
    model_args = exp_loader.import_hyper_parameters()
    print("model horizon", model_args.horizon)
    if not hasattr(model_args, "dm_std_init"):
        model_args.dm_std_init = 0.3

    tf.disable_eager_execution()
    scope = "mle/dm_net"
    with tf.variable_scope(scope):
        model = tf.get_variable("w", [3, 1], initializer=tf.zeros_initializer())
    with tf.variable_scope("pi"):
        policy = tf.get_variable("w", [3, 1], initializer=tf.ones_initializer())
    loss = tf.reduce_mean(tf.square(model - policy))
    optimizer = tf.train.GradientDescentOptimizer(0.5).minimize(loss, var_list=[policy])
    sess = tf.Session().__enter__()
    sess.run(tf.global_variables_initializer())
    exp_manager.new_saver(max_to_keep=1)
    exp_loader.load_from_record_date(var_prefix=scope)
    print("policy begins as", *sess.run(policy).ravel().tolist(), "model", *sess.run(model).ravel().tolist())
    logger.record_tabular("perf/std", np.mean(sess.run(model)))

    episodes = 0
    for step in range(args.total_timesteps):
        exp_manager.time_step_holder.set_time(np.int64(step))
        value, _ = sess.run([loss, optimizer])
        if (step + 1) % 10 == 0:
            episodes += 1
            img = np.full([8, 12, 3], 20 * episodes, dtype="uint8")
            ImgRecorder.save(name=f"imgs/{step}-{episodes}.jpg", img=img)
            logger.log_key_value(["train/loss", "train/lr"], [value, 0.5], prefix_name="sac-")
            logger.logkv("episodes", episodes)
            logger.logkv("mean 100 episode reward", -value)
            logger.logkv("total timesteps", step)
            logger.dumpkvs()


if __name__ == "__main__":
    main()
