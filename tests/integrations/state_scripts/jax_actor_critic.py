"""An actor-critic on CartPole in JAX with Optax: parameters, the optimizer's state and the key are one dict."""

import os

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
import optax
from told import tell

import rla_hooks as rla

LENGTH = 16  # steps between two updates
jax.config.update("jax_compilation_cache_dir", os.environ.get("COMPILED"))  # compiling takes longest
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
optimizer = optax.adam(0.01)


def apply(parameters, observation):
    hidden = jnp.tanh(observation @ parameters["hidden"])
    return hidden @ parameters["policy"], (hidden @ parameters["value"])[..., 0]


@jax.jit
def act(parameters, key, observation):
    key, own = jax.random.split(key)
    return key, jax.random.categorical(own, apply(parameters, observation)[0])


@jax.jit
def learn(parameters, moments, observations, actions, returns):
    def loss(parameters):
        policies, values = apply(parameters, observations)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(policies), actions[:, None], 1)[:, 0]
        errors = returns - values
        return jnp.mean(errors**2 - chosen * jax.lax.stop_gradient(errors))

    value, gradient = jax.value_and_grad(loss)(parameters)
    updates, moments = optimizer.update(gradient, moments)
    return optax.apply_updates(parameters, updates), moments, value


@rla.track(task="jax", resume="auto", writers=["csv"], backup="none")
def main(steps=201, seed=1):
    env = gym.make("CartPole-v1")
    key, *keys = jax.random.split(jax.random.key(seed), 4)
    shapes = {"hidden": (4, 16), "policy": (16, 2), "value": (16, 1)}
    parameters = {name: jax.random.normal(key, shape) * 0.3 for key, (name, shape) in zip(keys, shapes.items())}
    agent = {"parameters": parameters, "moments": optimizer.init(parameters), "key": key}
    now = {"observation": env.reset(seed=seed)[0], "steps": []}

    state = rla.load_state(models=agent, env=env, extra=now)
    for step in range(state.step + 1 if state else 0, steps):
        agent["key"], action = act(agent["parameters"], agent["key"], now["observation"])
        after, reward, ended, cut, _ = env.step(int(action))
        now["steps"].append((now["observation"], int(action), reward, ended))
        now["observation"] = env.reset()[0] if ended or cut else after
        if len(now["steps"]) == LENGTH:
            observations, actions, rewards, ends = map(np.array, zip(*now["steps"]))
            returns = np.zeros(LENGTH, np.float32)
            following = 0.0
            for place in reversed(range(LENGTH)):
                following = returns[place] = rewards[place] + 0.98 * following * (not ends[place])
            agent["parameters"], agent["moments"], loss = learn(
                agent["parameters"], agent["moments"], observations, actions, returns
            )
            rla.log({"loss": loss}, step=step)
            now["steps"].clear()
        rla.save_state(step, models=agent, env=env, extra=now, every=20)
    drawn = jax.random.key_data(agent["key"])
    tell(jax.tree.map(np.asarray, (agent["parameters"], agent["moments"])), drawn, env.unwrapped.state, now)


main()
