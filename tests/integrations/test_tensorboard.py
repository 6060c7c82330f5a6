"""rla_hooks.integrations.tensorboard: scripts with a SummaryWriter, beside torch's and tensorboardX's own."""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import signal
import sys
import time
import types
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from rla_hooks.integrations.tensorboard import SummaryWriter

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.errors import ConfigError, RLAWarning

SCRIPTS = Path(__file__).parent / "scripts"
OURS = "from rla_hooks.integrations.tensorboard import SummaryWriter"
NO_TENSORFLOW = "tensorboard.compat.notf"  # where there is such a module, TensorBoard does without, and begins at once
THEIRS = "from torch.utils.tensorboard import SummaryWriter"
QUICK = {"log_root": "root", "backup": "none", "writers": ["csv", "tensorboard"]}
TABLE = "|param|value|\n|-|-|\n|lr|0.1|\n|env|CartPole-v1|"


# --- the same calls ---------------------------------------------------------------------------------------------------


def _calls(writer, torch):
    """What one may call; arguments by position and by name."""
    random = np.random.default_rng(0)
    writer.add_text("hyperparameters", TABLE)
    for step in range(3):
        writer.add_scalar("n", np.array([[step]]), np.int64(step), 1000.0 + step)
        writer.add_scalar("charts/return", float(step), step)
        writer.add_scalar(tag="losses/loss", scalar_value=torch.tensor(step / 3, requires_grad=True), global_step=step)
    writer.add_scalar("n", np.nan, torch.tensor(9), None, False, True)
    writer.add_text("note", "**bold**", 2, walltime=5.0)
    weights = torch.nn.Parameter(torch.as_tensor(random.normal(size=(50, 4)), dtype=torch.float32))
    writer.add_histogram("weights", weights, 3)
    writer.add_histogram("coarse", random.normal(size=1000), 3, "tensorflow", None, 10)
    writer.add_histogram("fd", random.normal(size=1000), 3, bins="fd")
    writer.add_histogram("whole", np.arange(10), 3, bins=[0, 5, 10])
    writer.add_histogram_raw("raw", 0.0, 4.0, 3, 6.0, 14.0, [1.0, 5.0], [1, 2], 1)
    image = random.random((3, 5, 4)).astype(np.float32)
    writer.add_image("float", image, 1, 7.0)
    writer.add_image("bytes", torch.as_tensor((image * 255).astype(np.uint8)), 1)
    writer.add_image("hwc", image.transpose(1, 2, 0), 1, dataformats="HWC")
    writer.add_image("hw", image[0], 1, dataformats="HW")
    writer.add_images("batch", random.random((10, 3, 5, 4)), 1)
    writer.add_images("gray", random.random((3, 5, 4, 1)), 1, None, "NHWC")
    writer.add_audio("beep", np.linspace(-1, 1, 50)[None], 2, 8000)
    writer.add_pr_curve("pr", random.integers(0, 2, 100), random.random(100), 1)
    writer.add_pr_curve_raw("pr_raw", *random.random((6, 10)), 1, 10)
    points, faces = torch.full((1, 4, 3), 0.3), torch.ones(1, 2, 3, dtype=torch.int)
    writer.add_mesh("mesh", points, torch.ones(1, 4, 3), faces, {"a": 1}, 4)
    writer.add_tensor("tensor", torch.arange(6, dtype=torch.float32).reshape(2, 3), 1)
    writer.add_custom_scalars_multilinechart(["charts/return", "n"], title="both")


@pytest.fixture(scope="module")
def both(tmp_path_factory, clean_environment):
    """The same calls made to torch's writer and to ours, as TensorBoard reads them; and the run."""
    torch = pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as monkeypatch:
        clean_environment(monkeypatch)
        folder = tmp_path_factory.mktemp("both")
        monkeypatch.chdir(folder)
        monkeypatch.setitem(sys.modules, NO_TENSORFLOW, types.ModuleType("notf"))
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from torch.utils.tensorboard import SummaryWriter as Theirs

        def read(folder):
            every = dict.fromkeys(["scalars", "images", "tensors", "histograms", "audio"], 0)
            return EventAccumulator(str(folder), size_guidance=every).Reload()

        for writer in (Theirs("theirs"), SummaryWriter("ours", **QUICK)):
            _calls(writer, torch)
            writer.close()
        (run,) = rla.runs("root")
        yield SimpleNamespace(theirs=read("theirs"), ours=read(run.tensorboard_dir), run=run)
        testing.reset()


def test_the_tags_are_the_same(both):
    """Ours has the table of hyper-parameters besides."""
    theirs, ours = both.theirs.Tags(), both.ours.Tags()
    for kind in ("scalars", "images", "histograms", "audio"):
        assert sorted(ours[kind]) == sorted(theirs[kind]), kind
    own = {"hyperparameters", "_hparams_/session_start_info", "_hparams_/session_end_info"}
    assert set(ours["tensors"]) - own == set(theirs["tensors"])


def test_the_scalars_are_the_same(both):
    """Steps and values, also NaN; and the times that were given."""
    for tag in both.theirs.Tags()["scalars"]:
        found = [[(e.step, e.value) for e in reader.Scalars(tag)] for reader in (both.theirs, both.ours)]
        np.testing.assert_array_equal(*found)
    assert [event.wall_time for event in both.ours.Scalars("n")][:3] == [1000.0, 1001.0, 1002.0]


def test_the_histograms_are_the_same(both):
    """Bins, counts and moments, whatever the bins were asked for."""
    for tag in both.theirs.Tags()["histograms"]:
        (theirs,), (ours,) = both.theirs.Histograms(tag), both.ours.Histograms(tag)
        assert ours.step == theirs.step
        for field in ("min", "max", "num", "sum", "sum_squares", "bucket_limit", "bucket"):
            expected = getattr(theirs.histogram_value, field)
            np.testing.assert_allclose(getattr(ours.histogram_value, field), expected, 1e-12, err_msg=f"{tag} {field}")


def test_the_pictures_are_the_same(both):
    """Pixel by pixel, in one grid for a batch; each is a file under results/, too."""
    for tag in both.theirs.Tags()["images"]:
        (theirs,), (ours,) = both.theirs.Images(tag), both.ours.Images(tag)
        assert (ours.step, ours.width, ours.height) == (theirs.step, theirs.width, theirs.height)
        pixels = [np.asarray(Image.open(io.BytesIO(e.encoded_image_string)).convert("RGB")) for e in (theirs, ours)]
        assert np.array_equal(*pixels), tag
        assert (both.run.results_dir / f"{tag}-1.png").read_bytes() == ours.encoded_image_string
    assert both.ours.Images("float")[0].wall_time == 7.0


def test_the_rest_is_the_same(both):
    """Texts, sounds, curves, meshes, tensors and layouts."""
    from tensorboard.util.tensor_util import make_ndarray

    assert both.ours.Audio("beep")[0].encoded_audio_string == both.theirs.Audio("beep")[0].encoded_audio_string
    for tag in both.theirs.Tags()["tensors"]:
        (theirs,), (ours,) = both.theirs.Tensors(tag), both.ours.Tensors(tag)
        assert ours.step == theirs.step, tag
        expected, found = make_ndarray(theirs.tensor_proto), make_ndarray(ours.tensor_proto)
        assert found.dtype == expected.dtype and found.shape == expected.shape, tag
        if expected.dtype == object:
            assert found.tolist() == expected.tolist(), tag
        else:
            np.testing.assert_allclose(found, expected, 1e-6, err_msg=tag)
        about, wanted = (reader.SummaryMetadata(tag).plugin_data for reader in (both.ours, both.theirs))
        assert about.plugin_name == wanted.plugin_name, tag
    assert both.ours.Tensors("note/text_summary")[0].wall_time == 5.0


def test_the_run_has_more(both):
    """Hyper-parameters from the text, rows by step, title, status; nothing stands in the given folder."""
    run = both.run
    assert (run.title, run.status, run.hparams) == ("ours", "finished", {"lr": 0.1, "env": "CartPole-v1"})
    assert run.metrics()["charts/return"].dropna().tolist() == [0.0, 1.0, 2.0]
    assert not (run.log_dir.parents[7] / "ours").exists() and (run.results_dir / "beep-2.wav").is_file()


# --- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["torch.utils.tensorboard", "tensorboardX"])
def test_the_signatures_are_those_of_the_libraries(package):
    """Every public method is there, takes the same names, and those of torch at the same places."""
    theirs = pytest.importorskip(package).SummaryWriter
    names = {name for name in dir(theirs) if not name.startswith("_") and callable(getattr(theirs, name))}
    assert not names - set(dir(SummaryWriter))
    for name in (*names, "__init__"):
        wanted = [p for p in inspect.signature(getattr(theirs, name)).parameters.values() if p.kind < p.VAR_POSITIONAL]
        ours = inspect.signature(getattr(SummaryWriter, name)).parameters
        takes_more = any(parameter.kind is parameter.VAR_KEYWORD for parameter in ours.values())
        unknown = {parameter.name for parameter in wanted} - set(ours) - {"self", "onnx_model_file", "xmlname"}
        assert not unknown or takes_more, name
        if package.startswith("torch"):
            assert [*ours][1 : len(wanted)] == [parameter.name for parameter in wanted][1:], name
            for parameter in wanted[1:]:
                assert ours[parameter.name].default == parameter.default, (name, parameter.name)


# --- scripts ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def script(torch_python, tmp_path_factory):
    """Runs a script with its import line changed, in a folder of its own: the folder, its run, and the process."""

    def run(name, *options, change=lambda text: text.replace(THEIRS, OURS), kill_after=None):
        folder = tmp_path_factory.mktemp(name)
        flushed = "print = __import__('functools').partial(print, flush=True)\n" if kill_after else ""
        (folder / f"{name}.py").write_text(flushed + change((SCRIPTS / f"{name}.py").read_text()))
        (folder / "rla_config.yaml").write_text("PROJECT_TYPE: {backup_code_by: none}\n")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
        program = torch_python.start(f"{name}.py", *options, cwd=folder, env=environment)
        latest = time.monotonic() + 200
        while kill_after and program.poll() is None and not kill_after(folder) and time.monotonic() < latest:
            time.sleep(0.02)
        if kill_after:
            program.send_signal(signal.SIGKILL)
        done = program.ended()
        found = rla.runs(folder / "rla_data") if (folder / "rla_data").exists() else []
        return SimpleNamespace(folder=folder, run=found[-1] if found else None, done=done)

    return run


def _scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    found = {tag: [(event.step, event.value) for event in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
    found.pop("charts/SPS")
    return found


def test_a_dqn_script_logs_what_it_did(script):
    """One changed line: the same seed gives the same numbers as torch's writer got, and the run has its parameters."""
    without = f"import sys, types\nsys.modules['{NO_TENSORFLOW}'] = types.ModuleType('')\n"
    ours, theirs = script("dqn"), script("dqn", change=without.__add__)
    assert ours.done.returncode == theirs.done.returncode == 0, ours.done.stderr + theirs.done.stderr
    (events,) = theirs.folder.glob("runs/*")
    expected = _scalars(events)
    assert len(expected["losses/td_loss"]) == 6 and _scalars(ours.run.tensorboard_dir) == expected
    run = ours.run
    assert (run.task, run.status, run.hparams["learning_rate"], run.hparams["env_id"]) == (
        *("dqn", "finished", 2.5e-4, "CartPole-v1"),
    )
    assert run.title.startswith("runs/CartPole-v1__dqn__1__") and not any((ours.folder / "runs").glob("*/*"))
    assert "episodic_return=" in ours.done.stdout and "time-step" not in ours.done.stdout  # no tables between
    assert json.loads((run.log_dir / "run.json").read_text())["last_step"] == expected["charts/episodic_length"][-1][0]


def test_a_ppo_script_with_vector_environments(script):
    """Values of numpy and torch, NaN, several episodes of one step."""
    found = script("ppo")
    assert found.done.returncode == 0 and "Warning" not in found.done.stderr, found.done.stderr
    metrics = found.run.metrics()
    assert metrics["losses/value_loss"].notna().sum() == 4 and metrics["charts/episodic_return"].notna().sum() > 4
    assert found.run.hparams["target_kl"] is None and found.run.hparams["cuda"] is False
    assert (found.run.task, found.run.status) == ("ppo", "finished")


def test_a_sac_script_with_an_evaluation_writer(script):
    """Two writers are one run; what the script puts into writer.log_dir stands in the run's folder."""
    found = script("sac")
    assert found.done.returncode == 0 and "Warning" not in found.done.stderr, found.done.stderr
    assert len(rla.runs(found.folder / "rla_data")) == 1
    metrics = found.run.metrics()
    assert metrics["eval/episodic_return"].notna().sum() == 4 and metrics["losses/qf_loss"].notna().sum() == 4
    assert json.loads((found.run.log_dir / "args.json").read_text()) == found.run.hparams
    assert (found.run.log_dir / "actor.pt").is_file() and re.search(r"__sac__1__\d+$", found.run.title)


def test_an_exception_in_a_script_fails_its_run(script):
    """With what was logged before, and the traceback."""

    def change(text):
        return text.replace(THEIRS, OURS).replace("    optimizer.step()", "    optimizer.stop()")

    found = script("dqn", "--seed", "2", change=change)
    assert found.done.returncode == 1 and found.run.metrics()["losses/td_loss"].notna().sum() == 1
    assert (found.run.status, found.run.hparams["seed"]) == ("failed", 2)
    assert "optimizer.stop" in found.run.info["error"]


def test_a_script_that_is_killed_leaves_what_it_had(script):
    """Hyper-parameters and all rows but the one that was open."""

    def has_rows(folder):
        files = [*folder.glob("rla_data/log/dqn/*/*/*/*/progress.csv")]
        return bool(files) and files[0].read_bytes().count(b"\n") > 5

    found = script("dqn", "--total-timesteps", "1000000", kill_after=has_rows)
    run = found.run
    assert (run.status, run.hparams["total_timesteps"]) == ("killed", 1_000_000)
    returns = [float(text) for text in re.findall(r"episodic_return=([\d.]+)", found.done.stdout)]
    logged = run.metrics()["charts/episodic_return"].dropna().tolist()
    assert len(logged) >= 5 and logged == returns[: len(logged)]


def test_the_example(script):
    """A short training leaves curves, a figure, a video and the network; with torch's writer it is the same script."""
    text = (SCRIPTS.parents[2] / "examples" / "cleanrl_style_dqn.py").read_text()
    assert text.count("rla_hooks") == 1 + text.partition('"""')[2].partition('"""')[0].count("rla_hooks")
    pytest.importorskip("pygame")
    options = ["--total-timesteps", "300", "--learning-starts", "100"]
    found = script("dqn", *options, change=lambda _: text)
    assert found.done.returncode == 0, found.done.stderr
    run = found.run
    assert (run.status, run.hparams["total_timesteps"]) == ("finished", 300) and "__dqn__1__" in run.title
    assert run.metrics()["losses/td_loss"].notna().sum() == 2
    assert sorted(path.name for path in run.results_dir.iterdir()) == ["episode-300.gif", "learning_curve-300.png"]
    assert (run.log_dir / "dqn.pt").is_file()


# --- life -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def writer_of(here):
    """Makes writers whose runs stand in the temporary folder."""

    def make(*arguments, **options):
        return SummaryWriter(*arguments, **{**QUICK, "task": "t", **options})

    yield make
    testing.reset()


def test_nothing_is_made_before_the_first_value(writer_of, runs):
    """Neither by the constructor nor by flush and close; the table of hyper-parameters makes the run."""
    writer = writer_of("runs/a")
    writer.flush()
    writer.close()
    assert not os.path.exists("root") and not os.path.exists("runs")
    writer = writer_of("runs/a")
    writer.add_text("hyperparameters", TABLE)
    (run,) = runs()
    assert (
        json.loads(run.paths.parameter_json.read_text()) == {"lr": 0.1, "env": "CartPole-v1"}
        and run.status == "running"
    )
    writer.close()
    assert runs()[0].status == "finished"


def test_within_a_run_the_writer_joins_it(writer_of, runs):
    """Its close ends nothing; the run's own parameters stay."""
    with rla.run("mine", **QUICK, lr=0.5) as run:
        writer = writer_of("runs/a")
        writer.add_text("hyperparameters", TABLE)
        writer.add_scalar("a", 1.0, 3)
        writer.close()
        assert run.status == "running"
        rla.log({"a": 2.0}, step=4)
    (found,) = runs()
    assert found.task == "mine" and found.hparams == {"lr": 0.5, "module.lr": 0.1, "env": "CartPole-v1"}
    assert found.metrics()["a"].tolist() == [1.0, 2.0] and found.title is None


def test_a_writer_goes_from_run_to_run(writer_of, runs):
    """One that was made outside, or in the run before, writes to the run that is open; without one, to the last."""
    writer = writer_of("runs/a")

    @rla.track(**QUICK)
    def main(seed):
        writer.add_scalar("a", seed, 0)

    main(1)
    main(2)
    writer.add_scalar("a", 3, 1)
    writer.close()
    assert [(run.hparams, run.metrics()["a"].tolist()) for run in runs()] == [({"seed": 1}, [1]), ({"seed": 2}, [2, 3])]
    assert {run.status for run in runs()} == {"finished"}


def test_a_script_with_wandb_and_a_writer_has_one_run(here, runs):
    """As those of CleanRL have with --track: what both log stands in the run that wandb.init has opened."""
    import rla_hooks.integrations.wandb as wandb

    wandb.init(project="cleanrl", name="dqn__1", config={"seed": 1}, sync_tensorboard=True)
    writer = SummaryWriter("runs/dqn__1")
    writer.add_scalar("a", 1.0, 3)
    writer.close()
    wandb.finish()
    (run,) = runs()
    assert (run.task, run.title, run.status, run.hparams) == ("cleanrl", "dqn__1", "finished", {"seed": 1})
    assert run.metrics()["a"].tolist() == [1.0]


def test_seeds_after_each_other_are_runs_of_their_own(writer_of, runs):
    """Each ends with its close; one that fails does not change the others."""
    for seed in range(2):
        with writer_of(f"runs/{seed}") as writer:
            writer.add_scalar("a", seed, 0)
    with pytest.raises(ValueError), writer_of("runs/2") as writer:
        writer.add_scalar("a", 2, 0)
        raise ValueError("boom")
    assert [(run.title, run.status) for run in runs()] == [
        *(("runs/0", "finished"), ("runs/1", "finished"), ("runs/2", "failed")),
    ]


def test_close_knows_the_exception_that_is_on_its_way(writer_of, runs):
    """In an except block and in a finally."""
    writer = writer_of("runs/a")
    with pytest.raises(KeyboardInterrupt):
        try:
            writer.add_scalar("a", 1, 0)
            raise KeyboardInterrupt
        finally:
            writer.close()
    assert runs()[0].status == "interrupted"


def test_close_where_the_data_has_ended(writer_of, runs):
    """StopIteration, which a loop handles, is no failure."""
    writer = writer_of("runs/a")
    batches = iter([1.0])
    while True:
        try:
            writer.add_scalar("loss", next(batches), 0)
        except StopIteration:
            writer.close()
            break
    assert runs()[0].status == "finished"


def test_a_closed_writer_can_be_used_again(writer_of, runs, end_of_process):
    """As torch's: the same run goes on, and ends with the program or the next close."""
    writer = writer_of("runs/a")
    for step in range(3):
        writer.add_scalar("a", step, step)
        writer.close()
        writer.close()
        assert runs()[0].status == "finished"
    writer.add_scalar("a", 3, 3)
    assert runs()[0].status == "running"
    end_of_process()
    (run,) = runs()
    assert run.status == "finished" and run.metrics()["a"].tolist() == [0, 1, 2, 3] and run.info["rows"] == 4


def test_a_folder_that_was_closed(writer_of, runs):
    """Steps that go on are of the same run; steps that begin again, or a new table, are another one."""
    for steps in ([0, 1], [2], [0]):
        writer = writer_of("runs/a")
        for step in steps:
            writer.add_scalar("a", step, step)
        writer.close()
    assert [run.metrics()["a"].tolist() for run in runs()] == [[0, 1, 2], [0]]
    with writer_of("runs/a") as writer:
        writer.add_text("hyperparameters", TABLE)
        writer.add_scalar("a", 9, 9)
    assert len(runs()) == 3 and {run.status for run in runs()} == {"finished"}


def test_writers_of_one_training_share_a_run(writer_of, runs):
    """train/ and eval/, a folder within, the same folder; other folders are other runs. It ends with the last one."""
    train, evaluation = writer_of("runs/x/train"), writer_of(Path("runs/x/eval"))
    same, agent, other = writer_of("runs/x"), writer_of("runs/x/agent_1"), writer_of("runs/y")
    for number, writer in enumerate([train, evaluation, same, agent, other]):
        writer.add_scalar("a", number, 0)
        writer.add_custom_scalars_multilinechart(["a"])
    first, second = runs()
    for writer in (train, evaluation, same):
        writer.close()
    assert runs()[0].status == "running"
    agent.close()
    assert [runs()[0].status, runs()[1].status] == ["finished", "running"]
    rows = first.metrics()[["train/a", "eval/a", "a", "agent_1/a"]]
    assert rows.max().tolist() == [0, 1, 2, 3] and first.title == "runs/x"
    assert second.metrics()["a"].tolist() == [4]


def test_writers_of_one_run_have_their_names_before_their_tags(writer_of, runs):
    """In a run that is open, too: all but the first of those that are open at once."""
    with rla.run("mine", **QUICK):
        first, second = writer_of("runs/a"), writer_of("runs/b")
        first.add_scalar("x", 1, 0)
        second.add_histogram("x", np.arange(3), 0)
        second.add_scalar("x", 2, 0)
        first.close(), second.close()
        writer_of("runs/c").add_scalar("x", 3, 1)
    (run,) = runs()
    assert run.metrics()["x"].dropna().tolist() == [1, 3] and run.metrics()["b/x"].dropna().tolist() == [2]


def test_the_title_is_the_folder_or_the_comment(writer_of, runs):
    """Whatever characters it has; an option wins."""
    given = [(("runs/a\nb" + "x" * 600,), {}), ((), {"comment": "_lr_0.1"}), (("runs/a",), {"title": "mine"}), ((), {})]
    for arguments, options in given:
        with writer_of(*arguments, **options) as writer:
            writer.add_scalar("a", 1)
    titles = [run.title for run in runs()]
    assert titles[0].startswith("runs/a?bxxx") and titles[1:] == ["lr_0.1", "mine", None]


def test_mistakes_in_options_are_told_before_anything_is_made(here):
    """With the nearest known one."""
    with pytest.raises(ConfigError, match="Did you mean 'log_root'"):
        SummaryWriter("runs/a", log_rot="x")
    with pytest.raises(ConfigError, match=r"unknown argument 'lgdir'. Known: log_dir, comment, .* mean 'log_dir'"):
        SummaryWriter(lgdir="runs/a")
    with pytest.raises(ConfigError, match=r"log_dir is 5. Allowed: the path of a folder"):
        SummaryWriter(5)
    assert not os.path.exists("rla_data")


def test_the_folder_of_the_run_takes_files_of_the_script(writer_of, runs):
    """By all its names, before the first value and after the end; also of a part."""
    writer, part = writer_of("runs/x"), writer_of("runs/x/eval")
    for name in ("log_dir", "logdir"):
        assert os.path.isdir(getattr(writer, name))
    (run,) = runs()
    assert writer.get_logdir() == writer.file_writer.get_logdir() == str(run.log_dir)
    assert part.log_dir == str(run.log_dir / "eval") and os.path.isdir(part.log_dir)
    writer.close(), part.close()
    assert writer.log_dir == str(run.log_dir) and runs()[0].status == "finished"


def test_the_given_folder_is_there(writer_of, monkeypatch, tmp_path):
    """With the first value, and empty: scripts save their models by its name, also without tracking."""
    for name, mode in (("a", ""), ("b", "off")):
        monkeypatch.setenv("RLA_MODE", mode)
        with writer_of(f"runs/{name}") as writer:
            writer.add_scalar("loss", 1.0, 0)
            assert os.listdir(f"runs/{name}") == []
    with writer_of("runs/c", write_to_disk=False) as writer:
        writer.add_scalar("loss", 1.0, 0)
    assert sorted(os.listdir("runs")) == ["a", "b"]


def test_without_tracking_all_calls_are_taken(writer_of, monkeypatch, tmp_path):
    """RLA_MODE=off, or write_to_disk=False: log_dir is the given folder, for the script's own files."""
    monkeypatch.setenv("RLA_MODE", "off")
    writer = writer_of("own/x")
    writer.add_text("hyperparameters", TABLE)
    writer.add_scalar("a", 1.0, 0)
    writer.add_histogram("h", np.arange(3))
    writer.add_embedding(np.zeros((2, 2)))
    assert os.listdir("own/x") == []
    assert writer.log_dir == "own/x" and os.path.isdir("own/x")
    writer.close()
    monkeypatch.delenv("RLA_MODE")
    with writer_of("other", write_to_disk=False) as writer:
        writer.add_scalar("a", 1.0, 0)
    assert not os.path.exists("root")


def test_purge_step_says_what_to_do(writer_of):
    """Rows of a run are cut by its resume; 0 purges nothing."""
    with pytest.warns(RLAWarning, match="purge_step=5 has no effect.*rla.run\\(resume='auto'\\)"):
        writer_of("runs/a", purge_step=5).add_scalar("a", 1, 5)
    writer_of("runs/b", "", 0, 10, 120, ".suffix").add_scalar("a", 1, 5)


def test_what_cannot_be_logged_warns_once(writer_of, runs):
    """Vectors, objects, pictures of no shape: the training goes on."""
    writer = writer_of("runs/x/eval")
    with pytest.warns(RLAWarning, match=r"'eval/vector' was left out.*shape \(3,\)"):
        writer.add_scalar("vector", np.zeros(3), 0)
    with pytest.warns(RLAWarning, match="the image 'eval/x' was not shown"):
        writer.add_image("x", np.zeros((2, 2)), 0)
    with pytest.warns(RLAWarning, match="the histogram 'eval/x' was not shown"):
        writer.add_histogram("x", [np.nan], 0)
    with pytest.warns(RLAWarning, match="the video 'eval/x' was not shown"):
        writer.add_video("x", np.zeros((2, 2)), 0)
    with pytest.warns(RLAWarning, match="the layout .* was not shown"):
        writer.add_custom_scalars(["x"])
    with pytest.warns(RLAWarning, match="the graph .* was not shown"):
        writer.add_onnx_graph("missing.onnx")
    with pytest.warns(RLAWarning, match="add_openvino_graph has no effect"):
        writer.add_openvino_graph("x")
    writer.add_scalar("vector", np.zeros(3), 1)
    writer.add_scalar("vector", np.zeros(1), 2)
    writer.close()
    assert runs()[0].metrics()["eval/vector"].tolist() == [0.0]


def test_figures_videos_and_lists(writer_of, runs, read_events):
    """Figures are closed; lists become grids; videos of a batch, too."""
    from matplotlib import pyplot

    writer = writer_of("runs/a")
    before = pyplot.get_fignums()
    figures = [pyplot.figure(figsize=(1, 1)) for _ in range(2)]
    writer.add_figure("two", figures, 1)
    writer.add_figure("one", pyplot.figure(figsize=(1, 1)), 1)
    assert pyplot.get_fignums() == before
    writer.add_images("list", [np.zeros((2, 2, 3), np.uint8)] * 3, 1, dataformats="HWC")
    writer.add_video("video", np.full((3, 5, 3, 4, 6), np.arange(5).reshape(5, 1, 1, 1) * 50, np.uint8), 1, fps=10)
    writer.close()
    (run,) = runs()
    # torch has these three videos in one row of four, too
    sizes = {path.name: Image.open(path).size for path in run.results_dir.iterdir()}
    assert sizes == {"two-1.png": (200, 100), "one-1.png": (100, 100), "list-1.png": (6, 2), "video-1.gif": (24, 4)}
    with Image.open(run.results_dir / "video-1.gif") as gif:
        assert gif.n_frames == 5


def test_steps_and_times_of_a_block(writer_of, runs):
    """tensorboardX's use_metadata; what is given by a call wins. Without a step the rows are counted."""
    writer = writer_of("runs/a")
    with writer.use_metadata(global_step=7, walltime=1000.0):
        writer.add_scalar("a", 1)
        writer.add_scalars("b", {"x": 2.0}, 8)
        writer.add_scalars("b", {"x": 3.0})
    writer.add_scalar("a", 4)
    writer.close()
    metrics = runs()[0].metrics().sort_values("time-step")
    assert metrics["time-step"].tolist() == [7, 7, 8, 8] and metrics["b/x"].dropna().tolist() == [3.0, 2.0]
    assert metrics["timestamp"].tolist()[:3] == [1000.0] * 3


def test_what_goes_behind_the_methods(writer_of, runs, tmp_path):
    """file_writer, all_writers, default_bins, export_scalars_to_json."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.graph_pb2 import GraphDef
    from tensorboard.compat.proto.summary_pb2 import Summary

    writer = writer_of("runs/a")
    assert [*writer.all_writers] == ["runs/a"] and len(writer.default_bins) == 1549
    summary = Summary(value=[Summary.Value(tag="a", simple_value=0.5)])
    writer.file_writer.add_summary(summary, 3)
    writer._get_file_writer().add_event(Event(summary=summary), 4)
    writer.file_writer.add_graph((GraphDef(), None))
    writer.add_hparams({"lr": 0.1}, {"score": 2.0}, None, "named", 5)
    writer.export_scalars_to_json("all.json")
    writer.file_writer.flush()
    writer.file_writer.close()
    writer.file_writer.reopen()
    assert writer.all_writers is None
    (run,) = runs()
    assert run.metrics()["a"].dropna().tolist() == [0.5, 0.5] and run.hparams == {"lr": 0.1}
    assert [row[1:] for row in json.loads(Path("all.json").read_text())["score"]] == [[5, 2.0]]


def test_secrets_in_the_table_are_masked(writer_of, runs, read_events):
    """In parameter.json and in the text that TensorBoard shows; rows of several lines are understood."""
    table = "|param|value|\n|-|-|\n|api_key|s3cr3t-AbC123xyz987|\n|net|Net(\n  (a): 1\n)|\n|layers|[64, 64]|\n|x|a|b|"
    table += "\n|nan|nan|\n|password|123456789|"
    with writer_of("runs/a") as writer:
        writer.add_text("hyper-parameters", table)
        writer.add_text("hyperparameters", "no table")
    (run,) = runs()
    assert run.hparams.pop("nan") != 0 and "s3cr3t" not in run.hparams["api_key"]
    assert (run.hparams["net"], run.hparams["layers"], run.hparams["x"]) == ("Net(\n  (a): 1\n)", [64, 64], "a|b")
    data = b"".join(path.read_bytes() for path in run.tensorboard_dir.iterdir())
    assert b"|layers|[64, 64]|" in data and b"s3cr3t" not in data and b"123456789" not in data


def test_texts_in_the_table_stay_texts(writer_of, runs):
    """Python reads names such as 2024_01 as numbers; a script that prints numbers does not write them so."""
    texts = {"a": "2024_01", "b": "64_64", "c": "0x10", "d": "'quoted'", "e": "...", "f": "1j", "g": "b'x'", "h": "1#x"}
    values = {"i": 1e-05, "j": (64, 64), "k": None, "l": True, "m": -5, "n": {"x": [1, 2.5]}, "o": float("inf")}
    rows = "".join(f"\n|{key}|{value}|" for key, value in (texts | values).items())
    with writer_of("runs/a") as writer:
        writer.add_text("hyperparameters", f"|param|value|\n|-|-|{rows}")
    found = runs()[0].hparams
    assert {key: found[key] for key in texts} == texts
    assert (found["i"], [*found["j"]], found["k"], found["l"], found["m"], found["o"]) == (
        *(1e-05, [64, 64], None, True, -5, float("inf")),
    )


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_graph_of_a_module(writer_of, runs, read_events):
    """As torch traces it; a module that cannot be traced gives one warning."""
    torch = pytest.importorskip("torch")
    with writer_of("runs/a") as writer:
        writer.add_graph(torch.nn.Linear(2, 3), torch.zeros(1, 2))
        with pytest.warns(RLAWarning, match="the graph 'Linear' was not shown"):
            writer.add_graph(torch.nn.Linear(2, 3), "nothing")
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    (event,) = [event for event in read_events(runs()[0].tensorboard_dir) if event.HasField("graph_def")]
    assert any("Linear" in node.name for node in GraphDef.FromString(event.graph_def).node)


def test_threads_and_processes_write_to_the_run(writer_of, runs, forked):
    """A thread to the same file, a forked process to a file beside; a writer can be pickled for a spawned one."""
    import pickle
    import threading

    writer = writer_of("runs/a")
    writer.add_scalar("a", 1.0, 0)
    thread = threading.Thread(target=writer.add_scalar, args=("a", 2.0, 1))
    thread.start()
    thread.join()

    def child():
        writer.add_scalar("a", 3.0, 2)
        writer.close()

    assert forked(child).ended() == 0
    copy = pickle.loads(pickle.dumps(writer))
    copy.add_scalar("a", 4.0, 3)
    copy.close()
    assert runs()[0].status == "running"
    writer.close()
    (run,) = runs()
    assert sorted(run.metrics()["a"].tolist()) == [1.0, 2.0, 3.0, 4.0] and run.status == "finished"
    assert len([*run.log_dir.glob("progress.*-*.csv")]) >= 1


def test_nothing_of_torch_or_tensorflow_is_imported(warm, tmp_path):
    """Scalars and texts need not even numpy."""
    program = (
        f"import sys\n{OURS}\n"
        "writer = SummaryWriter('runs/a', backup='none')\n"
        "writer.add_scalar('a', 1.0, 0); writer.add_text('t', 'x'); writer.close()\n"
        "print(sorted({'torch', 'tensorflow', 'tensorboard', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    done = warm("colorsys").run("-c", program, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
