"""Each peer as its documentation begins with it: how a training logs with it, and how its rows are read back.

To add one, write a class here: ``installs`` (peers that install the same share an environment), ``track(folder,
training)``, which calls ``training(log)`` with a function ``log(step, row)``, and ``read(folder)``, which gives for
each of the peer's stores (step, key, value) of all scalars found there, by the peer's own reader where it has one.
VARIABLES has what its process is told: no network, no telemetry. What is imported is imported inside of functions.
"""

import csv
import json
import time
from pathlib import Path

import readers

LOGGERS = ("torch", "tensorboard", "tensorboardX", "lightning", "stable-baselines3")  # they need each other, or torch


class Csv:
    name, package, installs = "csv.writer with flush", None, LOGGERS

    @staticmethod
    def track(folder, training):
        with open(folder / "rows.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "timestamp", *(f"metric_{number}" for number in range(10))])

            def log(step, row):
                writer.writerow([step, time.time(), *row.values()])
                file.flush()

            training(log)

    @staticmethod
    def read(folder):
        return {"csv": readers.csv_rows(folder / "rows.csv", "step")}


class RlaHooks:
    name, package, installs = "rla_hooks (csv + TensorBoard)", "rla_hooks", LOGGERS

    @staticmethod
    def track(folder, training):
        import rla_hooks as rla

        run = rla.start(log_root=folder, backup="none", writers=["csv", "tensorboard"])
        training(lambda step, row: rla.log(row, step=step))
        run.finish()

    @staticmethod
    def read(folder):
        (rows,) = folder.rglob("progress.csv")
        return {"csv": readers.csv_rows(rows, "time-step"), "TensorBoard": readers.events(folder)}


class TorchSummaryWriter:
    name, package, installs = "torch's SummaryWriter", "torch", LOGGERS

    @staticmethod
    def _writer(folder):
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(folder))

    @classmethod
    def track(cls, folder, training):
        with cls._writer(folder) as writer:

            def log(step, row):
                for key, value in row.items():
                    writer.add_scalar(key, value, step)

            training(log)

    @staticmethod
    def read(folder):
        return {"TensorBoard": readers.events(folder)}


class TensorboardX(TorchSummaryWriter):
    name, package = "tensorboardX", "tensorboardX"

    @staticmethod
    def _writer(folder):
        from tensorboardX import SummaryWriter

        return SummaryWriter(str(folder))


class Lightning:
    name, package, installs = "Lightning's CSVLogger + TensorBoardLogger", "lightning", LOGGERS

    @staticmethod
    def track(folder, training):
        from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

        loggers = [CSVLogger(folder, "csv"), TensorBoardLogger(folder, "tensorboard")]

        def log(step, row):
            for logger in loggers:  # what Lightning's Trainer does for each row (version 2.6)
                logger.log_metrics(row, step)
                logger.save()

        training(log)
        for logger in loggers:
            logger.finalize("success")

    @staticmethod
    def read(folder):
        (rows,) = folder.rglob("metrics.csv")
        return {"csv": readers.csv_rows(rows, "step"), "TensorBoard": readers.events(folder)}


class StableBaselines3:
    name, package, installs = "SB3's logger (csv + TensorBoard)", "stable-baselines3", LOGGERS

    @staticmethod
    def track(folder, training):
        from stable_baselines3.common.logger import configure

        logger = configure(str(folder), ["csv", "tensorboard"])

        def log(step, row):
            for key, value in row.items():
                logger.record(key, value)
            logger.dump(step)

        training(log)
        logger.close()

    @staticmethod
    def read(folder):
        # Its csv has no column for the step.
        return {"csv": readers.csv_rows(folder / "progress.csv", None), "TensorBoard": readers.events(folder)}


class Wandb:
    name, package, installs = "W&B, offline", "wandb", ("wandb",)

    @staticmethod
    def track(folder, training):
        import wandb

        with wandb.init(project="bench", dir=folder) as run:
            training(lambda step, row: run.log(row, step=step))

    @staticmethod
    def read(folder):
        (path,) = folder.rglob("*.wandb")
        return {"run file": readers.wandb_history(path)}


class Mlflow:
    name, package, installs = "MLflow, files", "mlflow-skinny", ("mlflow-skinny",)

    @staticmethod
    def track(folder, training):
        import mlflow

        mlflow.set_tracking_uri((folder / "mlruns").as_uri())
        with mlflow.start_run():
            training(lambda step, row: mlflow.log_metrics(row, step=step))

    @staticmethod
    def read(folder):
        import mlflow

        client = mlflow.MlflowClient((folder / "mlruns").as_uri())
        (run,) = client.search_runs(["0"])
        histories = (client.get_metric_history(run.info.run_id, key) for key in run.data.metrics)
        return {"files": ((each.step, each.key, each.value) for history in histories for each in history)}


class Aim:
    name, package, installs = "Aim", "aim", ("aim",)

    @staticmethod
    def track(folder, training):
        import aim

        run = aim.Run(repo=str(folder))
        training(lambda step, row: run.track(row, step=step))
        run.close()

    @staticmethod
    def read(folder):
        import aim

        def scalars():
            repo = aim.Repo(str(folder))
            for identity in repo.list_all_runs():
                # Opened to go on with it; opened to read, a run of another process has no metrics (version 3.29).
                for metric in aim.Run(identity, repo=repo, system_tracking_interval=None).metrics():
                    steps, (values, *_) = metric.data.items_list()
                    yield from ((int(step), metric.name, float(value)) for step, value in zip(steps, values))

        return {"repo": scalars()}


class Dvclive:
    name, package, installs = "DVCLive", "dvclive", ("dvclive",)

    @staticmethod
    def track(folder, training):
        from dvclive import Live

        with Live(str(folder / "dvclive"), save_dvc_exp=False, dvcyaml=False) as live:

            def log(step, row):
                live.step = step
                for key, value in row.items():
                    live.log_metric(key, value)
                live.next_step()

            training(log)

    @staticmethod
    def read(folder):
        files = sorted(folder.rglob("*.tsv"))
        return {"tsv": (each for path in files for each in readers.csv_rows(path, "step", "\t"))}


class Trackio:
    name, package, installs = "Trackio, local", "trackio", ("trackio",)

    @staticmethod
    def track(folder, training):
        import trackio

        trackio.init("bench", name="run", embed=False)
        training(lambda step, row: trackio.log(row, step=step))
        trackio.finish()

    @staticmethod
    def read(folder):
        from trackio.sqlite_storage import SQLiteStorage

        rows = SQLiteStorage.get_logs("bench", "run")
        return {"sqlite": ((row["step"], *item) for row in rows for item in row.items())}


class Sacred:
    name, package, installs = "Sacred, FileStorage", "sacred", ("sacred", "setuptools<81")  # it imports pkg_resources

    @staticmethod
    def track(folder, training):
        from sacred import Experiment
        from sacred.observers import FileStorageObserver

        experiment = Experiment("bench", save_git_info=False)
        experiment.observers.append(FileStorageObserver(folder / "runs"))

        @experiment.main
        def main(_run):
            def log(step, row):
                for key, value in row.items():
                    _run.log_scalar(key, value, step)

            training(log)

        experiment.run()

    @staticmethod
    def read(folder):
        paths = list(folder.rglob("metrics.json"))  # written every ten seconds, and at the end
        metrics = json.loads(Path(paths[0]).read_text()) if paths else {}
        found = (
            (step, key, value) for key, each in metrics.items() for step, value in zip(each["steps"], each["values"])
        )
        return {"json": found}


class Clu:
    name, package, installs = "CLU, metric_writers", "clu", ("clu", "tensorflow", "tensorboard")

    @staticmethod
    def track(folder, training):
        from clu import metric_writers

        writer = metric_writers.create_default_writer(str(folder))
        training(writer.write_scalars)
        writer.close()

    @staticmethod
    def read(folder):
        return {"TensorBoard": readers.events(folder)}


ADAPTERS = {
    "csv": Csv,
    "rla_hooks": RlaHooks,
    "summary_writer": TorchSummaryWriter,
    "tensorboardx": TensorboardX,
    "lightning": Lightning,
    "sb3": StableBaselines3,
    "wandb": Wandb,
    "mlflow": Mlflow,
    "aim": Aim,
    "dvclive": Dvclive,
    "trackio": Trackio,
    "sacred": Sacred,
    "clu": Clu,
}
# {folder} is the folder of ``track`` and ``read``.
VARIABLES = {
    "wandb": {"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"},
    "mlflow": {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
    "dvclive": {"DVC_NO_ANALYTICS": "true"},
    "trackio": {
        "TRACKIO_DIR": "{folder}",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
    },
    "clu": {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
}
