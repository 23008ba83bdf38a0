"""A CUDA driver in host memory, as pycuda and the driver's graph functions show it; it is as strict as a GPU.

Work on a stream happens when somebody waits for it and not before, so a result that is read too early is wrong. Every
call needs a context that is current in its thread, and what is freed needs one too. `test_interfaces` holds these names
and signatures against what pycuda and `cuda.h` declare.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Work = Callable[[], None]
STREAM_CAPTURE_INVALIDATED = 901


class FakeCuda:
    """One GPU: its memory, its streams and graphs; `made`, `waits` and `launches` count, `faults` makes calls fail."""

    def __init__(self, gpus: int = 1) -> None:
        self.gpus = gpus
        self.memory: dict[int, NDArray[np.uint8]] = {}
        self.streams: dict[int, FakeStream] = {}
        self.graphs: dict[int, list[Work]] = {}
        self.made: Counter[str] = Counter()
        self.faults: dict[str, Exception | int] = {}
        self.pinned = self.waits = self.launches = self.astray = self.detached = 0
        self.numbers = itertools.count(4096, 4096)
        self.local = threading.local()
        self.driver = FakeDriver(self)
        self.library = FakeLibrary(self)

    def stack(self) -> list[FakeContext]:
        """The contexts that this thread has pushed."""
        if not hasattr(self.local, "stack"):
            self.local.stack = []
        found: list[FakeContext] = self.local.stack
        return found

    def need(self, name: str) -> None:
        """Fail as CUDA does without a context, or as the test wants it to."""
        if not self.stack():
            raise FakeDriver.LogicError(f"{name} failed: invalid device context")
        fault = self.faults.get(name)
        if isinstance(fault, Exception):
            raise fault

    def freed(self) -> None:
        """Count what is freed where nobody can: in a thread without the context."""
        self.astray += not self.stack()


class FakeContext:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda

    def push(self) -> None:
        fault = self._cuda.faults.get("push")
        if isinstance(fault, Exception):
            raise fault
        self._cuda.stack().append(self)

    def pop(self) -> None:
        self._cuda.stack().pop()

    def detach(self) -> None:
        self._cuda.detached += 1


class FakeDevice:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda

    def name(self) -> str:
        return "Fake H200"

    def compute_capability(self) -> tuple[int, int]:
        return (9, 0)

    def retain_primary_context(self) -> FakeContext:
        return FakeContext(self._cuda)


class FakeDriver:
    """What we use of the module `pycuda.driver`."""

    class Error(Exception): ...

    class MemoryError(Error): ...

    class LogicError(Error): ...

    class LaunchError(Error): ...

    class RuntimeError(Error): ...

    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda

        class Device(FakeDevice):
            def __init__(self, number: int) -> None:
                super().__init__(cuda)

            @staticmethod
            def count() -> int:
                return cuda.gpus

        class Stream(FakeStream):
            def __init__(self, flags: int = 0) -> None:
                super().__init__(cuda)

        class Event(FakeEvent):
            def __init__(self, flags: int = 0) -> None:
                super().__init__(cuda)

        self.Device, self.Stream, self.Event = Device, Stream, Event

    def init(self, flags: int = 0) -> None:
        fault = self._cuda.faults.get("init")
        if isinstance(fault, Exception):
            raise fault

    def get_driver_version(self) -> int:
        return 13000

    def mem_alloc(self, bytes: int) -> FakeAllocation:
        self._cuda.need("mem_alloc")
        return FakeAllocation(self._cuda, bytes)

    def pagelocked_empty(self, shape: Any, dtype: DTypeLike, order: str = "C", mem_flags: int = 0) -> Any:
        self._cuda.need("pagelocked_empty")
        return np.asarray(FakePinned(self._cuda, np.full(shape, np.nan, dtype)))

    def memcpy_htod_async(self, dest: Any, src: NDArray[Any], stream: Any = None) -> None:
        self._cuda.need("memcpy_htod_async")
        there = self._cuda.memory[int(dest)]
        assert src.flags.c_contiguous
        assert src.nbytes <= there.nbytes

        def copy() -> None:
            there[: src.nbytes] = src.reshape(-1).view(np.uint8)

        stream.enqueue(copy)

    def memcpy_dtoh_async(self, dest: NDArray[Any], src: Any, stream: Any = None) -> None:
        self._cuda.need("memcpy_dtoh_async")
        there = self._cuda.memory[int(src)]
        assert dest.flags.c_contiguous
        assert dest.nbytes <= there.nbytes

        def copy() -> None:
            dest.reshape(-1).view(np.uint8)[:] = there[: dest.nbytes]

        stream.enqueue(copy)


class FakeAllocation:
    def __init__(self, cuda: FakeCuda, size: int) -> None:
        self._cuda, self._address = cuda, next(cuda.numbers)
        cuda.made["device"] += 1
        cuda.memory[self._address] = np.full(size, 0x7F, np.uint8)

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        self._cuda.freed()
        del self._cuda.memory[self._address]

    def __del__(self) -> None:
        if self._address in self._cuda.memory:
            self.free()


class FakePinned:
    """What an array of page-locked memory has for a base."""

    def __init__(self, cuda: FakeCuda, values: NDArray[Any]) -> None:
        self._cuda, self._values = cuda, values
        self.__array_interface__ = values.__array_interface__
        cuda.made["pinned"] += 1
        cuda.pinned += 1
        self._held = True

    def free(self) -> None:
        self._cuda.freed()
        self._cuda.pinned -= 1
        self._held = False

    def __del__(self) -> None:
        if self._held:
            self.free()


class FakeStream:
    def __init__(self, cuda: FakeCuda) -> None:
        cuda.need("Stream")
        self._cuda = cuda
        self.handle = next(cuda.numbers)
        cuda.made["stream"] += 1
        cuda.streams[self.handle] = self
        self.waiting: list[Work] = []
        self.captured: list[Work] | None = None
        self.spoilt = False

    def enqueue(self, work: Work) -> None:
        (self.waiting if self.captured is None else self.captured).append(work)

    def synchronize(self) -> None:
        self._cuda.need("synchronize")
        if self.captured is not None:
            # Waiting for a stream that is being captured is what CUDA forbids first.
            self.spoilt = True
            raise FakeDriver.LogicError("cuStreamSynchronize failed: operation not permitted when stream is capturing")
        self._cuda.waits += 1
        while self.waiting:
            self.waiting.pop(0)()


class FakeEvent:
    """A point on a stream: whoever waits for it waits for what was enqueued before."""

    def __init__(self, cuda: FakeCuda) -> None:
        cuda.need("Event")
        self._cuda = cuda
        cuda.made["event"] += 1
        self._stream: FakeStream | None = None

    def record(self, stream: FakeStream) -> FakeEvent:
        self._cuda.need("record")
        self._stream = stream
        stream.enqueue(self._reached)
        return self

    def synchronize(self) -> FakeEvent:
        self._cuda.need("synchronize")
        self._cuda.waits += 1
        while self._stream is not None:
            self._stream.waiting.pop(0)()
        return self

    def _reached(self) -> None:
        self._stream = None


class FakeLibrary:
    """The graph functions of `libcuda.so.1`: they return codes, and write through pointers."""

    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda

    def _code(self, name: str) -> int:
        self._cuda.need(name)
        fault = self._cuda.faults.get(name, 0)
        return fault if isinstance(fault, int) else 0

    def cuStreamBeginCapture_v2(self, hStream: int, mode: int) -> int:  # noqa: N803
        self._cuda.streams[hStream].captured = []
        return self._code("cuStreamBeginCapture_v2")

    def cuStreamEndCapture(self, hStream: int, phGraph: Any) -> int:  # noqa: N803
        stream = self._cuda.streams[hStream]
        found, stream.captured = stream.captured, None
        if stream.spoilt:
            stream.spoilt = False
            return STREAM_CAPTURE_INVALIDATED
        phGraph._obj.value = self._new(found or [])
        return self._code("cuStreamEndCapture")

    def cuGraphInstantiateWithFlags(self, phGraphExec: Any, hGraph: Any, flags: int) -> int:  # noqa: N803
        phGraphExec._obj.value = self._new(self._cuda.graphs[hGraph.value])
        return self._code("cuGraphInstantiateWithFlags")

    def cuGraphLaunch(self, hGraphExec: Any, hStream: int) -> int:  # noqa: N803
        self._cuda.launches += 1
        for work in self._cuda.graphs[hGraphExec.value]:
            self._cuda.streams[hStream].enqueue(work)
        return self._code("cuGraphLaunch")

    def cuGraphExecDestroy(self, hGraphExec: Any) -> int:  # noqa: N803
        return self._drop(hGraphExec)

    def cuGraphDestroy(self, hGraph: Any) -> int:  # noqa: N803
        return self._drop(hGraph)

    def cuGetErrorName(self, error: int, pStr: Any) -> int:  # noqa: N803
        pStr._obj.value = b"CUDA_ERROR_OF_THE_TEST"
        return 0

    def _new(self, work: list[Work]) -> int:
        number = next(self._cuda.numbers)
        self._cuda.graphs[number] = work
        return number

    def _drop(self, handle: ctypes.c_void_p) -> int:
        self._cuda.need("drop")
        del self._cuda.graphs[handle.value or 0]
        return 0
