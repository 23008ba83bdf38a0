"""An engine that takes over when it is compiled, and steps back when it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engines.base import Arrays, Engine, EngineError, FloatArray, InputError, Manifest
from engines.compose.swap import SwappingEngine
from engines.packs import load_pack
from engines.runtimes.onnx import OnnxEngine
from engines.runtimes.tensorrt.cuda import CudaError
from tests.engines import packs

ONES = {"a": np.ones((1, 3, 2), np.float32), "b": np.ones((1, 3, 2), np.float32)}
PATIENCE = 20.0


class Other:
    """An engine that can be told from another by its results, and fails when it is asked to."""

    def __init__(self, manifest: Manifest, error: Exception | None = None) -> None:
        self.manifest, self.error, self.warm = manifest, error, False

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        if self.error is not None and self.warm:
            raise self.error
        return {"sum": np.full((1, 3, 2), 7, np.float32)}

    def warm_up(self) -> None:
        self.run({})
        self.warm = True


@pytest.fixture
def serving(tmp_path: Path) -> Engine:
    return OnnxEngine(load_pack(packs.write(tmp_path)))


def value(engine: Engine) -> float:
    return float(engine.run(ONES)["sum"][0, 0, 0])


def test_what_is_there_serves_until_the_other_is_warm(serving: Engine) -> None:
    go = threading.Event()
    other = Other(serving.manifest)

    def build() -> Engine:
        assert go.wait(PATIENCE)
        return other

    engine = SwappingEngine(serving, build, "tensorrt")
    assert isinstance(engine, Engine)
    assert engine.manifest is serving.manifest
    assert (value(engine), engine.running, engine.wait(0.0)) == (2.0, serving, False)
    engine.warm_up()
    go.set()
    assert engine.wait(PATIENCE)
    assert (value(engine), engine.running, engine.failure, other.warm) == (7.0, other, None, True)


def _raises(error: Exception) -> Callable[[], Engine]:
    def build() -> Engine:
        raise error

    return build


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EngineError("no builder: install it"), "no builder: install it"),
        (KeyError("x"), "KeyError while it was compiled"),
    ],
)
def test_a_build_that_fails_leaves_what_serves(
    serving: Engine, caplog: pytest.LogCaptureFixture, error: Exception, said: str
) -> None:
    engine = SwappingEngine(serving, _raises(error), "tensorrt")
    assert engine.wait(PATIENCE)
    assert (value(engine), engine.running) == (2.0, serving)
    assert said in str(engine.failure)
    assert caplog.text.count("adder stays on the engine that served it") == 1


def test_a_gpu_that_fails_is_given_up_and_the_call_is_answered(
    serving: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Other(serving.manifest, CudaError("the GPU failed: restart"))
    engine = SwappingEngine(serving, lambda: failing, "tensorrt")
    assert engine.wait(PATIENCE)
    assert engine.running is failing
    assert [value(engine), value(engine)] == [2.0, 2.0]
    assert (engine.running, str(engine.failure)) == (serving, "the GPU failed: restart")
    assert caplog.text.count("stays on the engine") == 1


def test_several_callers_report_a_failure_once(serving: Engine, caplog: pytest.LogCaptureFixture) -> None:
    meet = threading.Barrier(4, timeout=PATIENCE)

    class Together(Other):
        def run(self, inputs: Arrays) -> dict[str, FloatArray]:
            if self.warm:
                meet.wait()
            return super().run(inputs)

    engine = SwappingEngine(serving, lambda: Together(serving.manifest, CudaError("gone")), "tensorrt")
    assert engine.wait(PATIENCE)
    values: list[float] = []
    threads = [threading.Thread(target=lambda: values.append(value(engine))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [2.0] * 4
    assert caplog.text.count("stays on the engine") == 1


def test_what_the_caller_did_wrong_is_the_callers(serving: Engine) -> None:
    wrong = Other(serving.manifest, EngineError("that is no input"))
    engine = SwappingEngine(serving, lambda: wrong, "tensorrt")
    assert engine.wait(PATIENCE)
    with pytest.raises(EngineError, match="that is no input"):
        engine.run(ONES)
    assert engine.running is wrong


def test_what_only_one_of_them_takes_is_run_by_that_one(serving: Engine) -> None:
    short = Other(serving.manifest, InputError("at most 32 steps"))
    engine = SwappingEngine(serving, lambda: short, "tensorrt")
    assert engine.wait(PATIENCE)
    assert value(engine) == 2.0
    assert (engine.running, engine.failure) == (short, None)
    with pytest.raises(InputError, match="takes the inputs"):
        engine.run({"a": ONES["a"]})


def test_no_call_falls_between_two_engines(serving: Engine) -> None:
    engine = SwappingEngine(serving, lambda: Other(serving.manifest), "tensorrt")
    seen = [value(engine)]
    while not engine.wait(0.0):
        seen.append(value(engine))
    seen.append(value(engine))
    assert set(seen) <= {2.0, 7.0}
    assert seen == sorted(seen)
