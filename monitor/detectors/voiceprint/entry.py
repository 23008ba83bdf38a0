"""Voiceprint in the registry: how it is loaded, and what of it is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.base import EngineError
from engines.packs import load_pack
from monitor.detectors.check import Check, check_of
from monitor.detectors.packs import PackLoader
from monitor.detectors.voiceprint.info import INFO

if TYPE_CHECKING:
    from monitor.detectors.voiceprint.encoder import VoiceEncoder
    from monitor.detectors.voiceprint.live import LoadedVoiceprint
    from monitor.detectors.voiceprint.people import VoicePeople

PACK = "voice_identity"
# Of the installation, and not of the pack, which is built from published weights.
PEOPLE = Path(__file__).parent / "people.npz"


class Voiceprint:
    """See `monitor.detectors.base.Detector`."""

    info = INFO

    def load(self, packs: PackLoader) -> LoadedVoiceprint:
        """Load the encoder and what is known of voices in general; raises `EngineError` for what is damaged."""
        from monitor.detectors.voiceprint.live import LoadedVoiceprint

        encoder = load_encoder(packs)
        return LoadedVoiceprint(encoder, load_voices() if encoder else None)

    def check(self, packs: Path) -> Iterator[Check]:
        """Look for the encoder that compares voices, which only enrolled identities need."""
        name, folder = "voice encoder", packs / PACK
        if not folder.exists():
            remedy = "make voiceprint, or sidewitness engines import resemblyzer WHEEL --accept-licence"
            yield Check(name, "optional", "not installed; only enrolled identities use it", remedy)
            return
        try:
            manifest, people = load_pack(folder).manifest, load_voices()
        except EngineError as error:
            yield check_of(name, error)
            return
        if people.key != manifest.version:
            missing = "of other weights than those whose genuine voices are known: nobody is compared"
            yield Check(name, "optional", missing, "sidewitness train voiceprints")
            return
        detail = f"{manifest.licence}, {people.people} genuine people, sha256 {manifest.sha256[:12]}"
        yield Check(name, "ok", detail)

    def describe(self, part: bytes) -> Mapping[str, Any]:
        """Say on how much speech the voice rests, and on which lines; raises `TemplateError`."""
        from monitor.detectors.voiceprint.reference import VoiceReference

        reference = VoiceReference.from_bytes(part)
        return {"voice_seconds": reference.seconds, "lines": list(reference.rungs)}


def load_encoder(packs: PackLoader | None = None) -> VoiceEncoder | None:
    """Load what compares voices, None where it was not built; raises `EngineError`."""
    from monitor.detectors.voiceprint.encoder import VoiceEncoder

    packs = packs or PackLoader()
    return VoiceEncoder(packs.deferred(PACK)) if packs.has(PACK) else None


def load_voices(file: Path = PEOPLE) -> VoicePeople:
    """Read what is known of voices in general; raises `EngineError` where it is missing or damaged."""
    from monitor.detectors.voiceprint.people import VoicePeople, VoicePeopleError

    try:
        return VoicePeople.from_bytes(file.read_bytes())
    except (OSError, VoicePeopleError) as error:
        raise EngineError(f"{file} cannot be read ({type(error).__name__}): reinstall sidewitness") from None


DETECTOR = Voiceprint()
