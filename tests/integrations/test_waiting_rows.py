"""LOG_WAIT: false in real fits: every row is there, and in order, whatever ends the fit, and when it is resumed."""

from __future__ import annotations

import pytest

import rla_hooks as rla
from rla_hooks import devices

FAILS_AT = 35  # the step; by then more rows wait than may


class Value:
    """A tensor on a device."""

    def __init__(self, value):
        self.value = value


class SlowDevice:
    """A family of values that come only when somebody waits for them. ``most``: how many waited at a time."""

    def __init__(self):
        self.waiting, self.most = set(), 0

    def holds(self, value):
        return True

    def fetch(self, values, at_once):
        return _Arriving(self, [each.value for each in values])


class _Arriving:
    def __init__(self, device, values):
        self.device, self.values = device, values
        device.waiting.add(self)
        device.most = max(device.most, len(device.waiting))

    def ready(self):
        return False

    def result(self):
        self.device.waiting.discard(self)
        return self.values


@pytest.fixture
def device(monkeypatch):
    device = SlowDevice()
    monkeypatch.setitem(devices._families, Value, device)
    return device


@pytest.fixture
def compare(here, device, read_rows):
    """Trains twice, without and with LOG_WAIT: false; each time it looks, the same rows must be on the disk."""
    config = here.parent / "rla_config.yaml"
    given = config.read_text()

    def compare(train):
        found = []
        for wait in (True, False):
            root = here / f"wait-{wait}"
            config.write_text(f"LOG_WAIT: {str(wait).lower()}\n{given.replace(str(here / 'root'), str(root))}")
            device.most, looks = 0, []
            train(lambda looks=looks, root=root: looks.append(_rows(root, read_rows)))
            assert not device.waiting
            assert (device.most == 1) if wait else (device.most > 20), "of the 64 rows that wait, most are the fit's"
            found.append(looks)
        assert found[0] == found[1]
        return found[1]

    return compare


def _rows(root, read_rows):
    """The rows of all runs, oldest first; without what tells the time."""
    times = ("timestamp", "time/")
    files = [run.paths.progress_csv for run in rla.runs(root)]
    return [[{key: row[key] for key in row if not key.startswith(times)} for row in read_rows(file)] for file in files]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_of_lightning(namespace, compare, end_of_process, error):
    """The rows of an error or Ctrl-C are on the disk before the process ends; the fit goes on from its checkpoint."""

    def train(look):
        def act(module):
            module.logger.log_metrics({"late": Value(module.global_step)}, module.global_step)
            if module.global_step == FAILS_AT and not failed:
                failed.append(True)
                raise error

        failed, logger = [], namespace.RLALogger()
        for ckpt_path in (None, "last"):
            callback = namespace.RLACallback(save_last=True, every_n_epochs=8, log_throughput=False)
            trainer = namespace.trainer(logger=logger, callbacks=[callback], max_epochs=12, limit_val_batches=1)
            module = namespace.Module(at="training_step", act=act)
            if ckpt_path is None:
                with pytest.raises((ValueError, KeyboardInterrupt, SystemExit)):
                    trainer.fit(module)
            else:
                trainer.fit(module, ckpt_path=ckpt_path)
            look()
        end_of_process()
        look()

    (failed,), (resumed,), (ended,) = compare(train)
    late = [int(row["late"]) for row in failed if "late" in row]
    assert late == [*range(FAILS_AT + 1)]
    late = [int(row["late"]) for row in resumed if "late" in row]
    assert late == [*range(FAILS_AT + 1), *range(32, 48)], "the checkpoint is of the eighth epoch of four steps"
    assert resumed == ended


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_of_keras(keras, compare, error):
    """Keras tells nobody of an error: the end of the run writes the rows. The next run resumes."""

    class Late(keras.keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            step = keras.iterations(self.model)
            rla.log({"late": Value(step)}, step)
            if step == FAILS_AT and not failed:
                failed.append(True)
                raise error

    failed = []

    def train(look):
        failed.clear()
        for resume in (False, True):
            try:
                with rla.run(task="t"):
                    callback = keras.RLACallback("loss", "max", log_every="batch", resume=resume, save_every=10)
                    keras.fit(keras.model(), Late(), callback, epochs=14)
            except error:
                assert not resume
            look()

    (first,), (same, resumed) = compare(train)
    assert same == first
    batches = [(row["time-step"], "late" in row) for row in first if "epoch" not in row]
    pairs = [(str(step), late) for step in range(1, FAILS_AT + 1) for late in (True, False)]
    assert batches == pairs[:-1], "the callback that fails comes before RLACallback"
    assert [int(row["late"]) for row in resumed if "late" in row] == [*range(31, 43)]
