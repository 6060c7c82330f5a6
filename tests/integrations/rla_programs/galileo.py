"""A model of the environment by adversarial learning, with times of its parts and figures, on a TF1 graph."""

import argparse
import os

import numpy as np
import tensorflow.compat.v1 as tf
from matplotlib import pyplot as plt
from RLA import MatplotlibRecorder as mpr
from RLA import exp_manager, logger
from RLA.rla_argparser import arg_parser_postprocess, boolean_flag


def argsparser():
    parser = argparse.ArgumentParser("learn a model")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--data_type", default="gnfc")
    parser.add_argument("--horizon", type=int, default=10)
    parser.add_argument("--max_kl", type=float, default=0.001)
    parser.add_argument("--iters", type=int, default=41)
    boolean_flag(parser, "zero_mean", default=True)
    boolean_flag(parser, "debug", default=False)
    parser = arg_parser_postprocess(parser)
    return parser.parse_args()


def main():
    args = argsparser()

    def get_package_path():
        return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

    exp_manager.set_hyper_param(**vars(args))
    exp_manager.add_record_param(["info", "seed", "data_type"] + ["horizon", "max_kl", "max_kl"])
    task_table_name = "debug" if args.debug else args.data_type + "-v4"
    exp_manager.configure(
        task_table_name=task_table_name,
        rla_config=os.path.join(get_package_path(), "rla_config.yaml"),
        ignore_file_path=os.path.join(get_package_path(), ".gitignore"),
        data_root=os.path.join(get_package_path(), "RLA_LOG"),
    )
    exp_manager.log_files_gen()
    tf.disable_eager_execution()
    random = np.random.RandomState(args.seed)
    target = random.normal(size=[3, 1]).astype("float32")
    state = tf.placeholder(tf.float32, [None, 3])
    with tf.variable_scope("mle/dm_net"):
        weights = tf.get_variable("w", [3, 1], initializer=tf.zeros_initializer())
    error = tf.matmul(state, weights) - tf.matmul(state, tf.constant(target))
    loss = tf.reduce_mean(tf.square(error))
    train, norm = tf.train.AdamOptimizer(0.05).minimize(loss), tf.norm(tf.gradients(loss, weights)[0])
    sess = tf.Session().__enter__()
    sess.run(tf.global_variables_initializer())
    exp_manager.new_saver(max_to_keep=1)
    kl = 0.0
    for i in range(args.iters):
        exp_manager.time_record("iter")
        exp_manager.time_step_holder.set_time(i)
        exp_manager.time_record("rollout")
        states = random.normal(size=[32, 3])
        exp_manager.time_record_end("rollout")
        before = loss.eval({state: states})
        g, _ = sess.run([norm, train], {state: states})
        kl = before - loss.eval({state: states})
        if kl < 0:
            logger.log("violated KL constraint. shrinking step.")
        logger.record_tabular("grad/original_g_norm", np.linalg.norm(g), freq=20)
        logger.record_tabular("trpo/kl", kl)
        logger.record_tabular("trpo/target_max_kl", args.max_kl)
        if i % 20 == 0:
            logger.info(f"eval_idx {i}", states.mean(axis=0))

            def plot_fn():
                plt.plot(target.ravel(), "--*", label="mean_real")
                plt.plot(sess.run(weights).ravel(), "--+", label="mean_pred")

            mpr.pretty_plot_wrapper("delta_response", plot_fn)
            exp_manager.save_checkpoint()
        logger.dump_tabular()
        exp_manager.time_record_end("iter")


if __name__ == "__main__":
    main()
