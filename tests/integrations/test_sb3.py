"""RLACallback and sb3_logger in real trainings of Stable-Baselines3 and sb3-contrib, compared with SB3's own files."""

from __future__ import annotations

import csv
import math
import os
import signal
import sys
import threading
import types
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

import rla_hooks as rla
from rla_hooks import errors, testing
from rla_hooks.checkpoints import Manifest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RUN = {"task": "t", "log_root": "root", "backup": "none", "writers": ["csv", "tensorboard", "log"]}


@pytest.fixture(scope="module")
def sb3():
    """Stable-Baselines3, the hook, and tiny models. SB3 would import TensorFlow, for TensorBoard, if it is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tensorboard.compat.notf", types.ModuleType("notf"))
        module = pytest.importorskip("stable_baselines3")
        import torch.utils.tensorboard as _  # noqa: F401
    import gymnasium
    import torch
    from rla_hooks.integrations import sb3 as hook
    from stable_baselines3.common import callbacks, logger, monitor, vec_env

    torch.set_num_threads(1)

    def env(name="CartPole-v1", wrap=lambda each: each):
        return monitor.Monitor(wrap(gymnasium.make(name)))

    def ppo(env=env, n_envs=2, kind=module.PPO, policy="MlpPolicy", **options):
        envs = vec_env.DummyVecEnv([env] * n_envs)
        options = {"n_steps": 32, "batch_size": 32, "n_epochs": 1, "policy_kwargs": {"net_arch": [4]}} | options
        return kind(policy, envs, seed=1, device="cpu", **options)

    class At(callbacks.BaseCallback):
        """Calls a function when so many steps are done."""

        def __init__(self, step, action):
            super().__init__()
            self.step, self.action = step, action

        def _on_step(self):
            if self.num_timesteps == self.step:
                self.action()
            return True

    return SimpleNamespace(
        module=module,
        gym=gymnasium,
        torch=torch,
        callbacks=callbacks,
        logger=logger,
        vec_env=vec_env,
        RLACallback=hook.RLACallback,
        sb3_logger=hook.sb3_logger,
        env=env,
        ppo=ppo,
        At=At,
    )


def parameters(model):
    return [value.tolist() for value in model.policy.state_dict().values()]


def numbers(rows):
    """The cells of a csv file as numbers, without those that are empty and without our own two columns."""
    found = []
    for row in rows:
        cells = {key: cell for key, cell in row.items() if cell not in ("", None)}
        found.append({key: float(cells[key]) for key in sorted(cells) if key not in ("time-step", "timestamp")})
    return found


# --- one training, of which several tests read the files --------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(sb3, tmp_path_factory, clean_environment):
    """PPO, whose logger is SB3's own with csv and TensorBoard in the run's folder, with an EvalCallback before ours."""
    folder, evaluated = tmp_path_factory.mktemp("trained"), []
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch)
        patch.chdir(folder)
        with rla.run(**RUN, gamma=0.5) as run:
            rla.log({"before": 1.0}, step=0)
            model = sb3.ppo(learning_rate=lambda progress: 0.02 * progress)
            model.set_logger(sb3.logger.configure(str(run.log_dir), ["csv", "tensorboard", "log"]))
            keep = sb3.At(0, None)
            keep._on_step = lambda: evaluated.append((model.num_timesteps, parameters(model))) or True
            check = sb3.callbacks.EvalCallback(
                sb3.env(), callback_after_eval=keep, eval_freq=32, n_eval_episodes=2, verbose=0
            )
            model.learn(384, callback=[check, sb3.RLACallback(checkpoint_every=100, max_to_keep=2)])
        testing.reset()
    saved = rla.runs(folder / "root")[0]
    return SimpleNamespace(run=saved, model=model, evaluated=evaluated, theirs=saved.log_dir / "progress_sb3.csv")


def test_rows_are_those_of_sb3s_csv_file(trained, read_rows):
    """Every dump, with every digit, at num_timesteps; SB3's own files in the run's folder take nothing from ours."""
    rows = read_rows(trained.run.paths.progress_csv)
    with trained.theirs.open(newline="") as file:
        theirs = list(csv.DictReader(file))
    ours, wanted = numbers(rows[1:]), numbers(theirs)
    assert len(ours) == len(wanted) == 12 and numbers(rows[:1]) == [{"before": 1.0}]
    for mine, each in zip(ours, wanted):
        assert mine.keys() == each.keys()
        # SB3 writes a numpy.float32 with the digits that it needs as such; a float as it is.
        assert all(mine[key] in (each[key], float(numpy.float32(each[key]))) for key in each)
    assert [row["time-step"] for row in rows[1:]] == [row["time/total_timesteps"] for row in theirs]
    log = (trained.run.log_dir / "log.txt").read_text()
    assert log.startswith("run: ") and "before" in log
    assert "rollout/" in (trained.run.log_dir / "log_sb3.txt").read_text()


def test_tensorboard_has_what_sb3s_own_has(trained, read_scalars):
    """The same tags, steps and values: what SB3 excludes from TensorBoard is not there."""
    ours, theirs = read_scalars(trained.run.tensorboard_dir), read_scalars(trained.run.log_dir)
    assert ours.pop("before") == [(0, 1.0)]
    assert ours == theirs and "time/iterations" not in ours


def test_hyper_parameters(trained):
    """Those of algorithm, policy and environment; the value that the run was started with stays."""
    found = trained.run.hparams
    wanted = {"algo": "PPO", "policy": "MlpPolicy", "n_steps": 32, "clip_range": 0.2, "seed": 1, "gamma": 0.5}
    wanted |= {"policy_kwargs.net_arch": [4], "total_timesteps": 384, "stats_window_size": 100, "module.gamma": 0.99}
    wanted |= {
        "env.id": "CartPole-v1",
        "env.n_envs": 2,
        "env.vec_env": ["DummyVecEnv"],
        "env.action_space": "Discrete(2)",
    }
    assert {key: found.get(key) for key in wanted} == wanted
    assert "lambda" in found["learning_rate"] and found["env.wrappers"][:2] == ["Monitor", "TimeLimit"]
    assert not {"verbose", "tensorboard_log", "_init_setup_model"} & set(found)


def test_environments_without_an_id(sb3):
    """Their class stands for it."""
    from rla_hooks.integrations._sb3.describe import _id_and_wrappers

    assert _id_and_wrappers("<Monitor<GridWorld instance>>") == ("GridWorld", ["Monitor"])
    assert _id_and_wrappers("<CartPoleEnv<CartPole-v1>>") == ("CartPole-v1", [])
    assert _id_and_wrappers("mine") == ("mine", [])


def test_a_model_that_cannot_be_described(sb3, here, only_run, warnings_as_text):
    """An attribute of the user's own that raises is one warning, and the model learns."""

    class Odd(sb3.module.PPO):
        def __init__(self, *args, odd=None, **kwargs):
            super().__init__(*args, **kwargs)

        @property
        def odd(self):
            raise RuntimeError("not now")

    with rla.run(task="t"):
        sb3.ppo(kind=Odd, n_steps=16).learn(32, callback=sb3.RLACallback(checkpoint_every=None))
    assert only_run().hparams["total_timesteps"] == 32 and only_run().metrics()["time-step"].tolist() == [32]
    (warning,) = warnings_as_text
    assert "the model's hyper-parameters could not be read: RuntimeError: not now" in warning
    warnings_as_text.clear()


def test_checkpoints_are_listed_and_load(trained, sb3):
    """The newest two, saved where a rollout begins and at the end, and the best: the model that was evaluated."""
    run = trained.run
    entries = {entry.file: entry for entry in Manifest(run.checkpoint_dir).complete()}
    scores = run.metrics().set_index("time-step")["eval/mean_reward"].dropna().to_dict()
    best = max(scores, key=lambda step: (scores[step], -step))
    # Due after 100 steps: at 128, 256 and 384, where learn ends.
    assert sorted(entries) == sorted(["checkpoint-256", "checkpoint-384", f"best-{best}"])
    info = {"writer": "sb3", "monitor": "eval/mean_reward", "score": scores[best]}
    assert entries[f"best-{best}"].info == info
    loaded = sb3.module.PPO.load(rla.latest_checkpoint(run, "best") / "model.zip", device="cpu")
    assert loaded.num_timesteps == best and parameters(loaded) == dict(trained.evaluated)[best]
    loaded = sb3.module.PPO.load(rla.latest_checkpoint(run, "checkpoint") / "model.zip", device="cpu")
    assert parameters(loaded) == parameters(trained.model)
    assert run.status == "finished" and run.problems == ()


# --- which run --------------------------------------------------------------------------------------------------------


def test_a_run_of_its_own_over_two_calls_of_learn(sb3, here, only_run, rows, end_of_process, capfd):
    """Nothing is there before learn; the second learn goes on in the same run, which ends with the process."""
    callback = sb3.RLACallback(checkpoint_every=1000, task="mine", tags=["a"])
    model = sb3.ppo(n_steps=16)
    assert not (here / "root").exists() and callback.run.task_name == "mine"
    model.learn(64, callback=callback)
    model.learn(64, callback=callback, reset_num_timesteps=False)
    assert [row["time-step"] for row in rows()] == [32, 64, 96, 128]
    run = only_run()
    assert (run.status, run.task, run.tags) == ("running", "mine", ["a"])
    # The first end is saved though it is no thousand steps; the second is one of many short ones.
    assert rla.latest_checkpoint(run).name == "checkpoint-64"
    end_of_process()
    assert only_run().status == "finished"
    assert len(capfd.readouterr().out.splitlines()) == 2  # where it is, and how it went; no tables


def test_a_callback_over_two_runs(sb3, here, runs, warnings_as_text):
    """Each learn goes into the run that is open then; options of a run are of no use, which is said once."""
    callback, model = sb3.RLACallback(checkpoint_every=1000, task="mine"), sb3.ppo(n_steps=16)
    model.set_logger(sb3.logger.Logger(None, []))  # of one's own: SB3 keeps it for both
    for _ in range(2):
        with rla.run(task="t"):
            model.learn(32, callback=callback, reset_num_timesteps=False)
    found = runs()
    assert [run.metrics()["time-step"].tolist() for run in found] == [[32], [64]]
    assert [rla.latest_checkpoint(run).name for run in found] == ["checkpoint-32", "checkpoint-64"]
    assert ["task are of no use" in text for text in warnings_as_text] == [True]
    warnings_as_text.clear()


def test_a_second_hook_for_the_same_run(sb3, here, only_run, rows, warnings_as_text):
    """It does nothing, and a warning says so."""
    with rla.run(task="t"):
        callbacks = [sb3.RLACallback(checkpoint_every=32), sb3.RLACallback(checkpoint_every=16)]
        sb3.ppo(n_steps=16).learn(64, callback=callbacks)
    assert [row["time-step"] for row in rows()] == [32, 64]
    assert [entry.step for entry in Manifest(only_run().checkpoint_dir).complete()] == [32, 64]
    assert ["a second RLACallback" in text for text in warnings_as_text] == [True]
    warnings_as_text.clear()


def test_an_exception_in_learn(sb3, here, runs, read_rows):
    """The run has failed, with the rows and checkpoints until then; the callback goes on in the next run."""

    def fail():
        raise ArithmeticError("too hot")

    callback = sb3.RLACallback(checkpoint_every=32)
    for action in (fail, list):
        try:
            with rla.run(task="t"):
                sb3.ppo(n_steps=16).learn(96, callback=[callback, sb3.At(80, action)])
        except ArithmeticError:
            pass
    failed, well = runs()
    assert (failed.status, well.status) == ("failed", "finished") and "too hot" in failed.info["error"]
    assert [len(read_rows(run.paths.progress_csv)) for run in (failed, well)] == [2, 3]
    assert [rla.latest_checkpoint(run).name for run in (failed, well)] == ["checkpoint-64", "checkpoint-96"]


def test_tracking_is_off(sb3, here, monkeypatch):
    """The training runs, and nothing is created."""
    monkeypatch.setenv("RLA_MODE", "off")
    model = sb3.ppo(n_steps=16)
    model.set_logger(sb3.sb3_logger())
    model.logger.record("figure", 1.0)
    assert model.learn(32, callback=sb3.RLACallback(checkpoint_every=16)).num_timesteps == 32
    assert list(here.iterdir()) == [] and model.logger.dir is None


def test_a_row_that_sb3s_own_table_cannot_show(sb3, here, runs, rows):
    """SB3 raises at keys that it cannot tell apart: that is its own affair, but the run has the row before."""
    model = sb3.ppo(n_steps=16)
    model.set_logger(sb3.logger.Logger(None, [sb3.logger.HumanOutputFormat(str(here / "table.txt"), max_length=9)]))
    with pytest.raises(ValueError, match="max_length"), rla.run(task="t"):
        model.learn(64, callback=sb3.RLACallback())
    assert [row["time-step"] for row in rows()] == [32] and runs()[0].status == "failed"


def test_sb3_prints_its_tables_itself(sb3, here, rows, capfd):
    """With verbose=1 a run that the user has opened prints none beside them; all rows are in its files."""
    with rla.run(task="t", log_root="root"):
        sb3.ppo(n_steps=16, verbose=1).learn(64, callback=sb3.RLACallback(checkpoint_every=None))
    shown = capfd.readouterr().out
    assert shown.count("total_timesteps") == 2 and "time-step" not in shown
    assert [row["time-step"] for row in rows()] == [32, 64]


def test_the_logger_of_a_run_as_that_of_a_model(sb3, here, rows, only_run):
    """It has the methods that SB3 calls; the callback adds no second writer, and the rest as ever."""
    with rla.run(task="t", log_root="root") as run:
        model = sb3.ppo(n_steps=16)
        model.set_logger(run.logger)
        model.learn(64, callback=sb3.RLACallback(checkpoint_every=32))
    assert [row["time/total_timesteps"] for row in rows()] == [32, 64]
    assert only_run().hparams["algo"] == "PPO" and rla.latest_checkpoint(only_run()).name == "checkpoint-64"


# --- sb3_logger -------------------------------------------------------------------------------------------------------


def test_a_logger_of_all_kinds_of_values(sb3, here, rows, only_run, read_scalars, read_events):
    """What SB3's loggers take, with no need to exclude anything; excluded is what is asked for."""
    from matplotlib.figure import Figure

    kinds, long = sb3.logger, "rollout/" + "a" * 60
    logger = sb3.sb3_logger(task="t", log_root=here / "root", writers=["csv", "tensorboard", "log"])
    assert not (here / "root").exists() and logger.get_dir() == str(logger._handle.resolve().log_dir)
    logger.record(f"{long}1", 1.0)
    logger.record(f"{long}2", numpy.float32(2.5))
    for value in (1.0, None, 2.0):
        logger.record_mean("mean", value)
    logger.record("nan", math.nan)
    logger.record("tensor", sb3.torch.tensor([4.0]))
    logger.record("text", "a, b", exclude="log")
    logger.record("hidden", 3, exclude=("tensorboard", "stdout"))
    logger.record("weights", numpy.arange(10.0))
    logger.record("figure", kinds.Figure(Figure(figsize=(1, 1)), close=True), exclude=("stdout", "log", "json", "csv"))
    logger.record("image", kinds.Image(sb3.torch.rand(3, 8, 8), "CHW"))
    logger.record("video", kinds.Video(sb3.torch.ones(1, 2, 3, 8, 8, dtype=sb3.torch.uint8), fps=10))
    logger.record("hparams", kinds.HParam({"lr": 0.5}, {"rollout/ep_rew_mean": 0}))
    logger.info("a line", 5)
    logger.dump(64)
    logger.dump(65)  # of nothing
    logger.record_mean("mean", 7.0)
    logger.dump(66)
    (first, second), run = rows(), only_run()
    nan = first.pop("nan")
    wanted = {"time-step": 64, f"{long}1": 1, f"{long}2": 2.5, "mean": 1.5, "tensor": 4, "text": "a, b", "hidden": 3}
    assert math.isnan(nan) and first == wanted
    assert second == {"time-step": 66, "mean": 7}
    scalars = read_scalars(run.tensorboard_dir)
    assert set(scalars) == {f"{long}1", f"{long}2", "mean", "nan", "tensor"}
    shown = {value.tag for event in read_events(run.tensorboard_dir) for value in event.summary.value}
    assert {"weights", "figure", "image", "video", "text"} <= {tag.removesuffix("/text_summary") for tag in shown}
    assert {path.name for path in run.results_dir.iterdir()} == {"figure-64.png", "image-64.png", "video-64.gif"}
    assert run.hparams["lr"] == 0.5 and "rollout/ep_rew_mean" not in run.summaries
    log = (run.log_dir / "log.txt").read_text()
    assert "a line 5" in log and "hidden" not in log and "a, b" not in log


def test_errors_of_writers_do_not_stop_learn(sb3, here, rows, warnings_as_text):
    """Nor does one of SB3's own formats, such as its table with keys that it cannot tell apart."""

    class Failing(sb3.logger.KVWriter):
        def write(self, *arguments, **options):
            raise RuntimeError("no room")

    logger = sb3.sb3_logger(task="t", writers=["csv"])
    logger.output_formats += [Failing(), sb3.logger.HumanOutputFormat(str(here / "table.txt"), max_length=9)]
    model = sb3.ppo(n_steps=16)
    model.set_logger(logger)
    model.learn(64)
    assert [row["time-step"] for row in rows()] == [32, 64]
    assert [text.partition(" has not")[0] for text in warnings_as_text] == ["Failing", "HumanOutputFormat"]
    warnings_as_text.clear()


def test_a_logger_and_a_callback_have_one_run(sb3, here, only_run, rows, capfd):
    """Rows come once; the callback adds hyper-parameters and checkpoints."""
    model = sb3.ppo(n_steps=16)
    model.set_logger(sb3.sb3_logger(task="t"))
    callback = sb3.RLACallback(checkpoint_every=32)
    model.learn(64, callback=callback)
    model.logger.record("after", 1.0)
    model.logger.dump(64)
    assert [row["time-step"] for row in rows()] == [32, 64, 64] and rows("after")[-1] == {"after": 1}
    run = only_run()
    assert callback.run.name == run.name == model.logger.run.name
    assert run.hparams["algo"] == "PPO" and rla.latest_checkpoint(run).name == "checkpoint-64"
    assert "rollout" in capfd.readouterr().out  # SB3 prints nothing here: the run's tables do


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_a_model_that_cannot_be_saved(sb3, here, rows, only_run, warnings_as_text):
    """One warning; the rows come, and nothing half is left."""
    model = sb3.ppo(n_steps=16)
    model.lock = threading.Lock()
    model.learn(96, callback=sb3.RLACallback(checkpoint_every=32))
    assert len(rows()) == 3 and rla.latest_checkpoint(only_run()) is None
    assert ["was not saved" in text for text in warnings_as_text] == [True]
    assert not [path for path in only_run().checkpoint_dir.rglob("*") if path.suffix in (".zip", ".pkl")]
    warnings_as_text.clear()


def test_a_monitor(sb3, here, only_run, warnings_as_text):
    """Any key of SB3's logger decides on the best model; NaN is none; one that is never logged is told at the end."""
    model, values = sb3.ppo(n_steps=16), iter([5.0, math.nan, 4.0, 4.5])
    score = sb3.At(0, None)
    score._on_rollout_end = lambda: model.logger.record("score", next(values))
    model.learn(128, callback=[score, sb3.RLACallback(monitor="score", mode="min")])
    (best,) = (each for each in Manifest(only_run().checkpoint_dir).complete() if each.name == "best")
    assert (best.step, best.info["score"]) == (96, 4.0)
    model.learn(32, callback=sb3.RLACallback(monitor="eval/reward"))
    (text,) = warnings_as_text
    assert "monitor is 'eval/reward', which was not logged" in text and "rollout/ep_rew_mean" in text
    warnings_as_text.clear()


def test_wrong_arguments(sb3, here):
    """All mistakes in one error, and nothing is created."""
    with pytest.raises(rla.ConfigError) as error:
        sb3.RLACallback(checkpoint_every=0, mode="best", save_every=10, backup="sauce")
    assert len(error.value.problems) == 4 and "checkpoint_every, in environment steps" in str(error.value)
    with pytest.raises(rla.ConfigError, match=r"format_strings.* It is writers"):
        sb3.sb3_logger(format_strings=["csv"])
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("call", ["on_batch_end", "set_params", "setup", "on_init_end"])
def test_another_framework_has_got_the_callback(sb3, here, call):
    """What Keras, Lightning and transformers ask a callback for first says which imports are the right ones."""
    with pytest.raises(rla.ConfigError, match=r"rla_hooks\.integrations\.keras, \.lightning or \.transformers"):
        getattr(sb3.RLACallback(), call)()


def test_the_callback_has_got_no_model(sb3, here):
    """Of SB3, that is."""
    with pytest.raises(rla.ConfigError, match=r"learn\(\) of an SB3 model"):
        sb3.RLACallback().init_callback(object())
    assert not hasattr(sb3.RLACallback(), "anything")


def test_sb3s_own_files_in_the_folder_of_a_planned_run(sb3, here, rows, read_rows, only_run):
    """They have names of their own there, too, and the run starts in that folder."""
    callback, model = sb3.RLACallback(), sb3.ppo(n_steps=16)
    model.set_logger(sb3.logger.configure(str(callback.run.log_dir), ["csv"]))
    model.learn(32, callback=callback)
    assert [row["time-step"] for row in rows()] == [32] and callback.run.name == only_run().name
    assert numbers(read_rows(only_run().log_dir / "progress_sb3.csv"))[0]["time/total_timesteps"] == 32


def test_environments_in_processes_that_log_themselves(sb3, here, rows, only_run, forked, capfd):
    """What they log is left out, which one of them says; their id is found by what any process can send."""

    def train():
        class Logs(sb3.gym.Wrapper):
            def step(self, action):
                rla.log({"inner": 1.0}, step=0)
                return super().step(action)

        def env():
            return sb3.env(wrap=Logs)

        errors._print_as_text = lambda text, *place: os.write(2, text.encode())
        with rla.run(task="t"):
            envs = sb3.vec_env.SubprocVecEnv([env, env], start_method="fork")
            model = sb3.module.A2C("MlpPolicy", envs, n_steps=8, device="cpu")
            model.learn(32, callback=sb3.RLACallback(), log_interval=1)
            envs.close()

    assert forked(train).ended() == 0
    assert [row["time-step"] for row in rows()] == [16, 32] and "inner" not in rows()[0]
    hparams = only_run().hparams
    assert (hparams["env.id"], hparams["env.vec_env"]) == ("CartPole-v1", ["SubprocVecEnv"])
    assert hparams["env.wrappers"][:2] == ["Monitor", "Logs"]
    assert capfd.readouterr().err.count("a worker process writes nothing") == 1


# --- a training that goes on ------------------------------------------------------------------------------------------


def sac(sb3, callbacks=(), total=400):
    """The script of docs/frameworks.md: SAC with VecNormalize in a run that goes on where it was."""
    notes = {}
    with rla.run(**RUN, resume="auto") as run:
        env = sb3.vec_env.DummyVecEnv([lambda: sb3.env("Pendulum-v1")])
        saved = rla.latest_checkpoint(run, "checkpoint") if rla.is_resumed() else None
        if saved is None:
            small = {"buffer_size": 500, "learning_starts": 50, "batch_size": 16, "train_freq": 4}
            small |= {"policy_kwargs": {"net_arch": [4]}, "device": "cpu", "seed": 1}
            model = sb3.module.SAC("MlpPolicy", sb3.vec_env.VecNormalize(env), **small)
        else:
            env = sb3.vec_env.VecNormalize.load(str(saved / "vecnormalize.pkl"), env)
            model = sb3.module.SAC.load(saved / "model.zip", env=env, device="cpu")
            model.load_replay_buffer(saved / "replay_buffer.pkl")
            notes = {"file": saved.name, "steps": model.num_timesteps, "buffer": model.replay_buffer.pos}
            notes |= {"seen": round(env.obs_rms.count), "updates": model._n_updates, "model": model}
        learn = {"callback": [sb3.RLACallback(checkpoint_every=100), *callbacks], "reset_num_timesteps": False}
        model.learn(total - model.num_timesteps, log_interval=1, **learn)
    return model, notes


def test_a_killed_sac_goes_on_where_it_was(sb3, here, forked, only_run, read_rows, read_scalars):
    """Steps, replay buffer, statistics and updates are those of the checkpoint; each row is there once."""
    (here / "root").mkdir()
    kill = sb3.At(350, lambda: os.kill(os.getpid(), signal.SIGKILL))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert forked(lambda: sac(sb3, [kill])).ended() == -signal.SIGKILL
        killed = only_run()
        before = read_rows(killed.paths.progress_csv)
        assert killed.status == "killed" and [row["time-step"] for row in before] == ["200"]
        model, found = sac(sb3)
    run = only_run()
    found.pop("model")
    # Saved at the start of the rollout after 300 steps: 4 steps a rollout, an update after each from step 52 on.
    assert found == {"file": "checkpoint-300", "steps": 300, "buffer": 300, "seen": 301, "updates": 63}
    assert (model.num_timesteps, model._n_updates, model.replay_buffer.pos) == (400, 88, 400)
    rows = read_rows(run.paths.progress_csv)
    assert run.status == "finished" and rows[0] == before[0]
    assert [entry.step for entry in Manifest(run.checkpoint_dir).complete()] == [200, 300, 400]
    life = run.run_json["restarts"][0]
    assert (life["step"], life["status"]) == (300, "killed")
    steps = [step for step, _ in read_scalars(run.tensorboard_dir)["time/fps"]]
    assert steps == [int(row["time-step"]) for row in rows] == sorted(set(steps))


def test_rows_of_a_training_that_goes_on(sb3, here, forked, only_run, read_rows):
    """What an update has recorded, and SB3 dumps with the next row, is in that row of the run that goes on, too."""

    def train(**options):
        with rla.run(**RUN, resume="auto", **options) as run:
            if not run.is_resumed:
                return sb3.ppo().learn(192, callback=[sb3.RLACallback(checkpoint_every=64), kill])
            path = rla.latest_checkpoint(run) / "model.zip"
            envs = sb3.vec_env.DummyVecEnv([sb3.env] * 2)
            model = sb3.module.PPO.load(path, env=envs, device="cpu")
            model.learn(64, callback=sb3.RLACallback(), reset_num_timesteps=False)

    kill = sb3.At(192, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert forked(train).ended() == -signal.SIGKILL
    train()
    rows = read_rows(only_run().paths.progress_csv)
    assert [row["time-step"] for row in rows] == ["64", "128", "192"]
    assert "train/loss" not in rows[0] and set(rows[2]) == set(rows[1])
    assert (rows[1]["train/n_updates"], rows[2]["train/n_updates"]) == ("1", "2")


def whole(sb3, algorithm, dies_at=None, total=200, resume=None):
    """A training whose whole state is saved, and which is the same script when it goes on."""
    import random

    import torch

    random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
    with rla.run(**RUN, resume=resume) as run:

        def make(**options):
            name = "CartPole-v1" if algorithm == "DQN" else "Pendulum-v1"
            short = lambda env: sb3.gym.wrappers.TimeLimit(env, 40)  # noqa: E731
            return sb3.vec_env.VecNormalize(sb3.vec_env.DummyVecEnv([lambda: sb3.env(name, short)]), **options)

        env = make()
        small = {"policy_kwargs": {"net_arch": [4]}, "device": "cpu", "seed": 1}
        if algorithm == "PPO":
            small |= {"n_steps": 32, "batch_size": 16, "n_epochs": 1}
        else:
            small |= {"buffer_size": 150, "learning_starts": 20, "batch_size": 16, "train_freq": 4}
        small |= {"SAC": {"use_sde": True}, "DQN": {"target_update_interval": 30}}.get(algorithm, {})
        model = getattr(sb3.module, algorithm)("MlpPolicy", env, **small)
        test = make(training=False)
        test.seed(7)
        check = sb3.callbacks.EvalCallback(test, eval_freq=45, n_eval_episodes=1, verbose=0)
        callbacks = [check, sb3.RLACallback(checkpoint_every=60, state={"notes": [1]})]
        if dies_at is not None:
            callbacks.append(sb3.At(dies_at, die))
        model.learn(total, callback=callbacks, log_interval=1)
    return model, run, (random.random(), numpy.random.rand(), torch.rand(1).item())


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.norerun
@pytest.mark.parametrize("algorithm", ["SAC", "PPO", "DQN"])
def test_a_whole_state_goes_on_exactly(sb3, here, forked, runs, algorithm):
    """After kill -9, weights, buffer, normalizer, environment, rows and random numbers are those of a straight run."""
    import torch

    expected, _, numbers = whole(sb3, algorithm)
    assert forked(lambda: whole(sb3, algorithm, dies_at=150)).ended() == -signal.SIGKILL
    killed = runs()[-1]
    assert [each.step for each in Manifest(killed.checkpoint_dir).complete() if each.name == "state"] != []
    found, _, others = whole(sb3, algorithm, resume=killed.name)
    assert others == numbers and found.num_timesteps == expected.num_timesteps
    for name, values in expected.policy.state_dict().items():
        assert torch.equal(found.policy.state_dict()[name], values), name
    if algorithm != "PPO":
        assert repr(vars(found.replay_buffer)["observations"]) == repr(vars(expected.replay_buffer)["observations"])
        assert (found.replay_buffer.pos, found._n_updates) == (expected.replay_buffer.pos, expected._n_updates)
    assert getattr(found, "exploration_rate", 0) == getattr(expected, "exploration_rate", 0)
    for name in ("obs_rms", "ret_rms"):
        mine, theirs = (vars(getattr(model.get_env(), name)) for model in (found, expected))
        assert repr(mine) == repr(theirs)
    assert repr(found.get_env().venv.envs[0].unwrapped.state) == repr(expected.get_env().venv.envs[0].unwrapped.state)
    times = ["timestamp", "time/fps", "time/time_elapsed", "time/iterations"]
    mine, theirs = (run.metrics().drop(columns=times, errors="ignore") for run in runs())
    assert len(mine) > 3 and mine.equals(theirs[mine.columns])


def test_a_state_that_cannot_be_stored(sb3, here, only_run, warnings_as_text):
    """There is one warning, which says what it is, and the training goes on; a figure that was recorded is no state."""
    from matplotlib.figure import Figure

    figure = sb3.logger.Figure(Figure(), close=True)
    with rla.run(**RUN):
        model = sb3.ppo(n_steps=16)
        record = sb3.At(16, lambda: model.logger.record("figure", figure, exclude=("stdout", "log", "csv", "json")))
        added = {"notes": (line for line in "ab")}
        model.learn(96, callback=[record, sb3.RLACallback(checkpoint_every=32, state=added)])
    assert model.num_timesteps == 96 and only_run().status == "finished"
    (told,) = warnings_as_text
    assert told.startswith("the state of step 32 was not saved: it cannot be stored: buffers.notes is a generator")
    warnings_as_text.clear()


def test_a_resumed_run_that_learns_from_step_zero(sb3, here, forked, only_run):
    """learn() has set the steps of the loaded model to 0, or no model was loaded: the curve would be a wrong one."""

    def train(action):
        with rla.run(**RUN, resume="auto"):
            sb3.ppo(n_steps=16).learn(96, callback=[sb3.RLACallback(checkpoint_every=32), sb3.At(80, action)])

    assert forked(lambda: train(lambda: os.kill(os.getpid(), signal.SIGKILL))).ended() == -signal.SIGKILL
    with pytest.raises(rla.RunError, match="reset_num_timesteps=False"):
        train(list)
    assert only_run().metrics()["time-step"].tolist() == [32, 64]


def test_a_cluster_asks_to_stop(sb3, here, forked, only_run, rows):
    """learn() stops, and its model is saved with the steps so far; the run is preempted."""

    def train():
        with pytest.raises(SystemExit) as left, rla.run(task="t"):
            stop = sb3.At(80, lambda: signal.raise_signal(signal.SIGTERM))
            model = sb3.ppo(n_steps=16)
            model.learn(960, callback=[stop, sb3.RLACallback(checkpoint_every=1000)])
            assert model.num_timesteps in (80, 82)
        assert left.value.code == 128 + signal.SIGTERM

    assert forked(train).ended() == 0
    run = only_run()
    assert run.status == "preempted" and rla.latest_checkpoint(run).name in ("checkpoint-80", "checkpoint-82")
    assert [row["time-step"] for row in rows()] == [32, 64]


def test_a_cluster_asks_to_stop_and_the_state_is_saved(sb3, here, forked, only_run):
    """learn() goes on to the next rollout, at whose start the whole state is saved."""

    def train():
        with pytest.raises(SystemExit), rla.run(**RUN):
            stop = sb3.At(80, lambda: signal.raise_signal(signal.SIGTERM))
            sb3.ppo(n_steps=16).learn(960, callback=[stop, sb3.RLACallback(checkpoint_every=1000, state=True)])

    assert forked(train).ended() == 0
    run = only_run()
    assert run.status == "preempted"
    assert [entry.file for entry in Manifest(run.checkpoint_dir).complete()] == ["state-96"]


def test_the_example(sb3, tmp_path, monkeypatch, clean_environment, forked, capfd):
    """A short training leaves rows, figures and checkpoints; killed and started again, it goes on in the same run."""
    import runpy

    clean_environment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("rla_config.yaml").write_text("PROJECT_TYPE: {backup_code_by: none}")
    options = ["--steps", "2048", "--num-envs", "4", "--checkpoint-every", "1000"]

    train = sb3.module.PPO.train

    def start(dies_at=0):
        def train_or_die(model):
            if model.num_timesteps == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            train(model)

        sb3.module.PPO.train = train_or_die  # of the child
        sys.argv = ["sb3_ppo.py", *options]
        with pytest.raises(SystemExit, match="0"):
            runpy.run_path(str(EXAMPLES / "sb3_ppo.py"), run_name="__main__")

    assert forked(lambda: start(3 * 512)).ended() == -signal.SIGKILL and forked(start).ended() == 0
    (run,) = rla.runs(tmp_path / "rla_data")
    loaded = run.run_json["restarts"][0]["step"]
    assert (run.task, run.status) == ("sb3_ppo", "finished") and loaded == 1024
    metrics = run.metrics()
    steps = metrics.dropna(subset=["rollout/ep_rew_mean"])["time-step"].tolist()
    assert steps == [512 * number for number in range(1, 5)] and metrics["best/return"].notna().sum() == 1
    assert metrics["train/loss"].count() == 3  # that of the last update is dumped by no row
    assert "policy-1024.png" in [path.name for path in run.results_dir.iterdir()]
    out = capfd.readouterr().out
    assert f"going on at step {loaded}" in out and "of 500, over 20 episodes" in out


# --- more of SB3 ------------------------------------------------------------------------------------------------------


def test_sb3_contrib(sb3, here, only_run, rows):
    """An algorithm and an evaluation of sb3-contrib."""
    contrib = pytest.importorskip("sb3_contrib")
    model = contrib.QRDQN(
        "MlpPolicy", sb3.env(), learning_starts=20, buffer_size=100, device="cpu", policy_kwargs={"net_arch": [4]}
    )
    model.learn(100, callback=sb3.RLACallback(checkpoint_every=60), log_interval=1)
    run = only_run()
    assert run.hparams["algo"] == "QRDQN" and run.hparams["train_freq.unit"] == "step" and rows("time/episodes")
    entries = Manifest(run.checkpoint_dir).complete()
    assert [entry.step for entry in entries] == [60, 100]
    files = {path.name for path in Path(run.checkpoint_dir, "checkpoint-100").iterdir()}
    assert files == {"model.zip", "replay_buffer.pkl", "recorded.json"}


def test_a_large_replay_buffer(sb3, here, only_run, warnings_as_text, monkeypatch):
    """It is left out, with one warning, unless it is asked for."""
    from rla_hooks.integrations._sb3 import checkpoints

    monkeypatch.setattr(checkpoints, "_LARGE", 1000)
    options = {"buffer_size": 100, "device": "cpu", "policy_kwargs": {"net_arch": [4]}}
    model = sb3.module.DQN("MlpPolicy", sb3.env(), **options)
    model.learn(30, callback=sb3.RLACallback(checkpoint_every=10))
    assert not list(only_run().checkpoint_dir.rglob("replay_buffer.pkl"))
    assert ["Pass replay_buffer=True" in text for text in warnings_as_text] == [True]
    warnings_as_text.clear()
    model.learn(10, callback=sb3.RLACallback(replay_buffer=True), reset_num_timesteps=False)
    assert len(list((here / "root").rglob("replay_buffer.pkl"))) == 1
