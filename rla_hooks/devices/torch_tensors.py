"""Torch tensors on CUDA, ROCm, XPU or MPS: packed per data type, copied to pinned memory behind the current stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rla_hooks.devices.transfer import Fetch, never_free, read, without_frames

_ROOM = 64  # values of one type that a page has room for
_CAPTURED = "a CUDA graph is being captured, in which nothing has a value yet; log after its replay"


class TorchTensors:
    """The tensors and parameters of torch. Subclasses, whose operations may do anything, are read one by one."""

    def __init__(self, torch: Any):
        self._torch = torch
        native = torch._C  # torch has no public names for these; where one is missing, it is not asked
        probes = (
            (native, "_get_tracing_state"),
            (getattr(native, "_functorch", None), "peek_interpreter_stack"),
            (native, "_len_torch_dispatch_stack"),
        )
        self._transforms = [getattr(owner, name) for owner, name in probes if hasattr(owner, name)]
        self._pages: list[_Page] = []  # that are free: at most as many as were ever under way together
        self._events: dict[str, Callable[[Any], Any] | None] = {"cpu": None, "meta": None}  # by the type of device

    def holds(self, value: Any) -> bool:
        if not value.is_cuda:
            kind = "cpu" if value.is_cpu else value.device.type  # which takes a while to get
            if self._event_of(kind) is None:
                return False
        return value.numel() == 1  # type: ignore[no-any-return]

    def fetch(self, values: Sequence[Any], at_once: bool) -> Fetch:
        """Copy the values on the current stream of their device, which runs after what has computed them."""
        if self.is_capturing():
            raise RuntimeError(_CAPTURED)
        if self._is_transformed():
            numbers = [read(value) for value in values]
            return _Copies(self, len(numbers), [([*range(len(numbers))], numbers)], [], [])
        groups: dict[Any, list[int]] = {}  # of the positions of values; by data type, since a common one is not exact
        for index, value in enumerate(values):
            kind = value.dtype, value.get_device()  # a number: quicker to get and to look up than the device
            if kind in groups:
                groups[kind].append(index)
            else:
                groups[kind] = [index]
        used: list[_Page] = []
        copies: list[tuple[list[int], Any]] = []
        devices: dict[int, Any] = {}
        for (_, number), indices in groups.items():
            some = values if len(groups) == 1 else [values[index] for index in indices]
            devices[number] = device = some[0].device
            copies.append((indices, self._copy(some, device.type, used)))
        return _Copies(self, len(values), copies, [self._record(device) for device in devices.values()], used)

    def is_capturing(self) -> bool:
        """Return whether CUDA records what this thread does, and must be asked and told nothing else."""
        cuda = self._torch.cuda
        return bool(cuda.is_initialized() and cuda.is_current_stream_capturing())

    def free(self, pages: list[_Page]) -> None:
        """Use the pages for other values."""
        while pages:  # a signal handler that logs may come at any line: no page is free twice
            self._pages.append(pages.pop())

    def _is_transformed(self) -> bool:
        """Return whether operations do something else than they say, or are recorded, to be run again and again.

        So it is within torch.jit.trace, torch.func (grad, vmap...), make_fx and fake tensors. A copy to a page there
        would be part of what is recorded, or fail.
        """
        return any(probe() for probe in self._transforms)

    def _copy(self, values: Sequence[Any], kind: str, used: list[_Page]) -> Any:
        """Return the copy on the host; or, where it cannot be made so, the numbers or exceptions, one by one."""
        try:
            packed = self._pack(values)
            if kind not in ("cuda", "cpu") or len(values) > _ROOM:
                return packed.to("cpu", non_blocking=True, copy=True)
            used.append(self._pages.pop() if self._pages else _Page(self._torch, kind == "cuda"))
            copy = used[-1].view(packed.dtype, len(values))
            copy.copy_(packed, non_blocking=True)
            return copy
        except Exception:  # a type that cannot be packed, or a lost device
            return [read(value) for value in values]

    def _pack(self, values: Sequence[Any]) -> Any:
        """Return a vector of the values, without gradients. Every line costs time in a step."""
        if len(values) == 1:
            packed = values[0].reshape(1)
        else:
            for value in values:
                if value.ndim:
                    values = [value.reshape(()) for value in values]
                    break
            packed = self._torch.stack(values)
        return packed.detach() if packed.requires_grad else packed

    def _record(self, device: Any) -> Any:
        """Return an event of the device that comes after the copies."""
        make = self._event_of(device.type)
        assert make is not None
        return make(device)

    def _event_of(self, kind: str) -> Callable[[Any], Any] | None:
        """Return a function that records an event on a device of this type; None for a type that has no events."""
        if kind not in self._events:
            self._events[kind] = _recorder(self._torch, getattr(self._torch, kind, None))
        return self._events[kind]


def _recorder(torch: Any, module: Any) -> Callable[[Any], Any] | None:
    """``module``: of the type of device, such as torch.cuda."""
    event_type: Any = getattr(module, "Event", None) or getattr(getattr(module, "event", None), "Event", None)
    if event_type is None:
        return None
    current_stream: Any = getattr(module, "current_stream", None)
    current_device: Any = getattr(module, "current_device", None)
    has_fast_events = hasattr(torch, "accelerator") and current_device is not None  # from 2.6 on

    def record(device: Any) -> Any:
        if has_fast_events and device.index == current_device():
            event = torch.Event(device)  # of C, four times as fast; it takes the stream of the current device
            event.record()
            return event
        event = event_type()
        if current_stream is None:  # MPS has one stream
            event.record()
        else:
            event.record(current_stream(device))  # that of the tensors' device
        return event

    return record


class _Page:
    """Memory of the host that a device can write to in the background. It is used again, and so never freed."""

    def __init__(self, torch: Any, pinned: bool):
        with torch.inference_mode(False):  # a tensor that is made in it could not be written to outside of it
            self._bytes = torch.empty(8 * _ROOM, dtype=torch.uint8, device="cpu", pin_memory=pinned)
        self._views: dict[Any, Any] = {}
        never_free(self._bytes)

    def view(self, dtype: Any, count: int) -> Any:
        """Return room for ``count`` values."""
        view = self._views.get((dtype, count))
        if view is None:
            if len(self._views) > _ROOM:
                self._views.clear()
            view = self._views[dtype, count] = self._bytes[: count * dtype.itemsize].view(dtype)
        return view


class _Copies:
    """Copies on the host that are complete when the events have come. Each has the values of these positions."""

    def __init__(
        self,
        tensors: TorchTensors,
        count: int,
        copies: list[tuple[list[int], Any]],
        events: list[Any],
        pages: list[_Page],
    ):
        self._tensors, self._copies, self._events, self._pages = tensors, copies, events, pages
        self._values: list[Any] = [None] * count
        self._is_read = False

    def ready(self) -> bool:
        return not self._tensors.is_capturing() and all(event.query() for event in self._events)

    def result(self) -> Sequence[Any]:
        if not self._is_read:  # by a call that Ctrl-C has interrupted: then the pages may have other values by now
            if self._tensors.is_capturing():
                raise RuntimeError(_CAPTURED)
            for event in self._events:
                event.synchronize()
            self._read()
        self._tensors.free(self._pages)
        return self._values

    def _read(self) -> None:
        for indices, copy in self._copies:
            try:
                numbers = copy if isinstance(copy, list) else copy.tolist()
            except Exception as error:  # of a type that Python has no numbers for
                numbers = [without_frames(error)] * len(indices)
            if len(self._copies) == 1:
                self._values = numbers
            else:
                for index, number in zip(indices, numbers, strict=True):
                    self._values[index] = number
        self._is_read = True
