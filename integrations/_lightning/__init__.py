"""The parts of RLALogger and RLACallback for Lightning. None of them imports Lightning.

logger, callback: the methods that Lightning calls, combined with its classes in ``pytorch_lightning.py`` and
``lightning_pytorch.py``. metrics: what the callback measures, and in which row it is logged. checkpoints: files and the
run's manifest. trainer: reads ranks, steps and namespace from a Trainer. torch_graph: the module's graph.
"""
