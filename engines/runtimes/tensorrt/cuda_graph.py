"""CUDA graphs: work recorded on a stream once and launched with one call ever after.

pycuda 2026.1 has no interface to graphs, so these few functions of the driver are called directly, with the prototypes
of CUDA 13's `cuda.h`; streams cross over as their handles.
https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__GRAPH.html
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from engines.runtimes.tensorrt.cuda import CPU, CudaError

LIBRARY = "libcuda.so.1"
# Only calls of the capturing thread are held to the rules of a capture: others may allocate meanwhile.
CAPTURE_THREAD_LOCAL = 1

_HANDLE = ctypes.c_void_p
_OUT = ctypes.POINTER(ctypes.c_void_p)
PROTOTYPES: dict[str, Sequence[Any]] = {
    "cuStreamBeginCapture_v2": (_HANDLE, ctypes.c_int),
    "cuStreamEndCapture": (_HANDLE, _OUT),
    "cuGraphInstantiateWithFlags": (_OUT, _HANDLE, ctypes.c_ulonglong),
    "cuGraphLaunch": (_HANDLE, _HANDLE),
    "cuGraphExecDestroy": (_HANDLE,),
    "cuGraphDestroy": (_HANDLE,),
    "cuGetErrorName": (ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)),
}


@functools.cache
def load_driver() -> Any:
    """Load the driver's library with the prototypes above; raises `CudaError` where it is absent or too old."""
    try:
        library = ctypes.CDLL(LIBRARY)
        for name, arguments in PROTOTYPES.items():
            function = getattr(library, name)
            function.argtypes, function.restype = list(arguments), ctypes.c_int
    except (OSError, AttributeError) as error:
        raise CudaError(f"the NVIDIA driver cannot be used ({error}): install one for CUDA 13, {CPU}") from None
    return library


class CudaGraph:
    """What one capture recorded, ready to launch; needs the context current, also to `close`."""

    def __init__(self, library: Any, executable: ctypes.c_void_p) -> None:
        self._library, self._executable = library, executable

    def launch(self, stream: int) -> None:
        """Enqueue the recorded work on the stream of this handle."""
        code = self._library.cuGraphLaunch(self._executable, stream)
        if code:
            _refuse(self._library, "cuGraphLaunch", code)

    def close(self) -> None:
        """Destroy it; it is not launched again."""
        self._library.cuGraphExecDestroy(self._executable)


def capture(library: Any, stream: int, work: Callable[[], None]) -> CudaGraph:
    """Record what `work` enqueues on the stream, without running it.

    Raises `CudaError` when something of it cannot be captured, and what `work` raises; the stream is usable after both.
    """
    graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
    _call(library, "cuStreamBeginCapture_v2", stream, CAPTURE_THREAD_LOCAL)
    try:
        work()
    except BaseException:
        # A stream stays in capture until that is ended, whatever became of the capture.
        library.cuStreamEndCapture(stream, ctypes.byref(graph))
        _destroy(library, graph)
        raise
    _call(library, "cuStreamEndCapture", stream, ctypes.byref(graph))
    try:
        _call(library, "cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, 0)
    finally:
        _destroy(library, graph)
    return CudaGraph(library, executable)


def _destroy(library: Any, graph: ctypes.c_void_p) -> None:
    if graph.value:
        library.cuGraphDestroy(graph)


def _call(library: Any, name: str, *arguments: Any) -> None:
    code = getattr(library, name)(*arguments)
    if code:
        _refuse(library, name, code)


def _refuse(library: Any, name: str, code: int) -> NoReturn:
    said = ctypes.c_char_p()
    library.cuGetErrorName(code, ctypes.byref(said))
    reason = said.value.decode() if said.value else f"code {code}"
    raise CudaError(f"CUDA refused ({name}: {reason}): look with sidewitness doctor, {CPU}")
