"""One-shot imitation with an off-policy learner in torch: times of its parts, moving averages, a buffer on disk."""

import os
import os.path as osp

import numpy as np
import torch
import yaml
from RLA import exp_manager, logger, time_tracker

CURRENT_FILE_DIRNAME = osp.dirname(osp.abspath(__file__))


def train(configs):
    torch.manual_seed(configs["seed"])
    random = np.random.RandomState(configs["seed"])
    with open(osp.join(exp_manager.results_dir, "configs.yml"), "w") as file:
        yaml.safe_dump({key: configs[key] for key in ("seed", "env_name", "batch_size")}, file)
    img_dir = osp.join(exp_manager.results_dir, "imgs")
    os.makedirs(img_dir, exist_ok=True)
    policy = torch.nn.Linear(3, 1)
    optimizer = torch.optim.Adam(policy.parameters(), lr=configs["lr"])
    buffer, episode_reward, episode = [], 0.0, 0
    logger.info("\n\nsample datas: ", random.normal(size=3))
    for t in range(configs["max_timesteps"]):
        exp_manager.time_step_holder.set_time(t)
        state = random.normal(size=3)
        reward = -abs(policy(torch.tensor(state, dtype=torch.float32)).item() - state.sum())
        logger.ma_record_tabular("mean_reward", reward, record_len=10, freq=5)
        with time_tracker("policy learning"):
            buffer.append(state)
            batch = torch.tensor(np.array(buffer[-configs["batch_size"] :]), dtype=torch.float32)
            loss = torch.nn.functional.mse_loss(policy(batch)[:, 0], batch.sum(1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for key, value in {"loss": loss.detach(), "norm": policy.weight.norm()}.items():
                logger.ma_record_tabular(
                    "mt_train_" + key + "/train_task_0", value, record_len=10, freq=5, exclude=["csv"]
                )
                logger.ma_record_tabular("mt_train_" + key, value, record_len=10, freq=5)
        episode_reward += reward
        if (t + 1) % 10 == 0:
            episode += 1
            logger.info(f"Total T: {t + 1} Episode Num: {episode} Reward: {episode_reward:.3f}")
            logger.record_tabular("mt_train_train_return/scene_", episode_reward, exclude=["csv"])
            logger.record_tabular("mt_train_train_return", episode_reward)
            episode_reward = 0.0
            with time_tracker("save buffer io"):
                np.save(osp.join(img_dir, "buffer.npy"), np.array(buffer))
        if (t + 1) % configs["time_tracker_log_freq"] == 0:
            time_tracker.log()
        logger.dump_tabular()


if __name__ == "__main__":
    configs = {"seed": 7, "env_name": "maze", "description": "with obstacles", "multi_map": False, "batch_size": 8}
    configs |= {"lr": 0.05, "max_timesteps": 40, "time_tracker_log_freq": 20, "obstacle_prob": None}
    rla_data_root = osp.join(CURRENT_FILE_DIRNAME, "..", "data")
    exp_manager.configure(
        configs["env_name"] + "-test-v0",
        private_config_path=osp.join(CURRENT_FILE_DIRNAME, "..", "rla_config.yaml"),
        data_root=rla_data_root,
        code_root=osp.join(CURRENT_FILE_DIRNAME, ".."),
    )
    exp_manager.set_hyper_param(**configs)
    exp_manager.add_record_param(["description", "multi_map", "obstacle_prob", "batch_size"])
    exp_manager.log_files_gen()
    exp_manager.print_args()
    train(configs)
