"""What a release holds, as a software bill of materials (CycloneDX 1.6, JSON): every distribution and model pack.

`python .ci/sbom.py SITE FILE` describes the packages of a folder, such as an environment's site-packages, and the packs
in it, and writes what the specification's schema accepts.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "sidewitness"
# What an environment has to install with, which is not shipped.
TOOLS = {"pip", "setuptools"}
# Longer "licences" are whole texts, which some distributions put into the field.
MAX_LICENCE_CHARS = 120


class BomError(Exception):
    """The list cannot be made; the message says why."""


def licence_of(distribution: Distribution) -> License | LicenseExpression | None:
    """Read the licence that a distribution declares: an SPDX expression, a name, or what its classifiers say."""
    about: Any = distribution.metadata
    classifiers = [line.rpartition("::")[2].strip() for line in about.get_all("Classifier", []) if "License ::" in line]
    named = [about.get("License-Expression"), about.get("License"), " AND ".join(classifiers)]
    name = next((text for text in named if text and "\n" not in text and len(text) <= MAX_LICENCE_CHARS), None)
    return LicenseFactory().make_from_string(name) if name else None


def library(distribution: Distribution) -> Component:
    """Describe one distribution."""
    name = canonicalize_name(distribution.metadata["Name"])
    licence = licence_of(distribution)
    return Component(
        type=ComponentType.APPLICATION if name == PROJECT else ComponentType.LIBRARY,
        name=name,
        version=distribution.version,
        bom_ref=f"pypi:{name}",
        purl=PackageURL("pypi", name=name, version=distribution.version),
        licenses=[licence] if licence else [],
    )


def sha256(path: Path) -> list[HashType]:
    """Hash a file."""
    return [HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(path.read_bytes()).hexdigest())]


def model(folder: Path) -> Component:
    """Describe a model pack, and every file of it by its hash."""
    manifest = json.loads((folder / "manifest.json").read_text())
    source = re.search(r"https?://\S+", manifest["source"])
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=manifest["name"],
        version=manifest["version"],
        bom_ref=f"pack:{manifest['name']}",
        description=manifest["source"],
        hashes=sha256(folder / "model.onnx"),
        licenses=[LicenseFactory().make_from_string(manifest["licence"])],
        external_references=[
            ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(source[0].rstrip(".,;)")))
        ]
        if source
        else [],
        components=[
            Component(
                type=ComponentType.FILE,
                name=path.name,
                bom_ref=f"pack:{manifest['name']}/{path.name}",
                hashes=sha256(path),
            )
            for path in sorted(folder.iterdir())
        ],
    )


def needed(distribution: Distribution) -> set[str]:
    """Name what a distribution needs here, without extras."""
    lines = map(Requirement, distribution.requires or ())
    return {canonicalize_name(line.name) for line in lines if not line.marker or line.marker.evaluate({"extra": ""})}


def describe(site: Path) -> Bom:
    """Describe what lies in a folder; raises `BomError` where the project is not among it."""
    named = {canonicalize_name(one.metadata["Name"]): one for one in distributions(path=[str(site)])}
    found = {name: named[name] for name in sorted(named.keys() - TOOLS)}
    if PROJECT not in found:
        raise BomError(f"{site} holds no {PROJECT}: install the wheel there")
    components: dict[str, Component] = {name: library(one) for name, one in found.items()}
    packs = [model(manifest.parent) for manifest in sorted(site.glob("engines/models/*/manifest.json"))]
    bom = Bom(components=[component for name, component in components.items() if name != PROJECT] + packs)
    bom.metadata.component = components[PROJECT]
    for name, one in found.items():
        uses: Iterable[Component] = [components[other] for other in sorted(needed(one)) if other in components]
        bom.register_dependency(components[name], [*uses, *packs] if name == PROJECT else uses)
    return bom


def written(bom: Bom) -> str:
    """Write as JSON; raises `BomError` where the schema of CycloneDX does not accept it."""
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        raise BomError(f"the list is no CycloneDX 1.6: {error}")
    return text


def main(site: Path, file: Path) -> int:
    """Describe a folder in a file."""
    try:
        bom = describe(site)
        text = written(bom)
    except BomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    models = sum(component.type is ComponentType.MACHINE_LEARNING_MODEL for component in bom.components)
    print(f"{len(bom.components) - models} packages and {models} model packs")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
