"""CUDA through pycuda, imported when the first GPU is opened: one primary context, made current wherever work is done.

A context is current in the thread that pushed it, and pycuda allocates in, and frees to, the one that is current; a
thread of ours therefore pushes the primary context, works, and pops it (`Gpu.current`). It is the primary context since
that is the one TensorRT uses. Whatever CUDA refuses comes out as a `CudaError` that says what to do.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from engines.base import DeviceError

CPU = "or choose the engine openvino"
# CU_STREAM_NON_BLOCKING: no stream of ours waits for the legacy default stream, which is not allowed in a capture.
NON_BLOCKING = 1
# CU_EVENT_BLOCKING_SYNC: who waits for it sleeps. For a stream CUDA spins, which would take a core from the sessions.
SLEEPING = 1


class CudaError(DeviceError):
    """The GPU, its driver or its memory refused; the message says what to do."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Gpu:
    """One NVIDIA GPU and its primary context; `driver` is the module `pycuda.driver`.

    `capability` is the compute capability, `version` that of CUDA which the driver speaks (13000 is 13.0).
    """

    driver: Any
    context: Any
    name: str
    capability: tuple[int, int]
    version: int

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the context that of this thread for as long as the block runs; turns CUDA's errors into `CudaError`."""
        with _explained(self.driver):
            self.context.push()
            try:
                yield
            finally:
                self.context.pop()


@functools.cache
def open_gpu(index: int = 0) -> Gpu:
    """Open the GPU; raises `CudaError` where there is no pycuda, no driver or no such GPU."""
    driver = _driver()
    with _explained(driver):
        driver.init()
        found = driver.Device.count()
        if index >= found:
            raise CudaError(f"there is no GPU {index}, only {found} on this machine: look with nvidia-smi, {CPU}")
        device = driver.Device(index)
        # Retaining pushes nothing: `Gpu.current` does.
        context = device.retain_primary_context()
        gpu = Gpu(driver, context, device.name(), tuple(device.compute_capability()), driver.get_driver_version())
    # Finalizers run in reverse at the exit, so this after those of the engines; left to its destructor, pycuda releases
    # a primary context as if it had made it, and complains.
    weakref.finalize(gpu, context.detach)
    return gpu


def _driver() -> Any:
    try:
        import pycuda.driver
    except ImportError as error:
        # Also how a machine without libcuda.so.1 shows.
        reason = " ".join(str(error).split())
        raise CudaError(
            f"pycuda cannot be used ({reason}): install `sidewitness[tensorrt]` and NVIDIA's driver, {CPU}"
        ) from None
    return pycuda.driver


@contextmanager
def _explained(driver: Any) -> Iterator[None]:
    try:
        yield
    except driver.MemoryError as error:
        raise CudaError(f"the memory of the GPU is full ({_line(error)}): free some, see nvidia-smi, {CPU}") from None
    except driver.LaunchError as error:
        # The context is lost with it, and with the context everything of this process on the GPU.
        raise CudaError(f"the GPU failed ({_line(error)}): restart sidewitness, {CPU}") from None
    except driver.Error as error:
        raise CudaError(f"CUDA refused ({_line(error)}): look with sidewitness doctor, {CPU}") from None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
