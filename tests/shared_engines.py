"""What the tests of a process share of engines: each pack of the installation compiled once, nothing computed twice.

An engine has no state, may be called from several threads, and gives the same numbers for the same inputs. So tests
that load the models anew (as each command does that is run within the process) get those that are there, and tests that
read the same pictures get the numbers that were computed for them before.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines import load
from engines.base import MODELS, Arrays, Engine, FloatArray, ModelPack, check_inputs
from engines.registry import BUILT_IN, EngineSpec
from engines.runtimes import openvino
from engines.runtimes.onnx import OnnxEngine
from engines.runtimes.openvino import OpenVinoEngine

# The oldest go first.
MAX_BYTES = 256 << 20

Outputs = dict[str, FloatArray]
Run = Callable[[Any, Arrays], Outputs]


@contextmanager
def compiled_once() -> Iterator[None]:
    """Compile each pack of the installation once for this process."""
    build = load._build
    built: dict[tuple[EngineSpec, Path, str, bool], Engine] = {}

    def shared(spec: EngineSpec, pack: ModelPack) -> Engine:
        # A test that takes a runtime away means to see what happens without it.
        is_taken_away = isinstance(spec.build, str) and sys.modules.get(spec.build.partition(":")[0], ...) is None
        if is_taken_away or pack.folder.parent != MODELS or not any(spec is known for known in BUILT_IN):
            return build(spec, pack)
        # Asked of the module each time: a test may say that this CPU has none.
        key = spec, pack.folder, pack.manifest.sha256, openvino.has_bf16()
        if key not in built:
            built[key] = build(spec, pack)
        return built[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "_build", shared)
        yield


class RunMemory:
    """The outputs of a runtime by the model, its settings and every byte of the inputs; off until it is switched on."""

    def __init__(self) -> None:
        self.on = False
        self._lock = threading.Lock()
        self._outputs: OrderedDict[bytes, Outputs] = OrderedDict()
        self._bytes = 0

    def around(self, run: Run) -> Run:
        """Give the method of an engine that asks here first."""
        return lambda engine, inputs: self._run(run, engine, inputs)

    def _run(self, run: Run, engine: Any, inputs: Arrays) -> Outputs:
        if not self.on:
            return run(engine, inputs)
        check_inputs(engine.manifest, inputs)
        key = _key(engine, inputs)
        found = self._outputs.get(key)
        if found is None:
            found = run(engine, inputs)
            self._keep(key, found)
        return {name: output.copy() for name, output in found.items()}

    def _keep(self, key: bytes, outputs: Outputs) -> None:
        with self._lock:
            if key not in self._outputs:
                self._outputs[key] = {name: output.copy() for name, output in outputs.items()}
                self._bytes += sum(output.nbytes for output in outputs.values())
            while self._bytes > MAX_BYTES:
                _, oldest = self._outputs.popitem(last=False)
                self._bytes -= sum(output.nbytes for output in oldest.values())


def _key(engine: Any, inputs: Arrays) -> bytes:
    settings = getattr(engine, "_config", None)
    found = hashlib.sha256(f"{type(engine).__name__} {engine.manifest.sha256} {settings}".encode())
    for name, array in sorted(inputs.items()):
        found.update(f" {name} {array.shape} {array.dtype} ".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.digest()


@contextmanager
def computed_once() -> Iterator[RunMemory]:
    """Have the runtimes of the CPU compute nothing twice while the memory that is given is switched on."""
    memory = RunMemory()
    with pytest.MonkeyPatch.context() as patch:
        for kind in (OpenVinoEngine, OnnxEngine):
            patch.setattr(kind, "run", memory.around(kind.run))
        yield memory
