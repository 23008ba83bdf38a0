"""Reads model packs, and refuses what is not whole or what nobody vouches for.

Every file of a pack is in its manifest with its hash, no other file lies beside them, and the manifest is one that the
project has signed or that the user trusts (`engines.trust`).
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines import documents
from engines.base import MODEL, MODELS, SCHEMA, Manifest, ModelPack, ModelPackError, TensorSpec
from engines.trust import MANIFEST, SIGNATURE, is_signed, is_trusted

MAX_MANIFEST_BYTES = 1 << 20
# Floats of one tensor at the example length: far above what a model here takes, far below what stops a machine.
MAX_TENSOR_FLOATS = 1 << 26
# What `preprocessing` says in whole numbers, and the largest of each that is believed.
WHOLE_NUMBERS = {"example_length": 10_000, "reach": 10_000, "chunk": 10_000}
FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def load_pack(folder: Path) -> ModelPack:
    """Read and verify the pack in `folder`, all of it; raises `ModelPackError` when anything is missing or altered."""
    pack = open_pack(folder)
    for file in pack.manifest.files:
        pack.read(file)
    return pack


def open_pack(folder: Path) -> ModelPack:
    """Read a pack's manifest and see who vouches for it, without hashing its files: `ModelPack.read` does, one by one.

    Raises `ModelPackError` for a manifest that cannot be used, a file that it does not list, or one that nobody signed
    or trusts.
    """
    raw = read_manifest(folder)
    pack = ModelPack(folder, parse_manifest(parse_json(raw, folder / MANIFEST), folder / MANIFEST))
    _check_files(pack)
    if not vouched(folder, pack.manifest.name, raw):
        remedy = (
            "its signature does not hold: reinstall the model pack, do not run it"
            if (folder / SIGNATURE).exists()
            else f"nobody signed or trusts it: if you made it, run `sidewitness engines trust {folder}`"
        )
        raise ModelPackError(f"the model pack {folder} is refused, {remedy}")
    return pack


def installed(folder: Path) -> list[ModelPack]:
    """Return the packs of a folder, by name, with the installation's where it lacks one.

    One that cannot be read is left out: nothing is run of what is told here.
    """
    found: dict[str, ModelPack] = {}
    for home in (folder, MODELS):
        for path in sorted(home.iterdir()) if home.is_dir() else ():
            if path.name not in found and (path / MANIFEST).is_file():
                with contextlib.suppress(ModelPackError):
                    found[path.name] = ModelPack(path, parse_manifest(parse_json(read_manifest(path), path), path))
    return list(found.values())


def read_manifest(folder: Path) -> bytes:
    """Return the bytes of a pack's manifest; raises `ModelPackError`."""
    path = folder / MANIFEST
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ModelPackError(
            f"no model pack in {folder}: reinstall sidewitness, or name a folder with a manifest.json"
        ) from None
    except OSError as error:
        raise ModelPackError(f"{path} cannot be read ({error.strerror}): reinstall the model pack") from None
    if len(raw) > MAX_MANIFEST_BYTES:
        raise ModelPackError(f"{path} is larger than {MAX_MANIFEST_BYTES >> 20} MiB: reinstall the model pack")
    return raw


def vouched(folder: Path, name: str, manifest: bytes) -> str | None:
    """Say who vouches for a manifest, "signed" or "trusted"; None where nobody does. Raises `TrustError`.

    A signed pack is one only under its own name: it does not stand in for another.
    """
    try:
        signature = (folder / SIGNATURE).read_bytes()
    except OSError:
        signature = b""
    if signature and (folder.name or folder.resolve().name) == name and is_signed(manifest, signature):
        return "signed"
    return "trusted" if is_trusted(manifest) else None


def parse_json(raw: bytes, path: Path) -> Any:
    """Parse the JSON of a manifest; raises `ModelPackError`."""
    try:
        return documents.parse_json(raw)
    except documents.DocumentError as error:
        raise ModelPackError(f"{path} cannot be read as JSON ({error}): reinstall the model pack") from None


def parse_manifest(raw: object, path: Path) -> Manifest:
    """Turn the JSON of a manifest into a `Manifest`; raises `ModelPackError` naming the field that is wrong."""
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA or isinstance(raw["schema"], bool):
        raise ModelPackError(f"{path} is not a manifest of schema {SCHEMA}: update sidewitness or the pack")
    if "files" not in raw and SHA256.fullmatch(str(raw.get("sha256"))):
        raise ModelPackError(
            f"{path} does not list the files of its pack, as packs made before did: make the pack again, "
            f"or, if it is yours, run `sidewitness engines trust {path.parent}`"
        )
    try:
        manifest = Manifest(
            name=str(raw["name"]),
            version=str(raw["version"]),
            sha256=str(raw["sha256"]),
            inputs=_tensors(raw, "inputs"),
            outputs=_tensors(raw, "outputs"),
            licence=str(raw["licence"]),
            source=str(raw["source"]),
            preprocessing=_preprocessing(raw),
            metrics=dict(raw.get("metrics", {})),
            recipe=dict(raw.get("recipe", {})),
            data=dict(raw.get("data", {})),
            files=_files(raw),
        )
        _check_sizes(manifest)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())[:120]
        raise ModelPackError(f"{path} lacks or garbles the field {why}: reinstall the model pack") from None
    return manifest


def _check_files(pack: ModelPack) -> None:
    try:
        found = {path.name for path in pack.folder.iterdir()} - {MANIFEST, SIGNATURE}
    except OSError as error:
        raise ModelPackError(f"{pack.folder} cannot be read ({error.strerror}): reinstall the model pack") from None
    if missing := sorted(pack.manifest.files.keys() - found):
        raise ModelPackError(f"{pack.folder / missing[0]} is missing: reinstall the model pack")
    if unknown := sorted(found - pack.manifest.files.keys()):
        raise ModelPackError(
            f"{pack.folder / unknown[0]} is not in the manifest of its pack: take it away, or, if you put it there, "
            f"run `sidewitness engines trust {pack.folder} --accept-changes`"
        )


def _files(raw: Mapping[str, Any]) -> dict[str, str]:
    files = dict(raw["files"])
    for file, digest in files.items():
        if not FILE_NAME.fullmatch(file) or file in (MANIFEST, SIGNATURE):
            raise ValueError(f"files: {file!r}")
        if not isinstance(digest, str) or not SHA256.fullmatch(digest):
            raise ValueError(f"files: sha256 of {file}")
    if files.get(MODEL) != raw["sha256"]:
        raise ValueError(f"files: {MODEL} has not the sha256 of the pack")
    return files


def _preprocessing(raw: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(raw.get("preprocessing", {}))
    for name, most in WHOLE_NUMBERS.items():
        value = given.get(name, 1)
        if type(value) is not int or not 0 <= value <= most or (name != "reach" and value == 0):
            raise ValueError(f"{name} of preprocessing")
    return given


def _tensors(raw: Mapping[str, Any], key: str) -> tuple[TensorSpec, ...]:
    specs = tuple(_tensor(tensor) for tensor in raw[key])
    if not specs or len({spec.name for spec in specs}) < len(specs):
        raise ValueError(key)
    return specs


def _tensor(raw: Mapping[str, Any]) -> TensorSpec:
    if raw.get("dtype", "float32") != "float32":
        raise ValueError(f"dtype of {raw['name']}")
    shape = tuple(raw["shape"])
    if any(type(n) is not int or (n != -1 and n < 1) for n in shape):
        raise ValueError(f"shape of {raw['name']}: {shape!r}")
    return TensorSpec(str(raw["name"]), shape)


def _check_sizes(manifest: Manifest) -> None:
    length = int(manifest.preprocessing.get("example_length", 1))
    for spec in (*manifest.inputs, *manifest.outputs):
        if math.prod(length if n == -1 else n for n in spec.shape) > MAX_TENSOR_FLOATS:
            raise ValueError(f"shape of {spec.name}: too large")
