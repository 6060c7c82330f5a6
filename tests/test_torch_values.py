"""Tensors of torch as values on a device: the real ones, on the CPU, which are taken for such on a device."""

from __future__ import annotations

import gc
import weakref

import pytest

from rla_hooks import devices
from rla_hooks.core.logger import Logger
from rla_hooks.errors import RLAWarning
from rla_hooks.testing import MemoryWriter

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def writer():
    return MemoryWriter()


@pytest.fixture
def logger(writer):
    return Logger([writer])


class Event:
    """An event of torch: it has come when somebody has waited."""

    waits = 0

    def __init__(self, device):
        self.come = False

    def query(self):
        return self.come

    def synchronize(self):
        Event.waits += not self.come
        self.come = True


@pytest.fixture
def torch(monkeypatch):
    """Torch, whose tensors on the CPU are taken for such on a device."""
    torch = pytest.importorskip("torch")
    from rla_hooks.devices.torch_tensors import TorchTensors

    tensors = TorchTensors(torch)
    tensors._events["cpu"] = Event
    Event.waits = 0
    monkeypatch.setitem(devices._families, torch.Tensor, tensors)
    monkeypatch.setitem(devices._families, torch.nn.Parameter, tensors)
    return torch


def _torch_values(torch):
    return {
        "float32": torch.tensor(0.1),
        "float64": torch.tensor(1 / 3, dtype=torch.float64),
        "half": torch.tensor(0.1, dtype=torch.float16),
        "bfloat16": torch.tensor(0.1, dtype=torch.bfloat16),
        "int64": torch.tensor(2**53 + 1),
        "least": torch.tensor(-(2**63)),
        "int8": torch.tensor(-3, dtype=torch.int8),
        "bool": torch.tensor(True),
        "vector": torch.tensor([2.5]),
        "matrix": torch.tensor([[2**53 + 3]]),
        "nan": torch.tensor(float("nan")),
        "infinite": torch.tensor(float("-inf")),
        "parameter": torch.nn.Parameter(torch.tensor(0.25)),
        "graph": torch.tensor(1.5, requires_grad=True) * 2,
    }


@pytest.mark.parametrize("wait", [True, False])
def test_values_are_exact(torch, logger, writer, wait):
    """Each is what item() gives, whatever its type, its shape and the types beside it, and is waited for once."""
    values = _torch_values(torch)
    logger.log({"first": 1.0, **values, "last": "x"}, 0, wait=wait)
    assert len(writer.rows) == wait
    logger.flush()
    (row,) = [row for _, row in writer.rows]
    assert list(row) == ["first", *values, "last"]
    for name, value in values.items():
        expected = value.item()
        expected = int(expected) if isinstance(expected, bool) else expected
        assert (repr(row[name]), type(row[name])) == (repr(expected), type(expected)), name
    assert Event.waits == 1


def test_changes_in_place_are_not_seen(torch, logger, writer):
    """Also of a value that is alone in its row."""
    value, count = torch.zeros(()), torch.zeros(1, dtype=torch.int64)
    for step in range(50):
        value.fill_(step / 2)
        count.fill_(step)
        logger.log({"value": value, "count": count}, step, wait=False)
        value.fill_(-1)
        count.fill_(-1)
    assert writer.rows == []
    logger.flush()
    assert writer.rows == [(step, {"value": step / 2, "count": step}) for step in range(50)]


def test_pages_are_used_again(torch, logger, writer):
    """As many as were under way together, however many rows there are; also within and after inference mode."""
    for step in range(300):
        with torch.inference_mode(step % 3 == 0):
            values = {"a": torch.tensor(step / 2), "b": torch.tensor(step), "c": torch.tensor(step / 4)}
            logger.log(values, step, wait=False)
    logger.flush()
    assert writer.rows == [(step, {"a": step / 2, "b": step, "c": step / 4}) for step in range(300)]
    assert len(devices._families[torch.Tensor]._pages) == 2 * 64  # one for each of the types


def test_many_values(torch, logger, writer):
    """More than a page has room for."""
    values = {f"m{i}": torch.tensor(i / 8) for i in range(200)}
    for step in range(3):
        logger.log(values, step, wait=False)
    logger.flush()
    assert writer.rows == [(step, {f"m{i}": i / 8 for i in range(200)}) for step in range(3)]


def test_keeps_no_graph_alive(torch, logger):
    """A row that waits holds no tensor of the training, and so no gradients."""
    loss = torch.zeros((), requires_grad=True) * 2
    gone = weakref.ref(loss)
    logger.log({"loss": loss, "same": loss}, 0, wait=False)
    del loss
    assert gone() is None


def _freed(torch):
    """A tensor whose memory was given back, as FSDP does with parameters."""
    tensor = torch.tensor(1.0)
    tensor.untyped_storage().resize_(0)
    return tensor


NO_SCALARS = {
    "several": lambda torch: torch.zeros(3),
    "none": lambda torch: torch.zeros(0),
    "complex": lambda torch: torch.tensor(1j),
    "meta": lambda torch: torch.zeros((), device="meta"),
    "bits8": lambda torch: torch.ones((), dtype=torch.uint8).view(torch.bits8),
    "freed": _freed,
    "csr": lambda torch: torch.tensor([[5.0]]).to_sparse_csr(),
    "nested": lambda torch: torch.nested.nested_tensor([torch.tensor([1.0])]),
}


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("kind", NO_SCALARS)
@pytest.mark.filterwarnings("ignore:(Sparse CSR|The PyTorch API of nested):UserWarning")
def test_a_tensor_that_is_no_scalar(torch, logger, writer, kind, wait):
    """It is left out with one warning, and takes no other value of the row with it."""
    bad = NO_SCALARS[kind](torch)
    with pytest.warns(RLAWarning) as caught:
        for step in range(2):
            logger.log({"a": torch.tensor(1.5), "bad": bad, "b": torch.tensor(2.5), "n": 1}, step, wait=wait)
        logger.flush()
    assert writer.rows == [(step, {"a": 1.5, "b": 2.5, "n": 1}) for step in range(2)]
    assert [str(each.message).partition(" ")[0] for each in caught] == ["'bad'"]


ODD_SCALARS = {
    "sparse": (lambda torch: torch.tensor([5.0]).to_sparse(), 5.0),
    "quantized": (lambda torch: torch.quantize_per_tensor(torch.tensor(3.0), 0.5, 0, torch.quint8), 3.0),
    "float8": (lambda torch: torch.tensor(0.5).to(torch.float8_e4m3fn), 0.5),
    "uint64": (lambda torch: torch.tensor(2**63 + 5, dtype=torch.uint64), 2**63 + 5),
    "negated": (lambda torch: torch.tensor(1 + 2j).conj().imag, -2.0),
    "view": (lambda torch: torch.arange(6.0).reshape(2, 3).t()[2:, 1:].expand(1, 1), 5.0),
    "subclass": (lambda torch: torch.tensor(3.5).as_subclass(type("Sub", (torch.Tensor,), {})), 3.5),
}


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("kind", ODD_SCALARS)
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_an_odd_scalar(torch, logger, writer, kind, wait):
    """It has its value, as the others of its row have."""
    make, expected = ODD_SCALARS[kind]
    logger.log({"a": torch.tensor(1.5), "odd": make(torch), "b": torch.tensor(2.5)}, 0, wait=wait)
    logger.flush()
    assert writer.rows == [(0, {"a": 1.5, "odd": expected, "b": 2.5})]


def _traced(torch, work, value):
    return torch.jit.trace(work, value, check_trace=False)


TRANSFORMS = {
    "functionalize": lambda torch, work, value: torch.func.functionalize(work)(value),
    "vmap": lambda torch, work, value: torch.vmap(work)(value.expand(3)),
    "trace": _traced,
}


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.filterwarnings(
    "ignore:.*torch.jit.trace:DeprecationWarning", "ignore:(torch.tensor results|Converting a tensor)"
)
def test_within_a_transformed_function(torch, logger, writer, kind, wait):
    """A tensor that has a value there is logged, another is left out; nothing of it changes the rows that follow."""
    has_value = kind != "vmap"

    def work(value):
        logger.log({"known": torch.tensor(1.5), "made": value * 2, "n": 1}, 0, wait=wait)
        return value * 3

    logger.log({"before": torch.tensor(0.5)}, 0, wait=wait)
    if has_value:
        result = TRANSFORMS[kind](torch, work, torch.tensor(3.0))
    else:
        with pytest.warns(RLAWarning, match="'made' was left out: vmap"):
            TRANSFORMS[kind](torch, work, torch.tensor(3.0))
            logger.flush()
    logger.flush()
    logger.log({"after": torch.tensor(4.5)}, 1, wait=False)
    if kind == "trace":  # the copy is no part of what was traced
        assert (result(torch.tensor(7.0)), "copy_" in str(result.graph)) == (21, False)
    logger.flush()
    made = {"made": 6.0} if has_value else {}
    assert writer.rows == [(0, {"before": 0.5}), (0, {"known": 1.5, **made, "n": 1}), (1, {"after": 4.5})]
    assert all(type(page._bytes) is torch.Tensor for page in devices._families[torch.Tensor]._pages)


def test_while_a_cuda_graph_is_captured(torch, logger, writer, monkeypatch):
    """Nothing is asked of CUDA, which would end the capture: rows go on waiting, tensors are left out."""
    tensors = devices._families[torch.Tensor]
    logger.log({"a": torch.tensor(1.5)}, 0, wait=False)
    monkeypatch.setattr(Event, "query", lambda event: pytest.fail("a query while a graph is captured"))
    monkeypatch.setattr(tensors, "is_capturing", lambda: True)
    logger.log({"n": 1}, 1, wait=False)
    with pytest.warns(RLAWarning, match="'a' was left out: a CUDA graph is being captured"):
        logger.log({"a": torch.tensor(2.5), "n": 2}, 2, wait=False)
    assert writer.rows == []
    monkeypatch.setattr(tensors, "is_capturing", lambda: False)
    logger.flush()
    assert writer.rows == [(0, {"a": 1.5}), (1, {"n": 1}), (2, {"n": 2})]


@pytest.mark.parametrize("wait", [True, False])
def test_an_error_of_the_device_when_a_copy_is_awaited(torch, logger, writer, monkeypatch, wait):
    """As of a kernel that has failed: what was under way is left out, with a warning for each key, never freed."""

    def fail(event):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(Event, "synchronize", fail)
    with pytest.warns(RLAWarning) as caught:
        for step in range(3):
            logger.log({"a": torch.tensor(1.5), "b": torch.tensor(2), "n": step}, step, wait=wait)
        logger.flush()
    assert writer.rows == [(step, {"n": step}) for step in range(3)]
    assert [str(each.message)[:38] for each in caught] == [
        "'a' was left out: CUDA error: an illeg",
        "'b' was left out: CUDA error: an illeg",
    ]


def test_a_result_that_is_read_twice(torch, logger, writer):
    """As after Ctrl-C: meanwhile the memory of the copies may have been used for other values."""
    tensors = devices._families[torch.Tensor]
    first = tensors.fetch([torch.tensor(1.5), torch.tensor(2.5)], False)
    assert first.result() == [1.5, 2.5]
    second = tensors.fetch([torch.tensor(3.5), torch.tensor(4.5)], False)
    assert second._copies[0][1].data_ptr() == first._copies[0][1].data_ptr()
    assert (first.result(), second.result()) == ([1.5, 2.5], [3.5, 4.5])
    assert len(tensors._pages) == 1


def test_no_tensor_is_kept_alive(torch, logger, writer):
    """Neither by a row that waits, nor by what is left out, without the garbage collector."""
    weights = torch.ones(1000, requires_grad=True)
    gone = []
    gc.collect()
    gc.disable()
    try:
        with pytest.warns(RLAWarning, match="'bad' was left out"):
            for step in range(10):
                loss = (weights * 2).sum()
                bad = loss * 1j
                logger.log({"loss": loss, "bad": bad}, step, wait=step % 2 == 0)
                gone += [weakref.ref(loss), weakref.ref(bad)]
        del loss, bad
        assert [each() for each in gone] == [None] * 20
    finally:
        gc.enable()


def test_a_tensor_under_two_names(torch, logger, writer):
    """Each has its value, that of the call."""
    value = torch.tensor(2**60 + 1)
    logger.log({"a": value, "n": {"b": value}}, 0, wait=False)
    value.add_(1)
    logger.flush()
    assert writer.rows == [(0, {"a": 2**60 + 1, "n/b": 2**60 + 1})]


def test_values_in_numpy_that_change_in_place(torch, logger, writer):
    """They are on the host, so they are read at once, as is a tensor that shares its memory with them."""
    numpy = pytest.importorskip("numpy")
    array = numpy.array(1.5)
    logger.log({"tensor": torch.from_numpy(array), "array": array, "scalar": numpy.float32(0.5)}, 0, wait=False)
    numpy.add(array, 1, out=array)
    logger.flush()
    assert writer.rows == [(0, {"tensor": 1.5, "array": 1.5, "scalar": 0.5})]
