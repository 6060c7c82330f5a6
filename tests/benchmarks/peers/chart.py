"""The chart of what a step of 10 scalars costs, from the figures of make bench-peers.

python tests/benchmarks/peers/chart.py FIGURES.json docs/step_cost.png
"""

import json
import sys
from pathlib import Path

from adapters import ADAPTERS
from machine import in_words

SHOWN = ("csv", "rla_hooks", "summary_writer", "tensorboardx", "lightning")
OURS, OTHERS, INK, FAINT = "#1f6feb", "#b6bdc6", "#1f2328", "#6b7480"


def draw(figures, path):
    """Bars from zero on a scale that is not cut: how long a bar is, is what a step costs."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    found = {each["peer"]: each for each in figures["peers"] if "step_us" in each}
    names = [ADAPTERS[name].name for name in SHOWN if ADAPTERS[name].name in found]
    costs = [found[name]["step_us"] for name in names]
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(names) + 1.4), facecolor="white")
    colors = [OURS if "rla_hooks" in name else OTHERS for name in names]
    axes.barh(range(len(names)), costs, height=0.62, color=colors)
    for row, (name, cost) in enumerate(zip(names, costs)):
        weight = "bold" if "rla_hooks" in name else "normal"
        axes.annotate(
            f"{cost:.0f} µs" if cost >= 20 else f"{cost:.1f} µs",
            (cost, row),
            (6, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            weight=weight,
        )
    axes.set_yticks(range(len(names)), names, color=INK)
    for label, name in zip(axes.get_yticklabels(), names):
        label.set_weight("bold" if "rla_hooks" in name else "normal")
    axes.invert_yaxis()
    axes.set_xlim(0, max(costs) * 1.1)
    axes.xaxis.set_visible(False)
    axes.tick_params(length=0, labelsize=10.5, pad=8)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(OTHERS)
    figure.suptitle("How long a training waits for one step of 10 scalars", x=0.02, ha="left", size=13, color=INK)
    figure.text(0.02, 0.035, _small_print(figures["machine"]), size=8.5, color=FAINT)
    figure.tight_layout(rect=(0, 0.11, 1, 1))
    figure.savefig(path, dpi=150, metadata={"Software": None})
    plt.close(figure)


def _small_print(machine):
    return f"The median of 2,000 steps, the best of 3 runs; less is better.\n{in_words(machine)}"


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
