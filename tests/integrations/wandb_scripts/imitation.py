"""Behaviour cloning of a scripted expert: training and validation by epochs, each over an axis of its own."""

import numpy as np
import wandb

EPOCHS, BATCH = 4, 32


def expert(states):
    return (states[:, 0] + 0.5 * states[:, 1] > 0).astype(int)


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


rng = np.random.default_rng(0)
train_x, val_x = rng.normal(size=(256, 2)), rng.normal(size=(64, 2))
train_y, val_y = expert(train_x), expert(val_x)

run = wandb.init(project="imitation", name="bc-linear", notes="a linear policy", job_type="train")
wandb.config.update({"lr": 0.5, "epochs": EPOCHS, "batch_size": BATCH})
wandb.define_metric("epoch")
wandb.define_metric("val/*", step_metric="epoch")
wandb.define_metric("val/accuracy", step_metric="epoch", summary="max")
weights = np.zeros((2, 2))

for epoch in range(EPOCHS):
    for start in range(0, len(train_x), BATCH):
        x, y = train_x[start : start + BATCH], train_y[start : start + BATCH]
        probs = softmax(x @ weights)
        loss = -np.log(probs[np.arange(len(y)), y]).mean()
        weights -= wandb.config.lr * x.T @ (probs - np.eye(2)[y]) / len(y)
        wandb.log({"train/loss": loss, "train/grad_norm": np.linalg.norm(probs - np.eye(2)[y])})
    probs = softmax(val_x @ weights)
    accuracy = (probs.argmax(axis=1) == val_y).mean()
    wandb.log({"val/accuracy": accuracy, "val/entropy": -(probs * np.log(probs + 1e-9)).sum(1).mean(), "epoch": epoch})

predicted = probs.argmax(1).tolist()
matrix = wandb.plot.confusion_matrix(y_true=val_y.tolist(), preds=predicted, class_names=["left", "right"])
wandb.log({"confusion": matrix, "weights": wandb.Histogram(weights)})
wandb.run.summary["final_accuracy"] = accuracy
print("best", wandb.run.summary["val/accuracy"]["max"])
wandb.finish()
