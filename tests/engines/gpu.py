"""Fixtures of a machine with one GPU that is none: the double of CUDA, that of TensorRT, and a builder over both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from engines.runtimes.tensorrt import cuda_graph
from engines.runtimes.tensorrt.build import Builder
from engines.runtimes.tensorrt.cuda import Gpu, open_gpu
from engines.runtimes.tensorrt.plan_cache import PlanCache
from tests.engines.fake_cuda import FakeContext, FakeCuda
from tests.engines.fake_tensorrt import FakeTensorRt


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    made = FakeCuda()
    monkeypatch.setattr(cuda_graph, "load_driver", lambda: made.library)
    return made


@pytest.fixture
def trt(cuda: FakeCuda) -> FakeTensorRt:
    return FakeTensorRt(cuda)


@pytest.fixture
def builder(cuda: FakeCuda, trt: FakeTensorRt, tmp_path: Path) -> Builder:
    gpu = Gpu(cuda.driver, FakeContext(cuda), "Fake H200", (9, 0), 13000)
    return Builder(trt, gpu, PlanCache(tmp_path / "cache"))


@pytest.fixture
def installed(
    monkeypatch: pytest.MonkeyPatch, cuda: FakeCuda, trt: FakeTensorRt, tmp_path: Path
) -> Iterator[FakeTensorRt]:
    """The doubles in the place of the packages, and a cache of the test."""
    package = ModuleType("pycuda")
    package.driver = cuda.driver  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", cuda.driver)
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    open_gpu.cache_clear()
    yield trt
    open_gpu.cache_clear()
