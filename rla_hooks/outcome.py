"""How a run ended, as it stands in run.json: ``status``, ``error``, ``signal``, ``reported``, ``notes``.

    "status": "failed", "error": "Traceback ...", "signal": null,
    "reported": true        so says a framework's hook, or a child process; the last word may still be another

All functions take the content of a run.json and change nothing but these keys.
"""

from __future__ import annotations

from typing import Any

from rla_hooks.endings import FAILED, PRUNED, RUNNING, SEVERITY, traceback_of
from rla_hooks.texts import iso_time

Report = tuple[Any, Any]  # the status and the error of one that was taken back


def note(
    content: dict[str, Any],
    status: str,
    error: BaseException | str | None = None,
    signal: str | None = None,
    revocable: bool = False,
) -> bool:
    """Set the status if it is worse than the present one; return whether it was."""
    if SEVERITY[status] <= SEVERITY[content["status"]]:
        if status == content["status"] and not revocable and content.get("reported"):
            if error is not None:
                add_error(content, status, error)  # a rank has told the reason, say, and this one what followed from it
            content["reported"] = False
        return False
    new: dict[str, Any] = {"status": status, "reported": revocable}
    new |= {} if error is None else {"error": traceback_of(error)}
    new |= {} if signal is None else {"signal": signal}
    content.update(new)  # at once: Ctrl-C may come at any line
    return True


def add_error(content: dict[str, Any], status: str, error: BaseException | str) -> bool:
    """Append the error of a further process that ended with the same status; return whether it says anything new."""
    before, text = content["error"], traceback_of(error)
    if status != content["status"] or not isinstance(before, str) or _last_line(text) in before:
        return False
    content.update({"error": f"{before}\n{text}", "reported": False})
    return True


def revoke(content: dict[str, Any], error: BaseException | str | None) -> tuple[Report, dict[str, str] | None] | None:
    """Take back a failure that was only reported, since the run itself did not fail: it ended by ``error``, or well.

    Return what was taken back, and a note that keeps it; no note if it is the error that ended the run. None if there
    is nothing to take back: an interrupted training was interrupted.
    """
    status, text = content["status"], content["error"]
    if not content.get("reported") or status not in (FAILED, PRUNED):
        return None
    is_same = error is not None and _last_line(traceback_of(error)) == _last_line(str(text))
    told = f"{status}, as was reported: {text or 'no error given'}"
    kept = None if is_same else {"time": iso_time(), "text": told}
    content.update({"status": RUNNING, "error": None, "ended": None, "seconds": None, "reported": False})
    return (status, text), kept


def news(own: dict[str, Any], noted: dict[str, Any], revoked: list[Report]) -> list[str]:
    """Return the keys of ``noted``, the file as another process may have left it, that are to be taken over."""
    status = noted.get("status", "")
    if noted.get("reported") and (status, noted.get("error")) in revoked:
        return []
    worse = SEVERITY.get(status, 0) - SEVERITY[own["status"]]
    error = noted.get("error")
    if worse == 0 and error:  # noted before, and maybe added to: there, or here
        worse = not str(own["error"]).startswith(str(error))
    return ["status", "error", "signal", "reported"] if worse > 0 else []


def _last_line(text: str) -> str:
    """Return the last line of a traceback, which names the error."""
    return text.rstrip().rpartition("\n")[2].strip()
