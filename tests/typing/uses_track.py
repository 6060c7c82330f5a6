"""What type checkers make of ``@rla.track``: mypy checks this file with the package, and nothing runs it."""

from __future__ import annotations

from typing_extensions import assert_type

import rla_hooks as rla


@rla.track
def plain(lr: float = 0.1, steps: int = 3) -> float:
    return lr * steps


@rla.track(record=["lr"], resume="auto", allow=["steps"])
def with_options(lr: float = 0.1, *, steps: int = 3) -> list[int]:
    return [steps]


@rla.track(task="later")
async def later(lr: float) -> str:
    return str(lr)


async def call_later() -> None:
    assert_type(await later(0.1), str)
    assert_type(await later.resume("k3xq7aod"), str)


class Trainer:
    @rla.track
    def fit(self, lr: float) -> int:
        return 3


assert_type(plain(0.1, steps=3), float)
assert_type(with_options(0.1, steps=4), "list[int]")
assert_type(Trainer().fit(0.1), int)
assert_type(Trainer.fit(Trainer(), 0.1), int)
assert_type(plain.resume("k3xq7aod", steps=5, allow=["steps"]), float)
assert_type(Trainer.fit.resume("k3xq7aod", Trainer(), from_start=True), int)
assert_type(plain.__name__, str)

plain("0.1")  # type: ignore[arg-type]
plain.resume()  # type: ignore[call-arg]

with rla.run("task", resume=rla.runs()[-1], allow="steps", same_code=True, lr=0.1) as run:
    assert_type(run.is_resumed, bool)
