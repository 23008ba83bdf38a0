"""From a pack's ONNX to a TensorRT plan: compiled once for a GPU, stored on disk, read again at the next start.

TensorRT 11 networks are strongly typed: every tensor has the type that the ONNX says, so how exact an engine is lies
in the pack's graph (`engines.convert.precision`) and in no flag of the builder. There is one optimisation profile
per bucket, with the batch fixed to it. https://docs.nvidia.com/deeplearning/tensorrt/latest/
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.base import EngineError, Manifest, ModelPack, example_length
from engines.runtimes.buckets import BUCKETS
from engines.runtimes.tensorrt.cuda import CPU, Gpu, open_gpu
from engines.runtimes.tensorrt.plan_cache import PlanCache, PlanKey, Profile, default_folder, profiles_of

# Steps of a free axis that one call may have, if it has no longer usual length: memory for the longest is set aside in
# every bucket, 32 rows of them in the largest.
DEFAULT_MAX_STEPS = 32
# What a kernel may use while it runs; the packs are small.
WORKSPACE = 1 << 30
# The timings that choose kernels are wrong when two builds share the GPU.
_ALONE = threading.Lock()

log = logging.getLogger(__name__)


class BuildError(EngineError):
    """TensorRT cannot compile or read a plan; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Builder:
    """What compiles and keeps plans: the module `tensorrt`, a GPU, and the folder of plans."""

    trt: Any
    gpu: Gpu
    cache: PlanCache
    buckets: Sequence[int] = BUCKETS

    @property
    def title(self) -> str:
        """What it compiles for, as a heading for people."""
        return f"TensorRT on {self.gpu.name}"

    def about(self) -> dict[str, str]:
        """Return the GPU's name and the version of TensorRT."""
        return {"gpu": self.gpu.name, "tensorrt": self.trt.__version__}

    def key(self, manifest: Manifest) -> PlanKey:
        """Return everything that the plan of this pack depends on."""
        return PlanKey(
            model=manifest.sha256,
            profiles=_profiles(manifest, self.buckets),
            tensorrt=self.trt.__version__,
            capability=self.gpu.capability,
            driver=self.gpu.version,
            device=self.gpu.name,
        )

    def stored(self, pack: ModelPack) -> bytes | None:
        """Return the plan of this pack if it was built here before."""
        return self.cache.load(f"{self.key(pack.manifest).digest()}.plan")

    def build(self, pack: ModelPack, again: bool = False) -> bytes:
        """Return the plan of this pack, compiled now unless it was before, or `again`; raises `EngineError`."""
        with _ALONE:
            found = None if again else self.stored(pack)
            if found is not None:
                return found
            key = self.key(pack.manifest)
            timings = f"{key.machine()}.timing"
            with self.gpu.current():
                plan, measured = compile_plan(
                    self.trt, pack.model.read_bytes(), key.profiles, self.cache.load(timings) or b""
                )
            self.cache.store(f"{key.digest()}.plan", plan)
            self.cache.store(timings, measured)
            return plan


def import_tensorrt() -> Any:
    """Import TensorRT; raises `BuildError` where it is not installed whole."""
    try:
        import tensorrt
    except (ImportError, OSError) as error:
        # The bindings alone install anywhere; the libraries they need come from NVIDIA.
        reason = " ".join(str(error).split())
        raise BuildError(
            f"TensorRT cannot be imported ({reason}): install `sidewitness[tensorrt]` where NVIDIA's index can be "
            f"reached, {CPU}"
        ) from None
    return tensorrt


def probe() -> str:
    """Name the GPU and the versions that the engine would run with; raises `EngineError` where one is missing."""
    version, gpu = import_tensorrt().__version__, open_gpu()
    return f"{gpu.name}, compute capability {'.'.join(map(str, gpu.capability))}, TensorRT {version}"


def open_builder(folder: Path | None = None) -> Builder:
    """Import TensorRT and open the first GPU; raises `EngineError` where one of them is not there.

    Plans are stored in `folder`, by default that of this user's cache.
    """
    return Builder(import_tensorrt(), open_gpu(), PlanCache(folder or default_folder()))


def compile_plan(trt: Any, model: bytes, profiles: Sequence[Profile], timings: bytes) -> tuple[bytes, bytes]:
    """Compile an ONNX model, with the context current; return the plan and the timings to give the next time.

    Raises `BuildError` with the first thing that TensorRT objected to.
    """
    listening = listener(trt)
    builder = alive(trt.Builder(listening), listening)
    network = builder.create_network()
    parser = trt.OnnxParser(network, listening)
    if not parser.parse(model):
        raise BuildError(f"TensorRT cannot read the model ({_first_error(parser)}): report it, {CPU}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE)
    # TF32 keeps ten bits of a float32 in convolutions and products: asked for float32, give it.
    config.clear_flag(trt.BuilderFlag.TF32)
    cache = config.create_timing_cache(timings)
    if not config.set_timing_cache(cache, False):
        # Not of this TensorRT or GPU after all: measure again.
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    for profile in profiles:
        ranges = builder.create_optimization_profile()
        for name, least, best, most in profile.shapes:
            ranges.set_shape(name, least, best, most)
        if config.add_optimization_profile(ranges) < 0:
            raise BuildError(f"TensorRT refuses the shapes of batch {profile.bucket}: report it, {CPU}")
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BuildError(f"TensorRT cannot compile the model ({listening.said or 'it does not say why'}): {CPU[3:]}")
    return bytes(plan), bytes(config.get_timing_cache().serialize())


def read_plan(trt: Any, plan: bytes) -> tuple[Any, Any]:
    """Deserialise a plan that `PlanCache` verified, with the context current; return the engine and its runtime.

    The runtime has to outlive the engine.
    """
    listening = listener(trt)
    runtime = alive(trt.Runtime(listening), listening)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        reason = listening.said or "it does not say why"
        raise BuildError(f"TensorRT cannot read a compiled engine ({reason}): run sidewitness engines build --again")
    return engine, runtime


def listener(trt: Any) -> Any:
    """Make a logger for TensorRT that keeps its first error in `said` and sends the rest to our log."""

    class Listener(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.said = ""

        def log(self, severity: Any, message: str) -> None:
            text = " ".join(message.split())
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.said = self.said or text
                log.error("TensorRT: %s", text)
            elif severity == trt.ILogger.Severity.WARNING:
                log.warning("TensorRT: %s", text)

    return Listener()


def alive(thing: Any, listening: Any) -> Any:
    """Return what was just made, or raise `BuildError` if an error was logged while it was.

    Without a usable GPU, TensorRT 11.4 makes objects around a null pointer, and any use of one, deleting it included,
    ends the process: such an object is never let go.
    """
    if not listening.said:
        return thing
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    raise BuildError(f"TensorRT finds no GPU that it can use ({listening.said}): look with nvidia-smi, {CPU}")


def max_steps(manifest: Manifest) -> int:
    """Return how long a free axis may be in a call: twice the usual length, or more where that is short."""
    return max(DEFAULT_MAX_STEPS, 2 * example_length(manifest))


def _profiles(manifest: Manifest, buckets: Sequence[int]) -> tuple[Profile, ...]:
    return profiles_of(manifest.inputs, buckets, example_length(manifest), max_steps(manifest))


def _first_error(parser: Any) -> str:
    if not parser.num_errors:
        return "it does not say why"
    error = parser.get_error(0)
    return " ".join(f"{error.desc()} at {error.node_operator()} {error.node_name()}".split())
