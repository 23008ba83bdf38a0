"""What an encoder wants to be fed: read off its pack's manifest, so that a pack brings its own pictures and sound.

The packs that are shipped say nothing and get what has always been made: 36 x 36 mouths beside the lips' landmarks, and
80 log-mel bands. Nothing else is then computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from engines.base import EngineError, Manifest
from monitor.face.encoder_crops import PICTURES
from monitor.voice.fronts import FRONTS

DEFAULT_PICTURES, DEFAULT_SOUND = "mouth36", "mel80"


@dataclass(frozen=True, slots=True)
class Wants:
    """The kinds of pictures (`monitor.face.encoder_crops`) and of sound features (`monitor.voice.fronts`)."""

    pictures: str = DEFAULT_PICTURES
    sound: str = DEFAULT_SOUND

    @property
    def name(self) -> str:
        """Part of the key under which features are kept; empty for the shipped packs."""
        return "" if self == DEFAULT else f"{self.pictures}-{self.sound}"


DEFAULT = Wants()


def wants_of(lips: Manifest, voice: Manifest) -> Wants:
    """Read both manifests' `preprocessing`; raises `EngineError` for a kind that is not known."""
    pictures = str(lips.preprocessing.get("pictures", DEFAULT_PICTURES))
    sound = str(voice.preprocessing.get("sound", DEFAULT_SOUND))
    for kind, known, pack in ((pictures, PICTURES, lips), (sound, FRONTS, voice)):
        if kind not in known:
            raise EngineError(f"{pack.name} wants {kind!r}, which is not one of {', '.join(known)}: update sidewitness")
    return Wants(pictures, sound)
