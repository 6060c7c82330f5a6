"""An actor-critic on CartPole in Keras: one network with two heads, which learns after each episode or 32 steps."""

import gymnasium as gym
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from told import tell

import rla_hooks as rla


def learn(model, optimizer, observations, actions, returns):
    with tf.GradientTape() as tape:
        policies, values = model(np.stack(observations))
        chosen = tf.gather(tf.math.log_softmax(policies), actions, batch_dims=1)
        errors = tf.convert_to_tensor(returns) - values[:, 0]
        loss = tf.reduce_mean(errors**2 - chosen * tf.stop_gradient(errors))
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    return float(loss)


@rla.track(task="keras", resume="auto", writers=["csv"], backup="none")
def main(steps=101, seed=1):
    keras.utils.set_random_seed(seed)
    env = gym.make("CartPole-v1")
    inputs = keras.Input((4,))
    hidden = layers.Dropout(0.1)(layers.Dense(16, "relu")(inputs))
    model = keras.Model(inputs, [layers.Dense(2)(hidden), layers.Dense(1)(hidden)])
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    now = {"observation": env.reset(seed=seed)[0], "episode": []}

    everything = {"models": model, "optimizers": optimizer, "env": env, "extra": now}
    state = rla.load_state(**everything)
    for step in range(state.step + 1 if state else 0, steps):
        policy, _ = model(now["observation"][None])
        action = int(keras.random.categorical(policy, 1)[0, 0])
        after, reward, ended, cut, _ = env.step(action)
        now["episode"].append((now["observation"], action, reward))
        now["observation"] = after
        if ended or cut or len(now["episode"]) == 32:
            observations, actions, rewards = zip(*now["episode"])
            returns = np.cumsum(rewards[::-1])[::-1].astype(np.float32)
            rla.log({"loss": learn(model, optimizer, observations, actions, returns)}, step=step)
            now["episode"].clear()
        if ended or cut:
            now["observation"] = env.reset()[0]
        rla.save_state(step, **everything, every=20)
    drawn = float(keras.random.uniform(())), float(tf.random.uniform(()))
    tell(model.get_weights(), [each.numpy() for each in optimizer.variables], env.unwrapped.state, drawn, now)


main()
