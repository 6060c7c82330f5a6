"""What run.json says of the lives of a run that was resumed."""

from __future__ import annotations

from rla_hooks.restarts import new_life


def test_errors_of_lives_long_ago_are_short():
    """A run that fails and is resumed a hundred times must not drag a hundred tracebacks along."""
    content = {"status": "failed", "started": "2026-01-31T12:00:00+00:00", "rows": 3}
    for number in range(100):
        content |= {"status": "failed", "error": "x" * 5000 + f"error {number}"}
        content = new_life(content, {"host": "node", "pid": number}, "failed", reason="auto")
    errors = [entry["error"] for entry in content["restarts"]]
    assert [len(error) for error in errors] == [200] * 99 + [2000]
    assert all(error.endswith(f"error {number}") for number, error in enumerate(errors))
