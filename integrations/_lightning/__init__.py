"""The parts of RLALogger and RLACallback for Lightning. None of them imports Lightning.

logger, callback: the methods that Lightning calls, joined with its classes in ``pytorch_lightning.py`` and
``lightning_pytorch.py``. metrics: what the callback measures, and into which row it goes. checkpoints: files and the
run's manifest. trainer: what a Trainer says about ranks, steps and namespaces.
"""
