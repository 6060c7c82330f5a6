"""Which run a word on the command line means."""

import json
import os
import re
from datetime import datetime, timedelta, timezone

import pytest

import rla_hooks as rla
from rla_hooks.cli.choose import choose, choose_all
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.query.meant import meant

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """Six runs of two tasks, with ids that begin alike, one with a title."""
    root = tmp_path_factory.mktemp("choose") / "root"

    @rla.track(record=["algo", "seed"], task="cart pole", log_root=root, writers=["csv"], backup="none")
    def train(algo, seed, lr=0.1):
        rla.log({"return": 10.0 * seed}, step=0)
        return rla.current_run()

    @rla.track(record=["algo"], task="walker", log_root=root, writers=["csv"], backup="none")
    def walk(algo):
        return rla.current_run()

    made = [train(algo, seed) for algo in ("ppo", "sac") for seed in (0, 1)] + [walk("td3"), walk("dqn")]
    started = datetime(2026, 1, 31, 21, 28, 12, 405928).astimezone()
    for number, run in enumerate(made):
        content = json.loads((run.log_dir / "run.json").read_text())
        content["id"] = f"{'abc' if number < 2 else 'xyz'}{number}qqqq"
        content["started"] = (started + timedelta(minutes=number)).astimezone(timezone.utc).isoformat()
        (run.log_dir / "run.json").write_text(json.dumps(content))
    (made[3].log_dir / "labels.json").write_text(json.dumps({"title": "The First Try"}))
    return root


@pytest.fixture
def numbers(log_root):
    """The numbers, by age, of the runs that are chosen by texts."""

    def chosen(*texts, **more):
        ids = [run.id for run in rla.runs(log_root)]
        return [ids.index(run.id) for run in choose_all(texts, log_root, **more)]

    return chosen


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("latest", 5),
        ("latest~0", 5),
        ("latest~2", 3),
        ("abc1qqqq", 1),
        ("xyz2", 2),
        ("XYZ2", 2),
        ("algo=ppo&seed=0", 0),
        ("ALGO=PPO&seed=1", 1),
        ("td3", 4),
        ("first try", 3),
        ("21:29", 1),
        ("21-30-12", 2),
        ("01-31 21:31", 3),
        ("2026-01-31 21:32", 4),
        ("2026-01-31T21:33:12.405928", 5),
        ("ppo*seed=1", 1),
    ],
)
def test_a_text_means_a_run(text, number, numbers):
    """An id or its beginning, a part of a name or a title, a time as clocks here show it, or how new it is."""
    assert numbers(text) == [number]


def test_a_name_means_its_run_also_as_the_user_wrote_the_task(log_root, numbers):
    """The whole name, the time in it, and the task without the escapes of the folder names."""
    for number, run in enumerate(rla.runs(log_root)):
        assert numbers(run.name) == [number]
        clock = re.search(r"\d\d-\d\d-\d\d-\d{6}", run.name)[0]
        assert numbers(clock) == [number]
    assert numbers("cart pole/*sac*seed=1") == numbers("cart%20pole/*sac*seed=1") == [3]


def test_a_path_means_its_run(log_root, numbers, monkeypatch, tmp_path):
    """That of any of its folders or a file in one, absolute or not, also of another log root than the one asked for."""
    run = rla.runs(log_root)[2]
    for path in (run.log_dir, run.log_dir / "run.json", run.code_dir, run.checkpoint_dir, f"{run.results_dir}/"):
        assert choose(str(path), tmp_path).log_dir == run.log_dir
    monkeypatch.chdir(run.log_dir)
    assert choose(".").id == choose("./progress.csv").id == run.id
    monkeypatch.chdir(log_root.parent)
    assert choose(os.path.relpath(run.log_dir)) == run
    assert numbers(str(run.log_dir), where="algo == 'sac'") == [2]
    with pytest.raises(RLAError, match=r"the run at .* is none of those that are chosen by the filter and the task"):
        choose(str(run.log_dir), log_root, where="algo == 'ppo'")
    with pytest.raises(RLAError, match=r"none of the 6 runs .* has the id, the name or the time 'root/log'"):
        choose("root/log", log_root)


def test_a_renamed_run_is_found_by_its_path_and_its_new_name(tmp_path):
    """Its folder is where somebody put it; the files of the other folders are found, too."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none") as run:
        pass
    best = tmp_path / "log" / "best of all"
    os.rename(run.log_dir, best)
    assert choose(str(best), tmp_path).id == choose("best of", tmp_path).id == choose("latest", tmp_path).id
    with pytest.raises(RLAError, match="has the id, the name or the time '21:28'"):
        choose("21:28", tmp_path)  # a name without a time


def test_a_clock_time_is_no_year(tmp_path):
    """At 20:26 of some day is not in 2026."""
    for name in ("t/2026/01/31/12-00-00-000000_10.0.0.5_", "t/2026/11/27/20-26-11-000000_10.0.0.5_"):
        (tmp_path / "log" / name).mkdir(parents=True)
        started = name[2:12].replace("/", "-") + name[12:].replace("/", "T")[:9].replace("-", ":") + "+00:00"
        (tmp_path / "log" / name / "run.json").write_text(f'{{"status": "finished", "started": "{started}"}}')
    first, second = rla.runs(tmp_path)
    assert meant("20:26", [first, second]) == meant("20-26-11", [first, second]) == [second]
    assert meant("2026-01-31", [first, second]) == meant("01-31", [first, second]) == [first]


def test_latest_is_the_latest_of_those_that_are_asked_for(log_root, numbers):
    """With a task, a filter, or both; without a text it is the latest, too."""
    assert numbers("latest", task="cart pole") == [3]
    assert numbers("latest~1", where="algo == 'ppo'") == [0]
    assert numbers("latest", task="cart pole", where="seed == 0") == [2]
    assert choose(None, log_root) == rla.runs(log_root)[-1]
    with pytest.raises(RLAError, match="latest~2 is not there: of 2 runs the oldest is latest~1"):
        choose("latest~2", log_root, where="algo == 'ppo'")


def test_several_matches_are_listed_and_none_is_guessed(log_root):
    """With what tells them apart, the newest first; the beginnings of ids count as much as parts of names."""
    with pytest.raises(RLAError) as caught:
        choose("sac", log_root)
    head, *lines = str(caught.value).splitlines()
    assert head == "'sac' fits 2 runs. Write the id of one, or more of its name:"
    assert lines == [
        "xyz3qqqq  2026-01-31 21:31:12  cart pole  finished  The First Try",
        "xyz2qqqq  2026-01-31 21:30:12  cart pole  finished  algo=sac seed=0",
    ]
    for text, count in (("abc", 2), ("2026-01-31", 6), ("walker", 2), ("xyz", 4)):
        with pytest.raises(RLAError, match=f"'{text}' fits {count} runs"):
            choose(text, log_root)


def test_a_long_list_of_matches_is_cut(tmp_path):
    """The newest twenty are shown."""
    for _ in range(23):
        with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none"):
            pass
    with pytest.raises(RLAError) as caught:
        choose("t/", tmp_path)
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[-1]) == (22, "... and 3 older ones")
    assert lines[1].startswith(rla.runs(tmp_path)[-1].id)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_text_is_a_mistake(text, log_root):
    """It fits all runs; an empty variable of a script must not choose the latest."""
    with pytest.raises(RLAError, match=r"the run is '.*', which fits all. Write an id, a part of a name, or latest"):
        choose(text, log_root)


def test_where_nothing_fits_it_says_where_it_looked_and_what_is_near(log_root, tmp_path, write_config, monkeypatch):
    """The log root and where it was taken from, the task, the filter; and near ids, titles, tasks and parameters."""
    with pytest.raises(RLAError) as caught:
        choose("the frist try", log_root)
    assert str(caught.value) == (
        f"none of the 6 runs in {log_root} has the id, the name or the time 'the frist try'. "
        "Near: 'The First Try'. See them all: rla runs"
    )
    for text, near in (("xyz2qqqz", "'xyz2qqqq'"), ("walkre", "'walker'"), ("algo=tf3", "'algo=td3'")):
        with pytest.raises(RLAError, match=f"Near: {near}"):
            choose(text, log_root)
    with pytest.raises(
        RLAError, match=r"no runs of the task 'walkr' in .* \(from --log-root\)\. Did you mean 'walker'\?"
    ):
        choose("latest", log_root, task="walkr")
    with pytest.raises(RLAError, match=r"Tasks there: 'cart pole', 'walker'\."):
        choose("latest", log_root, task="zzz")
    with pytest.raises(RLAError, match=r"none of the 4 runs of the task 'cart pole' in .* is one with seed == 7"):
        choose("latest", log_root, task="cart pole", where="seed == 7")
    with pytest.raises(ConfigError, match=r"no run has sed"):
        choose("latest", log_root, where="sed == 7")
    with pytest.raises(RLAError, match=r"there is no folder .*/nowhere \(from --log-root\)"):
        choose("latest", tmp_path / "nowhere")
    with pytest.raises(
        RLAError, match=r"/rla_data \(the default, since no rla_config.yaml was found from here upwards\)"
    ):
        choose("latest")
    config = write_config(tmp_path, "LOG_ROOT: elsewhere\n")
    with pytest.raises(RLAError, match=rf"no folder {tmp_path}/elsewhere \(LOG_ROOT in {config}\)"):
        choose("latest")
    write_config(tmp_path, "LOG_USED: csv\n")
    monkeypatch.setenv("RLA_CONFIG", str(config))
    with pytest.raises(RLAError, match=rf"rla_data \(the default beside {config}, which RLA_CONFIG names\)"):
        choose("latest")


def test_many_texts_choose_many_runs_each_once(log_root, numbers):
    """In the order of the texts; a pattern means all that fit; without texts the filter chooses."""
    assert numbers("latest", "algo=ppo&seed=0", "xyz5qqqq") == [5, 0]
    assert numbers("*ppo*", "td3") == [0, 1, 4]
    assert numbers("sac", many=True) == [2, 3]
    assert numbers(where="seed == 1") == [1, 3]
    assert numbers() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(RLAError, match="'sac' fits 2 runs"):
        numbers("latest", "sac")


def test_a_match_is_one_line(tmp_path):
    """Whatever stands in its parameters."""
    for seed in range(2):
        with rla.run(task="t", log_root=tmp_path, record=["text"], writers=["csv"], backup="none", text=f"a\n{seed}"):
            pass
    with pytest.raises(rla.RLAError) as caught:
        choose("text=a", tmp_path)
    assert len(str(caught.value).splitlines()) == 3
