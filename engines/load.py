"""From a pack's name to a warm engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engines.base import MODELS, Compiler, Engine, EngineError, ModelPack
from engines.compose.deferred import Deferred
from engines.compose.swap import SwappingEngine
from engines.packs import load_pack
from engines.registry import BUILT_IN, EngineName, EngineSpec, engine_names, find_engine, resolve

# The smallest pack of the installation: what an engine without a probe of its own is tried with.
SMALL_PACK = "face_detector"


def load_engine(name: str, engine: EngineName = "openvino", models: Path = MODELS, wait: bool = False) -> Engine:
    """Verify, compile and warm up the pack `models/name`; raises `EngineError` with one line that says what to do.

    A pack whose manifest names an `engine` under `preprocessing` runs in that one, whatever is asked for. An engine
    that has a substitute (TensorRT) compiles in the background while that one serves, and it serves again should the
    device fail; with `wait` the engine is compiled now, and nothing takes its place.
    """
    spec = find_engine(engine)
    pack = load_pack(models / name)
    required = pack.manifest.preprocessing.get("engine", engine)
    if required != engine:
        if required not in engine_names():
            raise EngineError(f"the pack {name} wants the engine {required!r}, which is not there: update sidewitness")
        spec = find_engine(required)
    built = _build(spec, pack) if wait or spec.substitute is None else _build_behind(spec, spec.substitute, pack)
    built.warm_up()
    return built


def defer_engine(name: str, engine: EngineName = "openvino", models: Path = MODELS) -> Deferred:
    """Verify the pack `models/name` now and compile it later; raises `EngineError` where it is missing or altered."""
    return Deferred(load_pack(models / name).manifest, partial(load_engine, name, engine, models))


def pack_names(models: Path = MODELS) -> list[str]:
    """Names of the packs in `models`, sorted: the folders that have a manifest."""
    return sorted(path.parent.name for path in models.glob("*/manifest.json"))


def probe_engine(spec: EngineSpec) -> str:
    """Say in a few words what of an engine is here; raises `EngineError` where it cannot run."""
    if spec.probe is not None:
        return str(_call(spec, spec.probe))
    load_engine(SMALL_PACK, spec.name)
    try:
        return f"runs ({version(spec.distribution)})" if spec.distribution else "runs"
    except PackageNotFoundError:
        return "runs"


def open_compiler(spec: EngineSpec) -> Compiler:
    """Open what compiles packs for an engine ahead of time; raises `EngineError` where it has none, or none runs."""
    if spec.compiler is None:
        able = " or ".join(other.name for other in BUILT_IN if other.compiler is not None)
        raise EngineError(f"the engine {spec.name} compiles nothing ahead of time: use {able}")
    compiler: Compiler = _call(spec, spec.compiler)
    return compiler


def _build(spec: EngineSpec, pack: ModelPack) -> Engine:
    built = _call(spec, spec.build, pack)
    if not isinstance(built, Engine):
        raise EngineError(f"the engine {spec.name} built a {type(built).__name__}, no engine: update its package")
    return built


def _build_behind(spec: EngineSpec, substitute: EngineName, pack: ModelPack) -> Engine:
    if spec.probe is not None:
        # What is missing altogether is said now, not in the background.
        _call(spec, spec.probe)
    return SwappingEngine(_build(find_engine(substitute), pack), partial(_build, spec, pack), spec.name)


def _call(spec: EngineSpec, target: str | Callable[..., Any], *arguments: Any) -> Any:
    # A runtime takes a tenth of a second or more to import: only the one that is asked for is.
    try:
        return resolve(target)(*arguments)
    except ImportError as error:
        raise EngineError(f"the engine {spec.name} cannot be imported ({error}): {spec.remedy}") from None
