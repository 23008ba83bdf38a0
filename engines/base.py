"""The one seam between Sidewitness and a runtime: named float32 arrays in, named float32 arrays out, batch first.

A `ModelPack` is a folder with `model.onnx`, `manifest.json`, `card.md` and the tables that belong to it; its manifest
is the only source of names, shapes, preprocessing and hashes. `engines.packs` reads it: a pack of which any file is not
what its manifest says is refused before a runtime reads it, one whose graph does not match it before it runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError

FloatArray = NDArray[np.float32]
Arrays = Mapping[str, FloatArray]
Shapes = Mapping[str, Sequence[int]]

MODELS = Path(__file__).parent / "models"
MODEL = "model.onnx"
SCHEMA = 1
# Steps a second of every stream of vectors.
GRID_HZ = 25
# Steps of a stream that an encoder with a state is given at once in a call: a fifth of a second.
CHUNK_STEPS = 5
# Steps of a window of movement: three seconds.
MOTION_WINDOW_STEPS = 75


class EngineError(SidewitnessError):
    """An engine or a model pack cannot be used; the message is one line that says what to do."""


class ModelPackError(EngineError):
    """A model pack is missing, incomplete or not what its manifest says."""


class InputError(EngineError):
    """An input has the wrong name, shape or type."""


class DeviceError(EngineError):
    """What an engine computes on has failed (a GPU, its driver, its memory); pack and input may be right."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name and shape of one float32 tensor without its batch axis; -1 is a free axis, equally long in all inputs."""

    name: str
    shape: tuple[int, ...]

    def check(self, array: FloatArray, batch: int | None = None) -> None:
        """Raise `InputError` unless `array` is float32 of shape (batch, *shape)."""
        if not isinstance(array, np.ndarray):
            raise InputError(f"input {self.name!r} is {type(array).__name__}, not a numpy array: convert it first")
        if array.dtype != np.float32:
            raise InputError(
                f"input {self.name!r} is {array.dtype}, not float32: convert it with .astype(numpy.float32)"
            )
        fits = array.ndim == len(self.shape) + 1 and all(
            declared in (-1, actual) for declared, actual in zip(self.shape, array.shape[1:], strict=False)
        )
        if not fits or array.shape[0] == 0:
            raise InputError(
                f"input {self.name!r} has shape {array.shape}, not (batch, {', '.join(map(str, self.shape))})"
            )
        if batch is not None and array.shape[0] != batch:
            raise InputError(
                f"input {self.name!r} has batch {array.shape[0]}, the other inputs {batch}: make them equal"
            )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model pack says of itself: `manifest.json`, schema 1; `sha256` is that of its model."""

    name: str
    version: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    licence: str
    source: str
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    # SHA-256 of every other file of the pack by its name.
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelPack:
    """A verified model pack on disk."""

    folder: Path
    manifest: Manifest

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL

    def read(self, file: str) -> bytes:
        """Return the content of a file that the manifest lists; raises `ModelPackError` where it is missing or altered.

        What is returned is what was hashed: nobody can change it in between.
        """
        path = self.folder / file
        try:
            content = path.read_bytes()
        except OSError:
            raise ModelPackError(f"{path} is missing: reinstall the model pack") from None
        if hashlib.sha256(content).hexdigest() != self.manifest.files.get(file):
            raise ModelPackError(
                f"{path} does not match the sha256 in its manifest: reinstall the model pack, do not run it"
            )
        return content


@runtime_checkable
class Engine(Protocol):
    """A compiled encoder. Thread-safe: `run` may be called from several threads at once."""

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        ...

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch of float32 arrays, batch first; raises `InputError` for anything the manifest does not allow.

        Inputs need not be contiguous. The arrays that come back belong to the caller: no later call writes into them.
        """
        ...

    def warm_up(self) -> None:
        """Run once on zeros, so that the first real call is not the slow one."""
        ...


class Compiler(Protocol):
    """What compiles packs for an engine ahead of time and stores the result on this machine."""

    @property
    def title(self) -> str:
        """What it compiles for, as a heading for people."""
        ...

    def about(self) -> dict[str, str]:
        """Return the same for programs: what it compiles for and with, by name."""
        ...

    def stored(self, pack: ModelPack) -> bytes | None:
        """Return what was compiled of this pack before, None where nothing was."""
        ...

    def build(self, pack: ModelPack, again: bool = False) -> bytes:
        """Compile unless that was done before, or `again`; raises `EngineError`."""
        ...


def check_inputs(manifest: Manifest, inputs: Arrays) -> None:
    """Raise `InputError` unless `inputs` are exactly the tensors of the manifest, one batch and one free length."""
    expected = {spec.name for spec in manifest.inputs}
    if set(inputs) != expected:
        raise InputError(f"{manifest.name} takes the inputs {sorted(expected)}, got {sorted(inputs)}")
    batch: int | None = None
    for spec in manifest.inputs:
        spec.check(inputs[spec.name], batch)
        batch = inputs[spec.name].shape[0]
    free_length(manifest, inputs)


def free_length(manifest: Manifest, inputs: Arrays) -> int | None:
    """Return the length of the free axes, None where there is none; raises `InputError` if they differ."""
    axes = ((spec.shape, inputs[spec.name].shape[1:]) for spec in manifest.inputs)
    lengths = {
        length for shape, actual in axes for declared, length in zip(shape, actual, strict=True) if declared == -1
    }
    if len(lengths) > 1:
        raise InputError(f"the inputs of {manifest.name} have the lengths {sorted(lengths)}: make them equal")
    return next(iter(lengths), None)


def check_interface(manifest: Manifest, inputs: Shapes, outputs: Shapes) -> None:
    """Raise `ModelPackError` unless a compiled graph has the tensors of its manifest.

    `inputs` and `outputs` are what the runtime reports: full shapes with the batch axis first, -1 for a free axis. The
    batch must be free; a shape that the runtime cannot tell (an output of unknown rank is `()`) is taken on trust.
    """
    for kind, specs, reported in (("inputs", manifest.inputs, inputs), ("outputs", manifest.outputs, outputs)):
        declared = sorted(spec.name for spec in specs)
        if not set(declared) <= set(reported) or (kind == "inputs" and set(declared) != set(reported)):
            raise ModelPackError(
                f"the model of {manifest.name} has {kind} {sorted(reported)}, its manifest says {declared}"
            )
        for spec in specs:
            if reported[spec.name] and not _agree(spec.shape, reported[spec.name]):
                raise ModelPackError(
                    f"the model of {manifest.name} has {spec.name!r} of shape {tuple(reported[spec.name])}, "
                    f"its manifest says (batch, {', '.join(map(str, spec.shape))})"
                )


def _agree(shape: tuple[int, ...], reported: Sequence[int]) -> bool:
    pairs = zip(shape, reported[1:], strict=False)
    return (
        len(reported) == len(shape) + 1
        and reported[0] == -1
        and all(actual in (-1, declared) for declared, actual in pairs)
    )


def example_length(manifest: Manifest) -> int:
    """Length of the free axes in a call, a warm-up or a comparison.

    It is `preprocessing.example_length` of the manifest, else `CHUNK_STEPS` for an encoder of a stream (one with a
    state) and 1 for others.
    """
    usual = CHUNK_STEPS if any(spec.name == "state" for spec in manifest.inputs) else 1
    return int(manifest.preprocessing.get("example_length", usual))


def zeros(manifest: Manifest, batch: int = 1, length: int | None = None) -> dict[str, FloatArray]:
    """Make inputs of zeros; free axes get `length`, by default the manifest's `example_length`."""
    length = example_length(manifest) if length is None else length
    return {
        spec.name: np.zeros((batch, *(length if n == -1 else n for n in spec.shape)), np.float32)
        for spec in manifest.inputs
    }
