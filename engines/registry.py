"""Which engines there are: a record for each. Those of other packages come by entry points of `sidewitness.engines`.

A record names what builds the engine by a dotted path, so that no runtime is imported before it is asked for. A package
adds an engine without an edit here: a module with an `EngineSpec`, and in its pyproject

    [project.entry-points."sidewitness.engines"]
    name = "module:SPEC"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeAlias

from engines.base import Compiler, Engine, EngineError, ModelPack

EngineName: TypeAlias = str
GROUP = "sidewitness.engines"
OTHERWISE = "or choose the engine openvino"


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What is known of an engine before its runtime is imported. Callables may be given as paths "module:attribute".

    build: makes the engine of a verified pack; it may raise `EngineError`, or ImportError where the runtime is absent.
    remedy: what to do where the runtime cannot be imported.
    device: what it computes on.
    batched: whether participants are computed together where the setting `batching` is auto.
    required: whether every installation has it, so that `doctor` fails without it.
    distribution: the distribution whose version is that of the runtime.
    probe: says what of the engine is here (versions, the GPU) without compiling anything, and raises `EngineError`
        where it cannot run; without one `doctor` runs a small pack.
    substitute: the engine that serves while this one compiles in the background, and again should its device fail.
    compiler: opens what compiles packs ahead of time for `sidewitness engines build`.
    """

    name: EngineName
    build: str | Callable[[ModelPack], Engine]
    remedy: str
    device: Literal["cpu", "gpu"] = "cpu"
    batched: bool = False
    required: bool = False
    distribution: str = ""
    probe: str | Callable[[], str] | None = None
    substitute: EngineName | None = None
    compiler: str | Callable[[], Compiler] | None = None


_REINSTALL = "reinstall sidewitness"
_INSTALL_PYTORCH = f"install `sidewitness[pytorch]`, {OTHERWISE}"

BUILT_IN = (
    EngineSpec(
        name="openvino",
        build="engines.runtimes.openvino:OpenVinoEngine",
        remedy=_REINSTALL,
        required=True,
        distribution="openvino",
    ),
    EngineSpec(
        name="openvino-bf16",
        build="engines.runtimes.openvino:bf16_engine",
        remedy=_REINSTALL,
        distribution="openvino",
        probe="engines.runtimes.openvino:probe_bf16",
    ),
    EngineSpec(
        name="onnx",
        build="engines.runtimes.onnx:OnnxEngine",
        remedy=_REINSTALL,
        required=True,
        distribution="onnxruntime",
    ),
    EngineSpec(
        name="tensorrt",
        build="engines.runtimes.tensorrt.engine:build_engine",
        remedy=f"install `sidewitness[tensorrt]` on a machine with an NVIDIA GPU, {OTHERWISE}",
        device="gpu",
        batched=True,
        distribution="tensorrt",
        probe="engines.runtimes.tensorrt.build:probe",
        substitute="openvino",
        compiler="engines.runtimes.tensorrt.build:open_builder",
    ),
    EngineSpec(
        name="pytorch",
        build="engines.runtimes.pytorch.engine:TorchEngine",
        remedy=_INSTALL_PYTORCH,
        device="gpu",
        batched=True,
        distribution="torch",
        probe="engines.runtimes.pytorch.probe:probe",
    ),
    EngineSpec(
        name="pytorch-fp16",
        build="engines.runtimes.pytorch.engine:fp16_engine",
        remedy=_INSTALL_PYTORCH,
        device="gpu",
        batched=True,
        distribution="torch",
        probe="engines.runtimes.pytorch.probe:probe",
    ),
    EngineSpec(
        name="ray-pool",
        build="engines.pool.client:build_engine",
        remedy=f"install `sidewitness[cluster]`, {OTHERWISE}",
        distribution="ray",
        probe="engines.pool.on_ray:probe",
    ),
)
_BUILT_IN = {spec.name: spec for spec in BUILT_IN}


def engine_names() -> tuple[EngineName, ...]:
    """Names of all engines, the built-in ones first; none of them is imported."""
    installed = {point.name for point in entry_points(group=GROUP)} - _BUILT_IN.keys()
    return (*_BUILT_IN, *sorted(installed))


def find_engine(name: EngineName) -> EngineSpec:
    """Return the record of an engine; raises `EngineError` where there is none, or a third party's cannot be used.

    A built-in name cannot be taken over.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not points:
        raise EngineError(f"unknown engine {name!r}: use one of {', '.join(engine_names())}")
    if len(points) > 1:
        packages = " and ".join(sorted(map(_package, points.values())))
        raise EngineError(f"the engine {name} is in the packages {packages}: remove all but one")
    return _spec(next(iter(points.values())))


def resolve(target: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return what a record names by its path "module:attribute", imported now; a callable is returned as it is."""
    if callable(target):
        return target
    module, _, attribute = target.partition(":")
    found: Callable[..., Any] | None = getattr(import_module(module), attribute, None)
    if found is None:
        raise ImportError(f"{module} has no {attribute}")
    return found


def _spec(point: EntryPoint) -> EngineSpec:
    package = _package(point)
    try:
        spec = point.load()
    except Exception as error:
        # Somebody else's module: whatever it raises must not end a process that asked only for its name.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise EngineError(
            f"the engine {point.name} of the package {package} cannot be loaded ({reason}): reinstall or remove that "
            "package"
        ) from None
    if not isinstance(spec, EngineSpec) or spec.name != point.name:
        raise EngineError(
            f"the entry point {point.name} of the package {package} gives no EngineSpec of this name: update or remove "
            "that package"
        )
    return spec


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
