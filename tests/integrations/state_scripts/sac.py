"""SAC of Stable-Baselines3 on a normalized Pendulum: a callback saves where a rollout begins."""

import torch
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize
from told import tell

import rla_hooks as rla

torch.set_num_threads(1)
COUNTS = ("num_timesteps", "_n_updates", "_episode_num", "ep_info_buffer", "ep_success_buffer")
LAST = ("_last_obs", "_last_original_obs", "_last_episode_starts")


def parts(model):
    """All that SAC is."""
    return {
        "models": {"policy": model.policy, "entropy": model.log_ent_coef},
        "optimizers": {
            "actor": model.actor.optimizer,
            "critic": model.critic.optimizer,
            "entropy": model.ent_coef_optimizer,
        },
        "buffers": model.replay_buffer,
        "env": model.env,
        "extra": {name: getattr(model, name) for name in COUNTS + LAST},
    }


class Saves(BaseCallback):
    def _on_rollout_start(self):
        if self.num_timesteps:
            rla.save_state(self.num_timesteps, **parts(self.model), every=20)

    def _on_step(self):
        row = {"reward": self.locals["rewards"][0], "action": self.locals["actions"][0, 0]}
        rla.log({**row, "entropy": self.model.log_ent_coef}, step=self.num_timesteps)
        return True


@rla.track(task="sac", resume="auto", writers=["csv"], backup="none")
def main(steps=164, seed=1):
    env = VecNormalize(make_vec_env("Pendulum-v1", n_envs=2, seed=seed))
    sizes = {"buffer_size": 300, "batch_size": 16, "learning_starts": 30}
    model = SAC("MlpPolicy", env, seed=seed, policy_kwargs={"net_arch": [16]}, **sizes)
    state = rla.load_state(**parts(model))
    if state:
        vars(model).update(state.extra)
    model.learn(steps - model.num_timesteps, callback=Saves(), reset_num_timesteps=False)
    statistics = [env.obs_rms.mean, env.obs_rms.var, env.ret_rms.var, env.returns]
    memory = model.replay_buffer
    tell(model.policy.state_dict(), model.critic.optimizer.state_dict(), statistics, memory.observations, memory.pos)


main()
