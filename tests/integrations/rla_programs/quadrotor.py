"""PPO of Stable-Baselines3 with normalised observations, whose logger is RLA's."""

import argparse
import os

import numpy as np
from RLA import exp_manager, logger
from RLA.rla_argparser import arg_parser_postprocess
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize


def mujoco_arg_parser():
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--env", type=str, default="CartPole-v1")
    parser.add_argument("--policy_type", type=str, default="MlpPolicy")
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--total_timesteps", type=int, default=192)
    parser.add_argument("--eval", action="store_true")
    return arg_parser_postprocess(parser).parse_args()


args = mujoco_arg_parser()
task_name = "quadrotor-RLA-PPO"
exp_manager.set_hyper_param(**vars(args))
exp_manager.add_record_param(["info", "seed", "env"])
exp_manager.configure(task_name, rla_config="./rla_config.yaml", data_root="./")
exp_manager.log_files_gen()
exp_manager.print_args()

vec_env = VecNormalize(make_vec_env(args.env, n_envs=1, seed=args.seed), norm_obs=True, norm_reward=True)
model = PPO(args.policy_type, vec_env, n_steps=64, batch_size=32, n_epochs=1, verbose=1, seed=args.seed, device="cpu")
logger.record = logger.record_tabular
logger.dump = logger.dump_tabular
model._logger = logger
model._custom_logger = True

model.learn(total_timesteps=args.total_timesteps)
model.save("ppo_quadrotor.zip")
model.save(os.path.join(exp_manager.log_dir, "ppo_quadrotor.zip"))
vec_env.save(os.path.join(exp_manager.checkpoint_dir, "ppo_vec_normalize.pkl"))

again = PPO.load("ppo_quadrotor.zip", env=vec_env, device="cpu")
obs, rewards = vec_env.reset(), []
for _ in range(20):
    action, _ = again.predict(obs, deterministic=True)
    obs, reward, terminated, info = vec_env.step(action)
    rewards.append(float(np.mean(reward)))
logger.info("mean reward", np.mean(rewards))
vec_env.close()
