"""The labels of an open run: what people note about it, in labels.json."""

from __future__ import annotations

from rla_hooks import labels
from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership
from rla_hooks.labels import Labels


class RunLabels:
    """Changes labels.json. What is wrong with a label, and a disk that fails, gives one warning."""

    def __init__(self, ownership: Ownership, guard: Guard):
        self._ownership, self._guard = ownership, guard

    def save(self, new: Labels, remove: list[str] | None = None, append: bool = False) -> None:
        """Change labels.json: see :func:`rla_hooks.labels.change`."""
        paths = self._ownership.paths
        if paths is not None and self._ownership.is_writing and (new or remove):
            with self._guard.warn_on_error("labels.json"):
                labels.change(paths.labels_json, new, remove or (), append)

    def tag(self, *tags: str) -> None:
        """Add tags to the run, by which people find it; ``-bad`` removes the tag ``bad``. What runs, goes on.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none", tags=["new"]) as run:
        ...     run.tag("diverged", "-new")
        >>> rla.runs()[-1].tags
        ['diverged']
        """
        added = [tag for tag in tags if not (isinstance(tag, str) and tag.startswith("-"))]
        self.save(Labels(added), [tag[1:] for tag in tags if isinstance(tag, str) and tag.startswith("-")])

    def set_note(self, note: str, append: bool = False) -> None:
        """Set the run's note, a text of any number of lines; '' removes it. append: add a line to what is there.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none", note="a first try") as run:
        ...     run.set_note("too slow", append=True)
        >>> rla.runs()[-1].note
        'a first try\\ntoo slow'
        """
        self.save(Labels(note=note), append=append)

    def set_title(self, title: str) -> None:
        """Set the run's title, a line for people and plots; '' removes it.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
        ...     run.set_title("PPO, small nets")
        >>> rla.runs()[-1].title
        'PPO, small nets'
        """
        self.save(Labels(title=title))
