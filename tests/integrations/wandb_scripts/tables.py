"""An evaluation that shows what an agent does: tables of episodes, pictures, videos, charts, a page."""

import numpy as np
import wandb

rng = np.random.default_rng(0)


def frames(length):
    video = np.zeros((length, 3, 16, 16), dtype=np.uint8)
    for t in range(length):
        video[t, :, t % 16, :] = 255
    return video


with wandb.init(project="evaluation", job_type="eval") as run:
    table = wandb.Table(columns=["episode", "return", "last frame"])
    returns = []
    for episode in range(3):
        clip = frames(4 + episode)
        returns.append(float(rng.normal(100, 10)))
        table.add_data(episode, returns[-1], wandb.Image(clip[-1].transpose(1, 2, 0), caption=f"episode {episode}"))
        run.log({"eval/return": returns[-1], "eval/video": wandb.Video(clip, fps=4, format="gif")})
    table.add_column("solved", [value > 95 for value in returns])
    images = [wandb.Image(rng.integers(0, 255, (8, 8, 3)).astype(np.uint8), caption=str(i)) for i in range(2)]
    points = wandb.Table(data=[[i, value] for i, value in enumerate(returns)], columns=["episode", "return"])
    series = wandb.plot.line_series(xs=[0, 1, 2], ys=[returns, sorted(returns)], keys=["as is", "sorted"])
    run.log(
        {
            "episodes": table,
            "samples": images,
            "chart/line": wandb.plot.line(points, "episode", "return", title="Returns"),
            "chart/bar": wandb.plot.bar(points, "episode", "return"),
            "chart/scatter": wandb.plot.scatter(points, "episode", "return"),
            "chart/histogram": wandb.plot.histogram(points, "return"),
            "chart/series": series,
            "report": wandb.Html("<h1>Report</h1>"),
            "cloud": wandb.Object3D(rng.normal(size=(10, 3))),
            "actions": wandb.Histogram(rng.integers(0, 4, 100)),
        }
    )
    print(table.get_column("solved"), len(table.data))
