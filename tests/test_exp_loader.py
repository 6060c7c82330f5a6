"""RLA's exp_loader: a script that begins with hyper-parameters, checkpoints and logs of a former experiment."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.easy_log import exp_loader as module
from rla_hooks.easy_log import logger
from rla_hooks.easy_log.exp_loader import ExperimentLoader, exp_loader
from rla_hooks.easy_log.tester import (
    fork_tester_log_files,
    import_hyper_parameters,
    load_from_record_date,
    load_tester_from_record_date,
    tester,
)
from rla_hooks.errors import CheckpointError, ConfigError, RLAWarning, RunError

pytestmark = pytest.mark.usefixtures("quiet")
ROOT_OF_RLA = Path(__file__).parent / "data" / "root_of_rla"
FIRST = {"lr": 0.1, "net": {"width": 64, "layers": (64, 32)}, "act": print, "api_token": "a1B2c3D4", "seed": 7}


@pytest.fixture(autouse=True)
def own_loader():
    """The process's loader, as a new program has it."""
    exp_loader.config(None, None, None)
    yield
    exp_loader.config(None, None, None)


def _start(**params):
    tester.set_hyper_param(**params)
    tester.configure("demo", log_root="root", writers=["csv", "log"], backup="none")
    tester.log_files_gen()


def _date():
    return tester.name.removeprefix("demo/")[:26]


@pytest.fixture
def date():
    """When a run of six rows started, with checkpoints of steps 1, 3 and 5 and data that goes with them."""
    _start(**FIRST)
    for step in range(6):
        logger.set_time(step)
        logger.record_tabular("loss", step / 7)
        logger.dump_tabular()
        if step % 2:
            tester.save_checkpoint({"w": [step]}, related_variable={"returns": [step, 0.5]})
    tester.finish()
    return _date()


def _rows():
    return rla.runs("root")[-1].metrics()["time-step"].tolist()


# --- hyper-parameters -------------------------------------------------------------------------------------------------


def test_hyper_parameters_come_back_nested(date):
    """Those to overwrite keep the tester's value, as does what was stored as a text only; the others are as then."""
    tester.set_hyper_param(lr=0.5, net={"width": 8, "layers": (1,)}, act=len, api_token="mine", seed=1, extra=2)
    exp_loader.config("demo", date, "root")
    args = exp_loader.import_hyper_parameters(hp_to_overwrite=["lr", "net.width"], sync_timestep=True)
    loaded = {"loaded_date": date, "loaded_task_name": "demo"}
    own = {"lr": 0.5, "act": len, "api_token": "mine", "seed": 7, "extra": 2}
    assert vars(args) == {**own, "net": {"width": 8, "layers": (64, 32)}, **loaded}
    assert tester.time_step_holder.get_time() == 5
    assert tester.hyper_param["net"] == {"width": 8, "layers": (1,)} and tester.hyper_param["seed"] == 1
    assert exp_loader.get_hyperparameters(["seed"])["seed"] == 1


def test_what_cannot_be_given_back_is_told(date):
    """A mask is never handed out as if it were the secret."""
    tester.set_hyper_param(lr=0.5)
    exp_loader.config("demo", date, "root")
    with pytest.warns(RLAWarning, match="has only texts of act, api_token: set them yourself"):
        args = exp_loader.import_hyper_parameters()
    assert args.lr == 0.1 and args.seed == 7 and not hasattr(args, "api_token")


def test_those_of_the_original_rla_are_read(tmp_path):
    """From its pickle, of which nothing is run, nested; a text in the place of an object, and a secret, are none."""
    shutil.copytree(ROOT_OF_RLA, tmp_path / "old")
    name = "demo_task/2022/03/02/10-00-00-000000 10.0.0.7 &lr=0.1"
    content = {"hyper_param": {"lr": 0.1, "net": {"width": 64}, "act": _Harmful()}, "custom_data": {"time-step": 40}}
    content["hyper_param"] |= {"api_key": "a1B2c3", "db": {"url": "ftp://me:hunter2@host"}}
    path = tmp_path / "old" / "archive_tester" / f"{name}.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(content))
    tester.set_hyper_param(lr=0.5, act=len)
    exp_loader.config("demo_task", "2022/03/02/10-00-00-000000", tmp_path / "old")
    with pytest.warns(RLAWarning, match="has only texts of api_key, db: set them yourself"):
        args = exp_loader.import_hyper_parameters(["lr"], sync_timestep=True)
    assert not hasattr(args, "api_key") and not hasattr(args, "db")
    assert (args.lr, args.net, args.act) == (0.5, {"width": 64}, len) and not (tmp_path / "harmed").exists()
    assert tester.time_step_holder.get_time() == 40


class _Harmful:
    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize("names", ["ler", ["lr", "net.depth"], [3]])
def test_a_name_that_the_tester_does_not_have_is_a_mistake(date, names):
    """Before anything is loaded, in both calls that take names."""
    tester.set_hyper_param(lr=0.5, net={"width": 8})
    exp_loader.config("demo", date, "root")
    with pytest.raises(ConfigError, match=r"hp_to_overwrite has .* Known: lr, net; nested ones with dots"):
        exp_loader.import_hyper_parameters(names)
    _start(lr=0.5, net={"width": 8})
    with pytest.raises(ConfigError, match="hp_to_overwrite has"):
        exp_loader.fork_log_files(names)


# --- checkpoints and log files ----------------------------------------------------------------------------------------


def test_a_script_of_rla_resumes_an_experiment(date, capsys):
    """The order of RLA's example: start, fork the logs, load, go on. Custom data comes, too."""
    _start(lr=0.5, loaded_date=date, loaded_task_name="demo")
    exp_loader.fork_log_files()
    step, content, variables = exp_loader.load_from_record_date(variable_list=["returns", "missing"])
    assert (step, content, variables) == (5, {"w": [5]}, {"returns": [5, 0.5], "missing": None})
    assert tester.get_custom_data("returns") == [5, 0.5] and tester.time_step_holder.get_time() == 0
    logger.set_time(step + 1)
    logger.record_tabular("loss", 1.0)
    logger.dump_tabular()
    tester.finish()
    assert _rows() == [*range(7)] and rla.runs("root")[-1].forked_from["id"] == rla.runs("root")[0].id
    told = capsys.readouterr().err
    assert told.count("exp_loader.fork_log_files is") == told.count("exp_loader.load_from_record_date is") == 1


def test_an_older_checkpoint_may_be_named(date):
    """In a fork it cuts the rows after it; the time step is set where it is asked for."""
    _start(loaded_date=date, loaded_task_name="demo")
    exp_loader.fork_log_files(sync_timestep=True)
    assert tester.time_step_holder.get_time() == 5
    assert exp_loader.load_from_record_date(ckp_index=3)[:2] == (3, {"w": [3]})
    assert _rows() == [0, 1, 2, 3] and tester.time_step_holder.get_time() == 3


def test_a_checkpoint_is_loaded_without_a_fork(date):
    """As a pretrained model: run.json says where it is from. It needs no run; and one of another name is not there."""
    exp_loader.config("demo", date, "root")
    assert exp_loader.load_from_record_date("", None, True, 1, "checkpoint")[:2] == (1, {"w": [1]})
    _start()
    assert exp_loader.load_from_record_date()[0] == 5
    tester.finish()
    first, second = rla.runs("root")
    assert [each["id"] for each in second.run_json["loaded_from"]] == [first.id] and second.metrics().empty
    with pytest.raises(CheckpointError, match="'best'"):
        exp_loader.load_from_record_date(checkpoint_name="best")


def test_a_torch_checkpoint_of_the_original_rla_is_loaded(tmp_path):
    """Into a run that has taken over its rows; what needs more than tensors has a way out."""
    torch = pytest.importorskip("torch")
    shutil.copytree(ROOT_OF_RLA, tmp_path / "old")
    task, old = "other_task", "2023/02/02/13-27-13-132216"
    folder = tmp_path / "old" / "checkpoint" / task / f"{old}_10.0.0.8_&input_size=16"
    folder.mkdir(parents=True)
    torch.save({"policy": {"w": torch.ones(2)}}, folder / "checkpoint_0.pt")
    torch.save({"model": torch.nn.ReLU()}, folder / "whole_0.pt")
    exp_loader.config(task, old, tmp_path / "old")
    with pytest.raises(CheckpointError, match="weights_only=False"):
        exp_loader.load_from_record_date(checkpoint_name="whole")
    assert "ReLU" in str(exp_loader.load_from_record_date(checkpoint_name="whole", weights_only=False)[1])
    _start()
    exp_loader.fork_log_files()
    step, content, _ = exp_loader.load_from_record_date()
    assert step == 0 and content["policy"]["w"].tolist() == [1.0, 1.0]
    assert tester.load_checkpoint()[1]["policy"]["w"].tolist() == [1.0, 1.0]
    tester.finish()
    assert _rows() == [0] and (rla.runs("root")[-1].log_dir / "cut" / "1").is_dir()


# --- what is not there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("default", ["", True])
def test_without_a_former_run_a_new_experiment_begins(recwarn, default):
    """As with RLA's default arguments, in which a date may be True: nothing is loaded, and nobody is warned."""
    _start(lr=0.5, loaded_date=default, loaded_task_name="")
    assert not exp_loader.is_valid_config and not recwarn.list
    exp_loader.fork_log_files()
    assert exp_loader.load_from_record_date(variable_list=["a"]) == (0, {}, {})
    assert exp_loader.import_hyper_parameters().lr == 0.5 and not recwarn.list


def test_a_part_of_the_names_is_told(recwarn):
    """Of a date without a task nothing is loaded either."""
    exp_loader.load_date = "2026/01/31/12-00-00-000000"
    assert exp_loader.load_from_record_date() == (0, {}, {})
    assert "it has load_date='2026/01/31/12-00-00-000000', and no task_name and no data_root" in str(recwarn[0].message)


def test_a_run_that_is_not_there_is_told_with_what_is_near(date):
    """Before the training begins: it would train something else."""
    _start(loaded_date=date[:-6] + "000000", loaded_task_name="demo")
    for call in (exp_loader.fork_log_files, exp_loader.load_from_record_date, exp_loader.import_hyper_parameters):
        with pytest.raises(RunError, match=f"no run of task 'demo'.*Near it: {date}"):
            call()


def test_log_files_are_forked_into_a_run(date):
    """Before log_files_gen there is none; the message says what to call."""
    exp_loader.config("demo", date, "root")
    with pytest.raises(RunError, match="fork_log_files was called outside a run"):
        exp_loader.fork_log_files()


def test_custom_data_that_cannot_be_read_gives_a_warning(date):
    """The checkpoint is loaded all the same."""
    rla.runs("root")[0].paths.tester_pkl.write_bytes(b"no pickle")
    exp_loader.config("demo", date, "root")
    with pytest.warns(RLAWarning, match="the custom data of the run .* is not there"):
        assert exp_loader.load_from_record_date(variable_list=["returns"])[2] == {"returns": None}


# --- RLA's other words ------------------------------------------------------------------------------------------------


def test_functions_take_their_arguments_in_rlas_order(date):
    """Each of the two has another one."""
    assert rla.update_hyper_parameters_fn("demo", date, "root", ["lr"] if "lr" in tester.hyper_param else None)
    _start(lr=0.5, act=len, api_token="mine")
    rla.fork_log_file_fn("root", "demo", date, ["lr"], True)
    assert _rows() == [*range(6)] and tester.time_step_holder.get_time() == 5


def test_the_functions_of_earlier_versions(date):
    """They look in the tester's log root; a fork takes the hyper-parameters, where it is told to."""
    _start(lr=0.5, own=1)
    assert import_hyper_parameters("demo", date).lr == 0.1
    assert load_from_record_date("demo", date) == (5, {"w": [5]}) and tester.time_step_holder.get_time() == 5
    fork_tester_log_files("demo", date)
    assert tester.hyper_param["lr"] == 0.1 and _rows() == [*range(6)]
    assert rla.runs("root")[-1].hparams["lr"] == 0.1 and rla.runs("root")[-1].hparams["own"] == 1
    for fork_hp, lr in ((False, 0.5), (True, 0.1)):
        _start(lr=0.5)
        assert load_tester_from_record_date("demo", date, fork_hp) == {"w": [5]}
        assert tester.hyper_param["lr"] == lr and _rows() == [*range(6)]


def test_the_names_are_rlas():
    """At the top, and in the module."""
    assert rla.exp_loader is exp_loader is module.experimental_loader and rla.ExperimentLoader is ExperimentLoader
    loader = ExperimentLoader()
    assert (loader.task_name, loader.load_date, loader.data_root) == (None, None, None)
    loader.task_name, loader.data_root = "demo", "root"
    assert (loader.task_name, loader.data_root) == ("demo", "root")


def test_the_state_of_an_optimizer_among_related_variables_comes_back():
    """Programs of RLA pass the optimizer itself; what they get back is for ``load_state_dict``, tensors and all."""
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.5)
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    _start(lr=0.5)
    related = {"optimizer": optimizer, "seen": torch.tensor([3, 4]), "update_num": 5}
    tester.save_checkpoint({"net": net}, related_variable=related)
    date = _date()
    _start(lr=0.5)
    exp_loader.config("demo", date, "root")
    _, _, back = exp_loader.load_from_record_date(variable_list=[*related, "gone"])
    fresh = torch.optim.Adam(net.parameters())
    fresh.load_state_dict(back["optimizer"])
    assert fresh.param_groups[0]["lr"] == 0.5 and back["update_num"] == 5 and back["gone"] is None
    for parameter in net.parameters():
        assert torch.equal(fresh.state[parameter]["exp_avg"], optimizer.state[parameter]["exp_avg"])
    assert torch.equal(back["seen"], torch.tensor([3, 4]))
