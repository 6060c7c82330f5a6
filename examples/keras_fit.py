"""A small convolutional network in Keras 3 learns to read digits, and every run of it is kept by rla_hooks.

    python examples/keras_fit.py                       # seconds
    python examples/keras_fit.py --lr 0.01 --info fast
    KERAS_BACKEND=torch python examples/keras_fit.py   # or jax

``RLACallback`` is all there is to tracking. The data are the 1797 digits of 8 x 8 pixels that come with scikit-learn,
https://doi.org/10.24432/C50P49.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import typer
from keras import layers
from matplotlib.figure import Figure
from rla_hooks.integrations.keras import RLACallback
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

import rla_hooks as rla
from rla_hooks.cli import print_run


def split_digits(seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images of shape (n, 8, 8, 1), from 0 to 1, and their digits, for training (60 %), validation and test."""
    digits = load_digits()
    images = (digits.images[..., None] / 16).astype(np.float32)
    x_train, x_rest, y_train, y_rest = train_test_split(images, digits.target, test_size=0.4, random_state=seed)
    x_val, x_test, y_val, y_test = train_test_split(x_rest, y_rest, test_size=0.5, random_state=seed)
    return {"train": (x_train, y_train), "val": (x_val, y_val), "test": (x_test, y_test)}


def network(width: int) -> keras.Model:
    """Two convolutions, and a layer of ten probabilities that is trained with dropout."""
    return keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(width, 3, activation="relu"),
            layers.Conv2D(2 * width, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax"),
        ]
    )


def plot_confusion(model: keras.Model, images: np.ndarray, digits: np.ndarray) -> Figure:
    """How often each digit was read as each other one."""
    counts = confusion_matrix(digits, model.predict_on_batch(images).argmax(-1), labels=range(10))
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axes.text(column, row, count, ha="center", va="center", color="white" if row == column else "black")
    right = np.trace(counts) / counts.sum()
    axes.set(xlabel="read as", ylabel="digit", xticks=range(10), yticks=range(10), title=f"{right:.1%} right")
    return figure


@rla.track(record=["info", "lr", "width"])
def main(
    info: str = "baseline",
    lr: float = 3e-3,
    width: int = 16,
    epochs: int = 30,
    batch_size: int = 64,
    patience: int = 6,
    seed: int = 1,
) -> float:
    """Train a network on digits, keep the run, and return the accuracy of its best checkpoint on the test set."""
    keras.utils.set_random_seed(seed)
    data = split_digits(seed)
    model = network(width)
    model.compile(keras.optimizers.Adam(lr), loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    def confusion(model: keras.Model, epoch: int, logs: dict[str, Any]) -> Figure:
        return plot_confusion(model, *data["val"])

    stop = keras.callbacks.EarlyStopping("val_accuracy", patience=patience)
    tracking = RLACallback("val_accuracy", max_to_keep=1, figures={"confusion": confusion}, figures_every=5)
    model.fit(
        *data["train"],
        epochs=epochs,
        batch_size=batch_size,
        validation_data=data["val"],
        verbose=2,
        callbacks=[stop, tracking],
    )
    run = rla.current_run()
    if run is None:  # with RLA_MODE=off there is nothing to load or to show
        return float(model.evaluate(*data["test"], verbose=0)[1])
    best_file = rla.latest_checkpoint(run, "best")
    best = keras.models.load_model(best_file)
    accuracy = best.evaluate(*data["test"], verbose=0, return_dict=True)["accuracy"]
    rla.save_figure("confusion_test", plot_confusion(best, *data["test"]))
    rla.log({"test/accuracy": accuracy}, step=int(model.optimizer.iterations))
    print(f"{best_file.name} reads {accuracy:.1%} of the digits that it has never seen")
    print_run(run.paths)
    return float(accuracy)


if __name__ == "__main__":
    typer.run(main)
