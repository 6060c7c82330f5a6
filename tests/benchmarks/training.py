"""A training that goes on where it stopped, and notes what it did: kills.py and soak.py attack it.

    python training.py plain|cartpole|keras ROOT NOTES LIFE SEED STEPS [auto|resume RUN|fork RUN] [PAUSE[@STEP]]

It notes each step once the call has returned, so that what is noted must be in the files of the run. Each row has a
number of its own under ``uid``, LIFE * 100,000 and more; TensorBoard's floats hold these exactly up to 167 lives.

    LIFE begun RUN             it runs; the tracked function was called
    LIFE loaded UID            it goes on behind the row of this number
    LIFE older                 what it loads is not the newest checkpoint
    LIFE loaded_step STEP      it goes on behind the row of this step
    LIFE row UID STEP
    LIFE saved UID STEP        a checkpoint, behind the row of this number
    LIFE stopping              it was asked to stop
    LIFE done                  all steps are there
"""

import os
import sys
import time
from pathlib import Path

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest

KIND, ROOT, NOTES, LIFE, SEED, STEPS, HOW, RUN, PAUSE = (*sys.argv[1:], "auto", "", "0")[:9]
PER_LIFE, BETWEEN_COLUMNS = 100_000, 23
notes = os.open(NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def note(what, about=""):
    os.write(notes, f"{LIFE} {what} {about}\n".encode())


class Numbers:
    """The numbers of the rows of this life."""

    def __init__(self):
        self.uid = int(LIFE) * PER_LIFE

    def next(self):
        self.uid += 1
        return self.uid


def row(uid, step, values=None):
    late = {f"late/{step // BETWEEN_COLUMNS % 20}": step} if step % BETWEEN_COLUMNS == 0 else {}
    rla.log({"uid": uid, **late, **(values or {})}, step=step)
    note("row", f"{uid} {step}")


def save(state, uid, step):
    if rla.save_checkpoint({**state, "uid": uid}, step=step) is not None:
        note("saved", f"{uid} {step}")


def loaded(objects=None):
    """Load the newest checkpoint, if there is one: (steps that are done, its content)."""
    run = rla.current_run()
    note("begun", run.name)
    rla.new_saver(max_to_keep=3)
    if not run.is_resumed:
        return 0, None
    older = [entry.step for entry in Manifest(run.checkpoint_dir).complete()][-2:-1]
    if older and int(LIFE) % 4 == 0:  # some people find that the newest one is bad
        note("older")
        step, content = rla.load_checkpoint(older[0], objects=objects)
    else:
        step, content = rla.load_checkpoint(objects=objects)
    note("loaded", content["uid"])
    return step, content


def steps_of(seed, first, last, train, state):
    """Train from one step to another; save now and then, and when the cluster asks for it."""
    numbers, every, saved = Numbers(), 5 + seed % 20, None
    for step in range(first, last):
        uid = numbers.next()
        row(uid, step, train(step))
        if (step + 1) % every == 0:
            save(state(), uid, step + 1)
            saved = step + 1
        if rla.should_stop():
            note("stopping")
            if saved != step + 1:
                save(state(), uid, step + 1)
            return
        pause, _, at = PAUSE.partition("@")  # after each step, or after one
        if step == int(at or step):
            time.sleep(float(pause))
    note("done")


def plain(seed, steps):
    weights = {"total": 0}

    def train(step):
        weights["total"] += step
        return {"total": weights["total"]}

    step, content = loaded()
    if content:
        weights = content["weights"]
    if weights["total"] != sum(range(step)):
        note("wrong", f"the checkpoint of step {step} has {weights}")
    steps_of(seed, step, steps, train, lambda: {"weights": weights})


def cartpole(seed, steps):
    """PPO of examples/cartpole.py, in a small size."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
    import torch
    from cartpole import Agent, Collector, update

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    collector, agent = Collector(4, seed), Agent(4, 2, width=16)
    objects = {"policy": agent, "optimizer": torch.optim.Adam(agent.parameters(), lr=2.5e-3)}

    def train(step):
        losses = update(agent, objects["optimizer"], collector.rollout(agent, 32), 0.98, 0.9, 2, 64, 0.2, 0.01)
        return {"perf/return": collector.mean_return(), **losses}

    step, _ = loaded(objects)
    steps_of(seed, step, steps, train, lambda: objects)


def keras(seed, steps):
    """A fit of so many epochs."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    import numpy
    from rla_hooks.integrations.keras import RLACallback

    numbers, run = Numbers(), rla.current_run()
    note("begun", run.name)

    class Before(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["uid"] = numbers.next()

    class After(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            if run.is_resumed:
                note("loaded_step", self._step())

        def on_train_batch_end(self, batch, logs=None):
            time.sleep(float(PAUSE))

        def on_epoch_end(self, epoch, logs=None):
            note("row", f"{numbers.uid} {self._step()}")
            newest = max((entry.step for entry in Manifest(run.checkpoint_dir).complete()), default=None)
            if newest == self._step():
                note("saved", f"{numbers.uid} {newest}")

        def _step(self):
            return int(self.model.optimizer.iterations)

    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    callbacks = [Before(), RLACallback(save_every=3), After()]
    model.fit(numpy.ones((32, 2)), numpy.ones(32), batch_size=4, epochs=steps, verbose=0, callbacks=callbacks)
    if rla.should_stop():
        note("stopping")
    else:
        note("done")


FUNCTIONS = {"plain": plain, "cartpole": cartpole, "keras": keras}


def main():
    function = FUNCTIONS[KIND]
    writers = ["csv", "tensorboard", "log"]
    tracked = rla.track(task=KIND, log_root=ROOT, writers=writers, backup="none", resume="auto")(function)
    if HOW == "resume":
        try:
            tracked.resume(RUN)
        except rla.ConfigError as error:
            if "not in parameter.json" not in str(error):  # it began on a full disk
                raise
            tracked.resume(RUN, seed=int(SEED), steps=int(STEPS))
    elif HOW == "fork":
        tracked.fork(RUN, seed=int(SEED), steps=int(STEPS))
    else:
        tracked(int(SEED), int(STEPS))


if __name__ == "__main__":
    main()
