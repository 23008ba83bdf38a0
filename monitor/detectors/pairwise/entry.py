"""Pairwise in the registry: how it is loaded, and what of it is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.base import EngineError
from engines.packs import load_pack
from monitor.detectors.check import Check, check_of
from monitor.detectors.packs import PackLoader
from monitor.detectors.pairwise.info import INFO

if TYPE_CHECKING:
    from monitor.detectors.pairwise.live import LoadedPairwise
    from monitor.detectors.pairwise.population import Population
    from monitor.face.encoders import FaceEncoders

ARTEFACTS, IDENTITY = "face_artefacts", "face_identity"


class Pairwise:
    """See `monitor.detectors.base.Detector`."""

    info = INFO

    def load(self, packs: PackLoader) -> LoadedPairwise:
        """Load the encoders and what is known of people as they see them; raises `EngineError`."""
        from monitor.detectors.pairwise.live import LoadedPairwise

        encoders = load_face_encoders(packs)
        return LoadedPairwise(encoders, load_population(packs) if encoders else None)

    def check(self, packs: Path) -> Iterator[Check]:
        """Look for the encoder that compares faces, which only enrolled identities need."""
        name, folder = "identity encoder", packs / IDENTITY
        if not folder.exists():
            remedy = "pip install 'sidewitness[identity]', then sidewitness engines import dlib-face --accept-licence"
            yield Check(name, "optional", "not installed; only enrolled identities use it", remedy)
            return
        try:
            manifest = load_pack(folder).manifest
        except EngineError as error:
            yield check_of(name, error)
        else:
            yield Check(name, "ok", f"{manifest.licence}, sha256 {manifest.sha256[:12]}, as in its manifest")

    def describe(self, part: bytes) -> Mapping[str, Any]:
        """Say how many moments are compared with, and in which call conditions; raises `TemplateError`."""
        from monitor.detectors.pairwise.reference import PairwiseReference

        reference = PairwiseReference.from_bytes(part)
        return {"moments": len(reference.clip), "conditions": [rung.name for rung in reference.rungs]}


def load_face_encoders(packs: PackLoader | None = None) -> FaceEncoders | None:
    """Load what compares faces; None without the artefact pack, and without identity vectors where that pack is absent.

    Raises `EngineError`.
    """
    from monitor.face.encoders import FaceEncoders

    packs = packs or PackLoader()
    if not packs.has(ARTEFACTS):
        return None
    identity = packs.has(IDENTITY)
    return FaceEncoders(packs.deferred(ARTEFACTS), packs.deferred(IDENTITY) if identity else None)


def load_population(packs: PackLoader | None = None) -> Population | None:
    """Read what is known of people in general, beside the artefact pack; None where none is; raises `EngineError`."""
    from monitor.detectors.pairwise.population import FILE, Population

    return (packs or PackLoader()).beside(ARTEFACTS, FILE, Population.from_bytes)


DETECTOR = Pairwise()
