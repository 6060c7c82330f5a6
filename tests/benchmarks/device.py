"""What rows of ten scalars that live on a GPU cost a training step. Without a GPU it says so.

    python tests/benchmarks/device.py            torch, and JAX where it has a GPU
    python tests/benchmarks/device.py torch

Each way to log runs in turn with the same steps without logging, and every turn ends when the device has finished and
all rows are written; a figure is the median over the turns, each against the bare steps of its round. A step that the
device is busy with (the graph, the large transformer) pays only for what the device waits for; one whose time goes into
launching from Python (the small transformer) pays for all that the host does.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
ROUNDS = 30
NAMES = [f"train/metric_{i}" for i in range(10)]
GOALS = {"wait=False": "at most 40 us", "rows": "at most 0.5 of ten .item()"}


def main(names):
    names = names or ["torch", "jax"]
    found = [name for name in names if _has_gpu(name)]
    if not found:
        print("No GPU is found by torch or JAX: there is nothing to measure here.")
        return
    import rla_hooks as rla

    with tempfile.TemporaryDirectory() as folder:
        for name in found:
            for title, steps, step, finish in STEPS[name]():
                with rla.run(task="device", log_root=folder, writers=["csv", "tensorboard"], backup="none") as run:
                    _table(title, _measure(_ways(name, run, Path(folder)), steps, step, finish, run))


def _has_gpu(name):
    try:
        if name == "torch":
            import torch

            return torch.cuda.is_available()
        import jax

        return jax.default_backend() == "gpu"
    except (ImportError, RuntimeError):
        return False


def _ways(name, run, folder):
    """By its name, what is done with the ten values of a step."""
    ways = {
        "nothing": lambda values, step: None,
        "rows": run.log,
        "wait=False": lambda values, step: run.log(values, step, wait=False),
        ".item(), no rows": lambda values, step: {key: value.item() for key, value in values.items()},
        ".item(), then rows": lambda values, step: run.log({key: value.item() for key, value in values.items()}, step),
        "rows of numbers": lambda values, step: run.log(NUMBERS, step),
    }
    if name == "torch":
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(folder / "torch"))

        def add_scalars(values, step):
            for key, value in values.items():
                writer.add_scalar(key, value, step)

        ways["SummaryWriter"] = add_scalars
    return ways


NUMBERS = {name: 1 / (i + 3) for i, name in enumerate(NAMES)}


def _measure(ways, steps, step, finish, run):
    """The milliseconds a step of each way, of each round."""
    costs = {way: [] for way in ways}
    count, order = 0, list(ways)
    for turn in range(ROUNDS + 1):
        order.append(order.pop(0))  # nobody always comes after the same other one
        for way in order:
            log = ways[way]
            finish()
            start = time.perf_counter()
            for _ in range(steps):
                values = step()
                log(values, count)
                count += 1
            finish()
            run.logger.flush()
            if turn:  # the first one warms up
                costs[way].append((time.perf_counter() - start) / steps * 1e3)
    return costs


def _table(title, costs):
    bare = statistics.median(costs["nothing"])
    references = [_added(costs, way) for way in (".item(), no rows", ".item(), then rows")]
    print(f"\n{title}: {bare:.3f} ms a step without logging")
    print(f"{'ten scalars a step':22}{'ms a step':>11}{'us added':>10}{'to .item()':>12}{'and rows':>10}   goal")
    for way in costs:
        if way == "nothing":
            continue
        added = _added(costs, way)
        alone, with_rows = (f"{added / item:.2f}x" if item > 0 else "" for item in references)
        cost = statistics.median(costs[way])
        print(f"{way:22}{cost:11.3f}{added:10.1f}{alone:>12}{with_rows:>10}   {GOALS.get(way, '')}")


def _added(costs, way):
    """The microseconds that a way adds: the median over rounds, each against the bare steps of the same round."""
    return statistics.median(one - bare for one, bare in zip(costs[way], costs["nothing"], strict=True)) * 1e3


# --- what is trained ------------------------------------------------------------------------------------------------


def _torch_steps():
    import torch

    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    torch.manual_seed(0)
    yield "CUDA-graphed MLP (torch)", 100, _graphed_mlp(torch), torch.cuda.synchronize
    yield "small transformer (torch)", 10, _transformer(torch, 128, 2, 32, 64), torch.cuda.synchronize
    yield "large transformer (torch)", 2, _transformer(torch, 1024, 12, 8, 512), torch.cuda.synchronize


def _graphed_mlp(torch):
    layers = [torch.nn.Linear(512, 512) if i % 2 == 0 else torch.nn.ReLU() for i in range(7)]
    model = torch.nn.Sequential(*layers).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), capturable=True, fused=True)
    data = torch.randn(512, 512, device="cuda")

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = (model(data) - data).square().mean()
        loss.backward()
        optimizer.step()
        return {name: loss.detach() * i for i, name in enumerate(NAMES)}

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        values = step()

    def replay():
        graph.replay()
        return values

    return replay


def _transformer(torch, width, depth, batch, length):
    layer = torch.nn.TransformerEncoderLayer(width, 8, 4 * width, dropout=0.0, batch_first=True)
    model = torch.nn.TransformerEncoder(layer, depth, enable_nested_tensor=False).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    data = torch.randn(batch, length, width, device="cuda")

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = (model(data) - data).square().mean()
        loss.backward()
        optimizer.step()
        return {name: loss.detach() * i for i, name in enumerate(NAMES)}

    return step


def _jax_steps():
    import jax
    from jax import numpy as jnp

    print(f"\n{jax.devices()[0].device_kind}, JAX {jax.__version__}")
    keys = jax.random.split(jax.random.key(0), 5)
    data = jax.random.normal(keys[4], (512, 1024))

    def loss_of(weights):
        hidden = data
        for weight in weights:
            hidden = jnp.tanh(hidden @ weight)
        return jnp.mean((hidden - data) ** 2)

    @jax.jit
    def train(weights):
        loss, gradients = jax.value_and_grad(loss_of)(weights)
        changed = [weight - 0.1 * gradient for weight, gradient in zip(weights, gradients, strict=True)]
        return changed, [loss * i for i in range(len(NAMES))]

    state = [[0.03 * jax.random.normal(key, (1024, 1024)) for key in keys[:4]]]

    def step():
        state[0], values = train(state[0])
        return dict(zip(NAMES, values, strict=True))

    yield "jitted MLP (JAX)", 50, step, lambda: jax.block_until_ready(state[0])


STEPS = {"torch": _torch_steps, "jax": _jax_steps}

if __name__ == "__main__":
    main(sys.argv[1:])
