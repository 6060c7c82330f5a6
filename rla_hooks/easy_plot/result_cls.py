"""What RLA's ``load_results`` returns of each run."""

from __future__ import annotations

from typing import Any


class Result:
    """A run: its folder, and its hyper-parameters, if they were read.

    >>> Result({"lr": 0.1}, "log/demo/2026").dirname
    'log/demo/2026'
    """

    hyper_param: Any = None
    dirname: Any = None

    def __init__(self, hyper_param: Any = None, dirname: Any = None):
        self.hyper_param, self.dirname = hyper_param, dirname


class CsvResult(Result):
    """A run with its rows: ``progress`` is a pandas DataFrame.

    >>> CsvResult(progress=[1, 2]).progress
    [1, 2]
    """

    monitor: Any = None
    progress: Any = None
    metadata: Any = None

    def __init__(
        self,
        monitor: Any = None,
        progress: Any = None,
        dirname: Any = None,
        metadata: Any = None,
        hyper_param: Any = None,
    ):
        super().__init__(hyper_param, dirname)
        self.monitor, self.progress, self.metadata = monitor, progress, metadata


class ImgResult(Result):
    """A run with the paths of its pictures by the patterns that they fit.

    >>> ImgResult(img_path_dict={"*.png": ["a.png"]}).img_path_dict
    {'*.png': ['a.png']}
    """

    img_path_dict: Any = None

    def __init__(self, hyper_param: Any = None, dirname: Any = None, img_path_dict: Any = None):
        super().__init__(hyper_param, dirname)
        self.img_path_dict = img_path_dict
