"""Parts of the hook for Stable-Baselines3.

logger       the writer that is added to SB3's loggers, and an SB3 logger that writes to a run
checkpoints  when and what is saved, by SB3's own methods
whole_state  the whole state of a training, by the run
describe     the hyper-parameters of algorithm, policy and environment
"""
