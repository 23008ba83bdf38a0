"""Persona in the registry: how it is loaded, and what of it is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.base import Engine, EngineError
from engines.load import load_engine
from engines.packs import load_pack
from monitor.detectors.check import Check, check_of
from monitor.detectors.packs import PackLoader
from monitor.detectors.persona.info import INFO

if TYPE_CHECKING:
    from monitor.detectors.persona.companion import MotionPopulation
    from monitor.detectors.persona.detector import PersonaPeople
    from monitor.detectors.persona.engines import PersonaEngines
    from monitor.detectors.persona.live import LoadedPersona

PERSONA, FIT, MOTION = "persona", "persona_tokens", "motion"
BASIS = "basis.npz"


class Persona:
    """See `monitor.detectors.base.Detector`."""

    info = INFO

    def load(self, packs: PackLoader) -> LoadedPersona:
        """Load the models of how a person moves and what these say of genuine people; raises `EngineError`."""
        from monitor.detectors.persona.live import LoadedPersona
        from monitor.face.expression import LANDMARKS

        engines = load_persona(packs)
        if engines is not None and engines.basis.name != LANDMARKS:
            # Coefficients of other trackers come in files: no call has them.
            engines = None
        return LoadedPersona(engines, load_people(packs) if engines else None)

    def check(self, packs: Path) -> Iterator[Check]:
        """Look for the models of how an enrolled person moves, and for what they say of genuine people."""
        name, loader = "movement", PackLoader(packs)
        if not (packs / PERSONA).exists():
            yield Check(name, "optional", "not installed; only enrolled identities use it", "reinstall sidewitness")
            return
        try:
            manifests = [load_pack(packs / pack).manifest for pack in (PERSONA, FIT)]
            companion, _ = load_companion(packs, loader)
            people = load_people(loader)
        except EngineError as error:
            yield check_of(name, error)
            return
        if people is None or people.key.split("-")[0] != manifests[0].sha256[:16]:
            missing = f"nobody is compared: the pack {PERSONA} has no genuine people"
            yield Check(name, "optional", missing, "sidewitness train people")
            return
        beside = (
            f"{PERSONA} {manifests[0].version} beside {MOTION}" if companion else f"{PERSONA} alone, without {MOTION}"
        )
        detail = f"{beside}, {people.people} genuine people, sha256 {manifests[0].sha256[:12]}"
        yield Check(name, "ok", detail)

    def describe(self, part: bytes) -> Mapping[str, Any]:
        """Nothing is told of how somebody moves."""
        return {}


def load_persona(packs: PackLoader | None = None) -> PersonaEngines | None:
    """Load the models of how a person moves; None without the pack, or where it wants to hear another voice encoder.

    Raises `EngineError`.
    """
    from monitor.detectors.persona import reconstruction
    from monitor.detectors.persona.engines import PersonaEngines
    from monitor.face.expression import ExpressionBasis

    packs = packs or PackLoader()
    if not packs.has(PERSONA):
        return None
    built = packs.deferred(PERSONA)
    if packs.voice is not None and built.manifest.preprocessing["voice"] != (packs.beside_motion or packs.voice):
        return None
    home = packs.home(PERSONA)
    basis = packs.beside(PERSONA, BASIS, ExpressionBasis.from_bytes)
    tokens = packs.beside(PERSONA, reconstruction.FILE, reconstruction.Tokens.from_bytes)
    if basis is None or tokens is None:
        raise EngineError(f"{home / PERSONA} lacks {BASIS} or {reconstruction.FILE}: reinstall the model pack")
    companion, population = load_companion(home, packs)
    fit = partial(load_engine, FIT, packs.engine, home) if (home / FIT).exists() else None
    return PersonaEngines(built, basis, tokens, companion, population, fit)


def load_companion(folder: Path, packs: PackLoader) -> tuple[Engine, MotionPopulation] | tuple[None, None]:
    """Load the companion and what is known of people as it sees them; nothing without either; raises `EngineError`.

    It is that of the persona pack in `folder`, and no other's.
    """
    from monitor.detectors.packs import read_beside
    from monitor.detectors.persona.companion import FILE, MotionPopulation

    population = read_beside(folder / MOTION, FILE, MotionPopulation.from_bytes)
    return (packs.later(MOTION, packs.engine, folder), population) if population is not None else (None, None)


def load_people(packs: PackLoader | None = None) -> PersonaPeople | None:
    """Read what is known of how genuine people move, beside the persona pack; None where none is.

    Raises `EngineError`.
    """
    from monitor.detectors.persona.detector import FILE, PersonaPeople

    return (packs or PackLoader()).beside(PERSONA, FILE, PersonaPeople.from_bytes)


DETECTOR = Persona()
