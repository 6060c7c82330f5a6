"""How much memory stays for each step of a training, by tracemalloc, which sees all that is Python's."""

import gc
import tracemalloc

STEPS, PARTS = 2_000, 4
_FIRST = STEPS // 2  # the first look: by then, all that comes late is there
_EVERY = (STEPS - _FIRST) // PARTS


class Growth:
    """Looks at the memory in the second half of ``STEPS`` steps.

    The figure is the least growth of several parts of them: what stays for each step stays in every part, while caches
    and buffers grow once, and in ever fewer parts.
    """

    def __init__(self):
        self._seen = []
        tracemalloc.start()  # from the first step on: what replaces an untraced object would look like growth

    def after(self, steps):
        """To be called after each step."""
        if steps >= _FIRST and steps % _EVERY == 0:
            gc.collect()
            self._seen.append(tracemalloc.get_traced_memory()[0])

    def bytes_a_step(self):
        tracemalloc.stop()
        assert len(self._seen) == PARTS + 1, self._seen
        return min(last - first for first, last in zip(self._seen, self._seen[1:])) / _EVERY
