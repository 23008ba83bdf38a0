"""Fixtures of a machine with one GPU that is none: the double of CUDA, that of TensorRT, and a builder over both."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import cuda_graph
from engines.build import Builder
from engines.cuda import Gpu
from engines.plan_cache import PlanCache
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
