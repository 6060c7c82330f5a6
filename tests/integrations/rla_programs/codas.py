"""Adaptation of a policy across domains, with discriminator and generator, on a TF1 graph."""

import argparse
import os

import numpy as np
import tensorflow.compat.v1 as tf
from RLA.easy_log import logger
from RLA.easy_log.simple_mat_plot import simple_hist, simple_plot
from RLA.easy_log.tester import tester


class GanLoss:
    MINIMAX = "minimax"
    WGAN = "wgan"


def get_param():
    parser = argparse.ArgumentParser()
    parser.add_argument("--env_id", default="InvertedDoublePendulum-v5")
    parser.add_argument("--info", default="")
    parser.add_argument("--seed", type=int, default=88)
    parser.add_argument("--gan_loss", default=GanLoss.MINIMAX)
    parser.add_argument("--safe_log", action="store_true")
    args = parser.parse_args()
    tester.set_hyper_param(**vars(args))
    tester.add_record_param(["info", "seed", "env_id", "gan_loss"])
    return args


def main():
    args = get_param()

    def task_name_gen():
        return "-".join(["codas", args.env_id]) + "v2"

    def get_package_path():
        return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

    tester.configure(
        task_name=task_name_gen(),
        private_config_path=os.path.join(get_package_path(), "rla_config.yaml"),
        log_root=get_package_path(),
    )
    tester.log_files_gen()
    tester.print_args()
    tf.disable_eager_execution()
    sess = tf.Session().__enter__()
    os.makedirs(os.path.join(tester.results_dir, "imgs/"), exist_ok=True)
    assert not tester.hyper_param["safe_log"], "it is worse"

    random = np.random.RandomState(args.seed)
    real, noise = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.float32, [None, 2])
    with tf.variable_scope("real2sim_mapping"):
        mapping = tf.get_variable("w", [2, 2], initializer=tf.zeros_initializer())
    with tf.variable_scope("discriminator"):
        judge = tf.get_variable("w", [2, 1], initializer=tf.ones_initializer())
    fake = tf.matmul(noise, mapping)
    gap = tf.reduce_mean(tf.sigmoid(tf.matmul(real, judge))) - tf.reduce_mean(tf.sigmoid(tf.matmul(fake, judge)))
    loss = gap if tester.hyper_param["gan_loss"] == GanLoss.MINIMAX else tf.abs(gap)
    step = tf.train.AdamOptimizer(0.05).minimize(tf.square(loss), var_list=[mapping])
    sess.run(tf.global_variables_initializer())
    tester.new_saver(var_prefix="", max_to_keep=1)
    best, losses = np.inf, []
    for epoch in range(20):
        tester.time_step_holder.set_time(epoch)
        feed = {real: random.normal(1, 1, [32, 2]), noise: random.normal(1, 1, [32, 2])}
        value, samples, _ = sess.run([loss, fake, step], feed)
        losses.append(value)
        logger.info("norm min", samples.min(axis=0), "max", samples.max())
        logger.record_tabular("loss/dis", value)
        logger.record_tabular("loss/list", np.asarray([value]))
        if value < 0.1:
            logger.ma_record_tabular("warn/invalid_ob", 1, 10000)
        if abs(value) < best:
            best = abs(value)
            tester.save_checkpoint()
        logger.dump_tabular()
    simple_plot("losses", data=[losses])
    simple_hist(name="samples", data=[samples.ravel(), feed[real].ravel()], labels=["fake", "real"], cover=True)
    np.save(tester.results_dir + "imgs/samples.npy", samples)
    logger.info("best", best)


if __name__ == "__main__":
    main()
