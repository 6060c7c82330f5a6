"""The parts of RLACallback for transformers. None of them imports transformers.

callback: the methods that a Trainer calls. describe: hyper-parameters. listing: its checkpoints in the run's manifest.
resume: which checkpoint a training goes on from. preemption: all ranks stop at the same step. trials: a search.
"""
