"""A sweep of short CartPole runs on a local Ray: the same rows as in threads of one process."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("ray")
pytest.importorskip("gymnasium")

PROGRAM = """
import json, os
from concurrent.futures import ThreadPoolExecutor
import gymnasium, numpy
import rla_hooks as rla

FLAG, ROOT = os.path.abspath("failed"), os.path.abspath("root")


@rla.track(task="cartpole", log_root=ROOT, record=["epsilon", "seed"], writers=["csv"], backup="none")
def main(epsilon, seed, episodes=3):
    env, chance = gymnasium.make("CartPole-v1"), numpy.random.default_rng(seed)
    for episode in range(episodes):
        state, _ = env.reset(seed=seed + 100 * episode)
        total, is_over = 0.0, False
        while not is_over:
            action = int(chance.random() < 0.5) if chance.random() < epsilon else int(state[2] > 0)
            state, reward, terminated, truncated, _ = env.step(action)
            total, is_over = total + reward, terminated or truncated
        rla.log({"perf/return": total}, step=episode)
        if seed == 2 and epsilon == 0.5 and episode == 1 and not os.path.exists(FLAG):
            open(FLAG, "w").close()
            raise ValueError("boom")
    return total


if __name__ == "__main__":
    found = {}
    for name, options in {"ray": {"on": "ray", "jobs": 2}, "threads": {"on": ThreadPoolExecutor(2)}}.items():
        settings = {"epsilon": [0.1, 0.5], "seed": range(3)}
        runs = rla.sweep(main, settings, group=name, retries=1 if name == "ray" else 0, **options)
        rows = [(*run.hparams.values(), run.columns()["perf/return"].values.tolist()) for run in runs]
        found[name] = [rows, [run.status for run in runs], [len(run.restarts) for run in runs]]
    print(json.dumps(found))
"""


def test_ray_gives_the_same_rows(tmp_path):
    """A run that has failed is tried again in the same run, whatever worker of Ray has it then."""
    (tmp_path / "train.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    on_ray, statuses, restarts = found["ray"]
    assert on_ray == found["threads"][0] and len(on_ray) == 6 and all(len(rows) == 3 for *_, rows in on_ray)
    assert statuses == ["finished"] * 6 and sorted(restarts) == [0, 0, 0, 0, 0, 1]
    assert "on ray, 2 at once: 6 new" in done.stderr and "ValueError: boom. It is tried again" in done.stderr
