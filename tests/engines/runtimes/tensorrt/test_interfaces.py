"""The doubles against what they stand for: the snapshot of the interfaces, and the real package that is installed."""

from __future__ import annotations

import ctypes
import inspect
import re
from typing import Any

import numpy as np
import pytest

from engines.runtimes.tensorrt.cuda_graph import CAPTURE_THREAD_LOCAL, PROTOTYPES
from tests.engines import fake_cuda
from tests.engines.fake_cuda import FakeCuda, FakeDriver
from tests.engines.fake_tensorrt import BEHAVIOUR, Enum, FakeTensorRt
from tests.engines.interfaces import DRIVER, golden, of_module

LEAN = of_module(pytest.importorskip("tensorrt_lean_bindings", reason="TensorRT's runtime is for x86-64 only"))


@pytest.fixture
def trt() -> FakeTensorRt:
    cuda = FakeCuda()
    cuda.stack().append(fake_cuda.FakeContext(cuda))
    return FakeTensorRt(cuda)


@pytest.mark.parametrize("name", sorted(LEAN["classes"]))
def test_the_snapshot_is_what_is_installed(name: str) -> None:
    assert golden()["tensorrt"]["version"] == LEAN["version"]
    assert golden()["tensorrt"]["classes"][name] == LEAN["classes"][name]


@pytest.mark.parametrize("name", sorted(LEAN["enums"]))
def test_the_values_are_those_installed(name: str) -> None:
    assert golden()["tensorrt"]["enums"][name] == LEAN["enums"][name]


def test_what_runs_is_in_the_runtime_package() -> None:
    # What compiles is in the full package only, whose libraries this one does not have.
    assert {"Runtime", "ICudaEngine", "IExecutionContext", "ILogger", "IHostMemory"} <= set(LEAN["classes"])
    assert {"Builder", "OnnxParser", "IBuilderConfig"}.isdisjoint(LEAN["classes"])


def test_the_double_behaves_only_where_there_is_an_interface() -> None:
    classes = golden()["tensorrt"]["classes"]
    for name in BEHAVIOUR:
        kind, _, member = name.partition(".")
        assert member in classes[kind]["methods"] or member in classes[kind]["properties"], name


@pytest.mark.parametrize(
    ("kind", "method", "arguments"),
    [
        ("IOptimizationProfile", "set_shape", ("a", (1,), (1,))),
        ("IOptimizationProfile", "set_shape", ("a", (1,), (1,), (1.5,))),
        ("IExecutionContext", "set_input_shape", ("a", 3)),
        ("IExecutionContext", "execute_async_v3", ()),
        ("IExecutionContext", "execute_async_v3", (object(),)),
        ("IBuilderConfig", "set_timing_cache", (b"", False)),
        ("IBuilderConfig", "clear_flag", (16,)),
        ("Runtime", "deserialize_cuda_engine", ("text",)),
    ],
)
def test_a_call_that_tensorrt_would_refuse_fails(
    trt: FakeTensorRt, kind: str, method: str, arguments: tuple[Any, ...]
) -> None:
    thing = object.__new__(getattr(trt, kind))
    with pytest.raises(TypeError, match="incompatible function arguments"):
        getattr(thing, method)(*arguments)


def test_what_tensorrt_does_not_have_fails(trt: FakeTensorRt) -> None:
    with pytest.raises(AttributeError, match="TensorRT has no IInt8Calibrator"):
        _ = trt.IInt8Calibrator
    with pytest.raises(AttributeError, match="FP16"):
        _ = trt.BuilderFlag.FP16
    with pytest.raises(AttributeError, match="execute_async_v2"):
        _ = object.__new__(trt.IExecutionContext).execute_async_v2
    with pytest.raises(NotImplementedError, match=r"the double does not do Builder.reset"):
        object.__new__(trt.Builder).reset()
    with pytest.raises(TypeError):
        object.__new__(trt.ICudaEngine).get_tensor_name(index=0, name="a")


def test_enums_are_told_apart(trt: FakeTensorRt) -> None:
    assert isinstance(trt.TensorIOMode.INPUT, Enum)
    assert int(trt.TensorIOMode.INPUT) == golden()["tensorrt"]["enums"]["TensorIOMode"]["INPUT"]


def _signature(function: Any) -> list[list[str | None]]:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return [[p.name, None if p.default is inspect.Parameter.empty else "default"] for p in parameters]


@pytest.mark.parametrize("name", sorted(golden()["pycuda"]["functions"]))
def test_functions_are_those_of_pycuda(name: str) -> None:
    assert _signature(getattr(FakeDriver, name)) == golden()["pycuda"]["functions"][name]


@pytest.mark.parametrize(
    ("double", "name"),
    [
        (fake_cuda.FakeDevice, "Device"),
        (fake_cuda.FakeContext, "Context"),
        (fake_cuda.FakeStream, "Stream"),
        (fake_cuda.FakeEvent, "Event"),
        (fake_cuda.FakeAllocation, "DeviceAllocation"),
        (fake_cuda.FakePinned, "PagelockedHostAllocation"),
    ],
)
def test_classes_have_nothing_that_pycuda_has_not(double: type, name: str) -> None:
    ours = {member for member in vars(double) if not member.startswith("_")}
    if double is fake_cuda.FakeStream:
        # How the double is driven; `handle` is set when one is made.
        ours = ours - {"enqueue"} | {"handle"}
    assert ours <= set(golden()["pycuda"]["classes"][name])


def test_the_driver_has_nothing_that_pycuda_has_not() -> None:
    errors = {name for name, member in vars(FakeDriver).items() if isinstance(member, type)}
    ours = {name for name in vars(FakeDriver) if not name.startswith("_")} - errors
    assert ours == set(golden()["pycuda"]["functions"])
    assert errors == {"Error", "MemoryError", "LogicError", "LaunchError", "RuntimeError"}


KINDS = {
    "CUstream": ctypes.c_void_p,
    "CUgraph": ctypes.c_void_p,
    "CUgraphExec": ctypes.c_void_p,
    "CUgraph *": ctypes.POINTER(ctypes.c_void_p),
    "CUgraphExec *": ctypes.POINTER(ctypes.c_void_p),
    "CUstreamCaptureMode": ctypes.c_int,
    "CUresult": ctypes.c_int,
    "unsigned long long": ctypes.c_ulonglong,
    "const char **": ctypes.POINTER(ctypes.c_char_p),
}


def test_prototypes_are_those_of_cuda_h() -> None:
    header = golden()["cuda"]["prototypes"]
    assert len(PROTOTYPES) == len(DRIVER) == len(header)
    for name, kinds in PROTOTYPES.items():
        wanted = [KINDS[re.sub(r"\w+$", "", argument).strip()] for argument in header[name]]
        assert list(kinds) == wanted, name
        assert list(inspect.signature(getattr(fake_cuda.FakeLibrary, name)).parameters)[1:] == [
            re.findall(r"\w+$", argument)[0] for argument in header[name]
        ]


def test_the_mode_of_capture_is_that_of_one_thread() -> None:
    # CUstreamCaptureMode in cuda.h: GLOBAL 0, THREAD_LOCAL 1, RELAXED 2.
    assert CAPTURE_THREAD_LOCAL == 1


def test_work_waits_for_the_wait() -> None:
    cuda = FakeCuda()
    cuda.stack().append(fake_cuda.FakeContext(cuda))
    stream, memory = cuda.driver.Stream(), cuda.driver.mem_alloc(8)
    out = np.zeros(2, np.float32)
    cuda.driver.memcpy_htod_async(memory, np.ones(2, np.float32), stream)
    cuda.driver.memcpy_dtoh_async(out, memory, stream)
    assert not out.any()
    stream.synchronize()
    assert out.all()
