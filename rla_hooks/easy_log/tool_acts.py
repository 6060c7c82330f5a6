"""What RLA's tools over many runs do with a plan: show it, ask, carry it out, and say how it is taken back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rla_hooks.layout import LOG
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import counted, printable, shell_path

if TYPE_CHECKING:
    from rla_hooks.upkeep.planning import Plan


def ask_and_carry_out(plan: Plan, asked: str, skip_ask: bool) -> int:
    """Show a plan, ask unless ``skip_ask``, and carry it out; return how many folders and files it has moved.

    asked: the words for it, for the journal of the log root. Runs that are refused are left as they are, and listed.
    """
    from rla_hooks.upkeep.acting import WORDS, carry_out
    from rla_hooks.upkeep.planning import listed_refusals

    word, count = WORDS[plan.kind], counted(len(plan.items), "run")
    trees = dict.fromkeys(part.source.partition("/")[0] for item in plan.items for part in item.parts)
    for item in plan.items:
        print(f"found {printable(item.name)}")
    _print_left(listed_refusals(plan.refused))
    if not plan.items or not (skip_ask or answers_yes(f"{count} will be {word} ({', '.join(trees)}). Go on?")):
        print(f"nothing was {word}")
        return 0
    act = carry_out(plan, asked=asked)
    _print_left(act.problems)
    back = f"rla undo {act.number} --log-root {shell_path(act.log_root)} takes it back"
    print(f"{counted(len(act.runs), 'run')} {word}: {back}")
    done = {run.name for run in act.runs}
    return sum(len(item.parts) for item in plan.items if item.name in done)


def _print_left(lines: Iterable[str]) -> None:
    for line in lines:
        print(f"left as it is: {printable(line)}")


def answers_yes(question: str) -> bool:
    """Ask at the terminal, or a pipe such as that of ``yes``; the end of the input is a no."""
    try:
        return input(f"{question} (y/n) ").strip().casefold() in ("y", "yes")
    except EOFError:
        print()
        return False


def of_trees(plan: Plan, trees: set[str]) -> Plan:
    """Return the plan for what some trees have of its runs: all of these go, and the rest stays."""
    from rla_hooks.upkeep.planning import COLLECT, DELETE, plan_items

    items = []
    for item in plan.items:
        parts = tuple(part for part in item.parts if part.source.partition("/")[0] in trees)
        if parts:
            items.append(item._replace(parts=parts, files=0, bytes=0))  # which are counted again
    return plan_items(plan.log_root, DELETE if LOG in trees else COLLECT, items, plan.refused, plan.running)


def ask_and_print(runs: Iterable[SavedRun], skip_ask: bool) -> None:
    """Print what each of the runs has said, after a question for each unless ``skip_ask``.

    That is backup.txt, where RLA put all of it, or log.txt.
    """
    for run in runs:
        print(f"view experiments: {printable(run.log_dir)}")
        if skip_ask or answers_yes("Print it?"):
            _print_text(run)


def _print_text(run: SavedRun) -> None:
    for file in (run.log_dir / "backup.txt", run.paths.log_txt):
        if file.is_file():  # and no pipe, which would never end
            with open(file, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    print(printable(line.rstrip("\n")))
            return
    print("it has no backup.txt and no log.txt")
