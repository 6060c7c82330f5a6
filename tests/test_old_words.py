"""RLA's words that have another name here say it once."""

import rla_hooks.testing
from rla_hooks.old_words import tell_modern_name


def test_a_word_is_told_once(capfd):
    """Each for itself, on stderr, and anew after a reset."""
    rla_hooks.testing.reset()
    tell_modern_name("plot_func", "rla.plot_curves")
    tell_modern_name("plot_func", "rla.plot_curves")
    tell_modern_name("DeleteLogTool", "rla rm")
    said = capfd.readouterr()
    assert said.out == ""
    assert [line.split(" in ")[0] for line in said.err.splitlines()] == [
        "rla: plot_func is rla.plot_curves",
        "rla: DeleteLogTool is rla rm",
    ]
    rla_hooks.testing.reset()
    tell_modern_name("plot_func", "rla.plot_curves")
    assert "plot_func" in capfd.readouterr().err


def test_only_the_rank_that_writes_tells(capfd, monkeypatch):
    """A job of 64 processes says it once."""
    rla_hooks.testing.reset()
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    tell_modern_name("plot_func", "rla.plot_curves")
    assert capfd.readouterr().err == ""


def test_a_closed_stderr_is_no_trouble(monkeypatch):
    """As under pythonw, or after sys.stderr.close()."""
    rla_hooks.testing.reset()
    monkeypatch.setattr("sys.stderr", None)
    tell_modern_name("plot_func", "rla.plot_curves")
