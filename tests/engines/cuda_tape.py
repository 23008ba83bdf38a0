"""A `torch.cuda` without a GPU: what is called must exist in the real one, and a graph is a tape that can be replayed.

Calls are bound to the signatures of the installed torch, so one that does not exist fails. Between `graph`'s two ends
every torch operation is written down with the tensors that it read and wrote; `replay` does them again into the same
tensors, as a CUDA graph does: what Python decided while recording stays decided, only the contents of buffers are new.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

REAL = torch.cuda


def check(name: str, *args: Any, **kwargs: Any) -> None:
    """Fail unless the real `torch.cuda` takes these arguments; methods are told with a None for self."""
    found: Any = REAL
    for part in name.split("."):
        found = getattr(found, part)
    inspect.signature(found).bind(*args, **kwargs)


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down what is done while it is on."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.done: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.done.append((func, args, kwargs or {}, made))
        return made

    def again(self) -> None:
        """Do everything again, into the tensors of the first time."""
        for func, args, kwargs, made in self.done:
            new = func(*args, **kwargs)
            for old, value in zip(tree_leaves(made), tree_leaves(new), strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != value.data_ptr():
                    old.copy_(value)


class Graph:
    """In place of `torch.cuda.CUDAGraph`."""

    def __init__(self, calls: list[str]) -> None:
        self.calls, self.tape, self.alive = calls, Tape(), True

    def replay(self) -> None:
        check("CUDAGraph.replay", None)
        assert self.alive
        self.calls.append("replay")
        self.tape.again()

    def reset(self) -> None:
        check("CUDAGraph.reset", None)
        self.calls.append("reset")
        self.alive = False


class Stream:
    """In place of `torch.cuda.Stream`."""

    def wait_stream(self, stream: Stream) -> None:
        check("Stream.wait_stream", None, stream)

    def synchronize(self) -> None:
        check("Stream.synchronize", None)


class Event:
    """In place of `torch.cuda.Event`: nobody may read before it was waited for."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls

    def record(self, stream: Stream) -> None:
        check("Event.record", None, stream)
        self.calls.append("record")

    def synchronize(self) -> None:
        check("Event.synchronize", None)
        self.calls.append("wait")


class Cuda:
    """In place of `torch.cuda`; `calls` says in which order things were asked of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.graphs: list[Graph] = []
        self.capturing = threading.Lock()
        # Under the names that the real module has.
        self.Stream, self.Event, self.CUDAGraph = self.make_stream, self.make_event, self.make_graph

    def make_stream(self, **options: Any) -> Stream:
        check("Stream.__new__", None, **options)
        return Stream()

    def make_event(self, **options: Any) -> Event:
        check("Event.__new__", None, **options)
        return Event(self.calls)

    def make_graph(self, **options: Any) -> Graph:
        check("CUDAGraph.__new__", None, **options)
        self.graphs.append(Graph(self.calls))
        return self.graphs[-1]

    def graph_pool_handle(self) -> tuple[int, int]:
        check("graph_pool_handle")
        return 0, 1

    def current_stream(self) -> Stream:
        check("current_stream")
        return Stream()

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        check("stream", stream)
        yield

    @contextmanager
    def graph(self, graph: Graph, **options: Any) -> Iterator[None]:
        check("graph.__init__", None, graph, **options)
        assert options["capture_error_mode"] in ("global", "thread_local", "relaxed")
        # Two captures at once would break each other on a GPU.
        assert self.capturing.acquire(blocking=False)
        self.calls.append("capture")
        try:
            with graph.tape:
                yield
        finally:
            self.capturing.release()
