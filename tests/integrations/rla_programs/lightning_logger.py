"""A Lightning training whose metrics go to RLA through a logger class of the project's own."""

import os

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from RLA.easy_log import logger
from RLA.easy_log.const import *  # noqa: F403
from RLA.easy_log.tester import exp_manager
from RLA.easy_log.time_step import time_step_holder


class LightningRLALogger(Logger):
    def __init__(self, name_prefix: str | None = None):
        super().__init__()
        self.name_prefix = name_prefix

    @property
    def name(self):
        return "LightningRLALogger"

    @property
    def version(self):
        return "0.1"

    @rank_zero_only
    def log_hyperparams(self, params):
        pass

    @rank_zero_only
    def log_metrics(self, metrics, step):
        if self.name_prefix is not None:
            metrics = {f"{self.name_prefix}{key}": value for key, value in metrics.items()}
        for key, value in metrics.items():
            logger.logkv(key, value)
        time_step_holder.set_time(step)
        logger.dumpkvs()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def training_step(self, batch, index):
        loss = self.layer(batch[0]).square().mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    exp_manager.set_hyper_param(seed=2, info="lightning", width=3)
    exp_manager.add_record_param(["info", "seed"])
    exp_manager.configure("lightning", rla_config=os.path.join(root, "rla_config.yaml"), data_root=root)
    exp_manager.log_files_gen()
    exp_manager.print_args()
    pl.seed_everything(2)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(24, 3)), batch_size=4)
    model = Model()
    trainer = pl.Trainer(
        max_epochs=2,
        logger=LightningRLALogger("train/"),
        log_every_n_steps=2,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, data)
    exp_manager.new_saver(1)
    exp_manager.save_checkpoint({"model": model.state_dict()}, related_variable={"epoch": 2})
    with open(os.path.join(exp_manager.data_root, LOG, "last.txt"), "w") as file:  # noqa: F405
        file.write(exp_manager.log_dir)


if __name__ == "__main__":
    main()
