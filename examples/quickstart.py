"""RLA's quickstart in its own words: only the import lines say rla_hooks.

python examples/quickstart.py
"""

from rla_hooks.easy_log import logger
from rla_hooks.easy_log.simple_mat_plot import *
from rla_hooks.easy_log.tester import tester

# 1. the experiment: where it belongs, and its hyper-parameters
kwargs = {"hp_a": 1, "hp_b": 2, "info": "description of the experiment"}
tester.configure(task_name="demo_task")
tester.set_hyper_param(**kwargs)
tester.add_record_param(["info", "hp_a"])  # these stand in the run's name

# 2. the folders, the code and the parameters
tester.log_files_gen()
tester.print_args()

# 3. checkpoints, metrics, figures
tester.new_saver(var_prefix="", max_to_keep=1)
rewards = []
for step in range(100):
    tester.time_step_holder.set_time(step)
    reward = 10 * step / (step + 20)
    rewards.append(reward)
    logger.record_tabular("performance/reward", reward)
    logger.dump_tabular()
    if step % 50 == 49:
        tester.save_checkpoint(related_variable={"rewards": rewards})
step, _ = tester.load_checkpoint()
simple_plot(name="test_plot", data=[rewards], xlabel="time step", ylabel="reward")
logger.info(f"the newest checkpoint is of step {step}")
tester.print_log_dir()
