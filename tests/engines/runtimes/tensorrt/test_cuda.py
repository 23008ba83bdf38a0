"""Opening a GPU, its context in threads, and graphs: what is said where one of them is not there."""

from __future__ import annotations

import builtins
import ctypes
import gc
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from engines.runtimes.tensorrt import cuda_graph
from engines.runtimes.tensorrt.cuda import CudaError, Gpu, open_gpu
from tests.engines.fake_cuda import FakeContext, FakeCuda, FakeDriver


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCuda]:
    made = FakeCuda()
    package = ModuleType("pycuda")
    package.driver = made.driver  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", made.driver)
    open_gpu.cache_clear()
    yield made
    open_gpu.cache_clear()


def test_a_gpu_is_opened_once_and_leaves_no_context_behind(cuda: FakeCuda) -> None:
    gpu = open_gpu()
    assert (gpu.name, gpu.capability, gpu.version) == ("Fake H200", (9, 0), 13000)
    assert open_gpu() is gpu
    assert not cuda.stack()


def test_the_context_is_given_back_by_hand(cuda: FakeCuda) -> None:
    open_gpu()
    assert cuda.detached == 0
    open_gpu.cache_clear()
    gc.collect()
    assert cuda.detached == 1


def test_a_gpu_that_is_not_there_is_named(cuda: FakeCuda) -> None:
    with pytest.raises(CudaError, match="there is no GPU 1, only 1 on this machine: look with nvidia-smi"):
        open_gpu(1)


def test_no_pycuda_is_said_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pycuda"):
            raise ImportError("libcuda.so.1: cannot open shared object file")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    open_gpu.cache_clear()
    with pytest.raises(CudaError, match=r"pycuda cannot be used .libcuda.so.1: .*: install `sidewitness.tensorrt.`"):
        open_gpu()


def test_the_context_is_popped_whatever_happens(cuda: FakeCuda) -> None:
    gpu = Gpu(cuda.driver, FakeContext(cuda), "Fake H200", (9, 0), 13000)
    with gpu.current():
        with gpu.current():
            assert len(cuda.stack()) == 2
        assert len(cuda.stack()) == 1
    with pytest.raises(KeyError), gpu.current():
        raise KeyError
    with pytest.raises(CudaError, match="CUDA refused"), gpu.current():
        raise FakeDriver.LogicError("bad handle")
    assert not cuda.stack()


@pytest.fixture
def stream(cuda: FakeCuda) -> Any:
    cuda.stack().append(FakeContext(cuda))
    yield cuda.driver.Stream()
    cuda.stack().clear()


def test_a_graph_does_what_was_recorded_each_time_it_is_launched(cuda: FakeCuda, stream: Any) -> None:
    done: list[int] = []
    graph = cuda_graph.capture(cuda.library, stream.handle, lambda: stream.enqueue(lambda: done.append(1)))
    stream.synchronize()
    assert done == []
    graph.launch(stream.handle)
    graph.launch(stream.handle)
    stream.synchronize()
    assert done == [1, 1]
    graph.close()
    assert cuda.graphs == {}


def test_work_that_fails_leaves_the_stream_usable(cuda: FakeCuda, stream: Any) -> None:
    def work() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        cuda_graph.capture(cuda.library, stream.handle, work)
    assert (stream.captured, cuda.graphs) == (None, {})


def test_work_that_cannot_be_captured_leaves_the_stream_usable(cuda: FakeCuda, stream: Any) -> None:
    with pytest.raises(FakeDriver.LogicError):
        cuda_graph.capture(cuda.library, stream.handle, stream.synchronize)
    assert (stream.captured, cuda.graphs) == (None, {})


@pytest.mark.parametrize("name", ["cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags"])
def test_a_capture_that_is_refused_is_named(cuda: FakeCuda, stream: Any, name: str) -> None:
    cuda.faults[name] = 900
    with pytest.raises(CudaError, match=f"CUDA refused .{name}: CUDA_ERROR_OF_THE_TEST.: look with sidewitness doctor"):
        cuda_graph.capture(cuda.library, stream.handle, lambda: None)


def test_a_code_without_a_name_is_told_as_a_number(
    cuda: FakeCuda, stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda.library, "cuGetErrorName", lambda error, text: 1)
    cuda.faults["cuGraphLaunch"] = 999
    graph = cuda_graph.capture(cuda.library, stream.handle, lambda: None)
    with pytest.raises(CudaError, match="cuGraphLaunch: code 999"):
        graph.launch(stream.handle)


def test_without_a_driver_its_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graph, "LIBRARY", "libnothing.so.1")
    cuda_graph.load_driver.cache_clear()
    with pytest.raises(CudaError, match=r"the NVIDIA driver cannot be used .libnothing.*: install one for CUDA 13"):
        cuda_graph.load_driver()


def test_an_old_driver_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # The C library loads, and has no graphs.
    monkeypatch.setattr(cuda_graph, "LIBRARY", None)
    cuda_graph.load_driver.cache_clear()
    with pytest.raises(CudaError, match=r"cuStreamBeginCapture_v2.*: install one for CUDA 13"):
        cuda_graph.load_driver()


def test_the_library_gets_its_prototypes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Function:
        argtypes: Any = None
        restype: Any = None

    library = type("Library", (), {name: Function() for name in cuda_graph.PROTOTYPES})()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    cuda_graph.load_driver.cache_clear()
    found = cuda_graph.load_driver()
    assert all(getattr(found, name).argtypes == list(kinds) for name, kinds in cuda_graph.PROTOTYPES.items())
    cuda_graph.load_driver.cache_clear()
