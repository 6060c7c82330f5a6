"""The paper's figures and table from the runs of examples/sweep.py, in the folder where these lie.

python examples/sweep.py
python examples/sweep_and_plot.py         # sweep.pdf, sweep.md, sweep.tex
"""

import rla_hooks as rla
from rla_hooks.plot import save_pages

runs = rla.runs(task="sweep")
curves = rla.plot_curves(runs, "perf/mean", by="lr")
profile = rla.plot_profiles(runs, "perf/mean", by="lr")
intervals = rla.plot_intervals(runs, "perf/mean", by="lr")
save_pages([curves, profile, intervals], "sweep.pdf")
table = rla.score_table(runs, "perf/mean", by="lr", threshold=150)
table.save("sweep.md")
table.save("sweep.tex")
print(table)
