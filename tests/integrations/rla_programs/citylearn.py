"""An evaluation without an experiment: the logger alone, in a folder that the script names."""

import numpy as np
import pandas as pd
from RLA.easy_log import logger

logger.configure("./rla_logs")
logger.info("the environment: phase_2, 24 steps")
loads = np.random.RandomState(0).normal(5, 1, [24, 2])
for hour in range(24):
    logger.logkv("load", loads[hour].sum())
    logger.logkv_mean("load_mean", loads[hour].mean())
    logger.dump_tabular()
kpis = pd.DataFrame(loads, columns=["a", "b"]).agg(["mean", "max"]).round(3)
logger.info("the result:")
logger.logkv("kpi_results", kpis.to_dict())
logger.logkv("kpi_table", kpis)
logger.dump_tabular()
print("folder", logger.get_dir())
