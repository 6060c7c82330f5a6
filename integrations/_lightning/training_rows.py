"""The rows that RLACallback logs: learning rates, speed and figures; without an RLALogger the metrics, too."""

from __future__ import annotations

from typing import Any

from rla_hooks.integrations._lightning.logger import LoggerHooks
from rla_hooks.integrations._lightning.metrics import PendingRow, Throughput, learning_rates, log_row
from rla_hooks.integrations._lightning.trainer import logs_step, steps_taken

from rla_hooks.hooks import FigureCalls, Run, WarnOnce


class TrainingRows:
    """What one RLACallback logs. Of several in a run, each value is logged by the first that is to log it."""

    def __init__(self, log_lr: bool, log_throughput: bool, figures: FigureCalls):
        self._wants = {"lr": log_lr, "throughput": log_throughput, "metrics": True}
        self._logs = dict(self._wants)
        self._figures = figures
        self._throughput = Throughput()
        self._pending = PendingRow()

    def share(self, others: list[TrainingRows]) -> None:
        """Leave to others what they log; ``others``: those of this run, this one among them, in the Trainer's order."""
        for value, wanted in self._wants.items():
            self._logs[value] = wanted and next(each for each in others if each._wants[value]) is self

    def begin(self) -> None:
        """The training begins."""
        self._throughput = Throughput()

    def batch_ends(self, run: Run | None, trainer: Any, module: Any, batch: Any) -> None:
        """Log the row of a step, where it is due. ``run``: None on a rank that does not write."""
        if self._logs["throughput"]:
            self._throughput.count(batch)
        if run is None or not logs_step(trainer, module):
            return
        step = steps_taken(trainer)
        values = learning_rates(trainer) if self._logs["lr"] else {}
        if self._logs["throughput"]:
            values["time/samples_per_second"] = self._throughput.samples_per_second()
        if rla_logger(trainer) is None:
            log_row(run, trainer, values, step)
        elif values:
            self._pending.add(run, values, step, trainer.current_epoch)

    def flush(self, trainer: Any) -> None:
        """If the last step had no metrics, log what waits for them."""
        self._pending.flush(trainer.current_epoch)

    def epoch_ends(self, run: Run, trainer: Any, module: Any, warn: WarnOnce) -> None:
        """Log the rows of an epoch, and draw its figures."""
        self.flush(trainer)
        step = steps_taken(trainer) - 1
        if self._logs["throughput"]:
            log_row(run, trainer, {"time/seconds_per_epoch": self._throughput.seconds_per_epoch()}, step)
        self._figures.draw(run, step, trainer.current_epoch + 1, trainer, module, warn=warn)
        self.metrics(run, trainer, step)

    def metrics(self, run: Run, trainer: Any, step: int) -> None:
        """Log what the Trainer has gathered, if no RLALogger does."""
        if self._logs["metrics"] and rla_logger(trainer) is None:
            log_row(run, trainer, trainer.callback_metrics, step)


def rla_logger(trainer: Any) -> LoggerHooks | None:
    """Return the first RLALogger of a Trainer."""
    return next((each for each in trainer.loggers if isinstance(each, LoggerHooks)), None)
