"""What the speech encoders take: read off their packs' manifests, so that a pack brings its own pictures and sound.

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
class InputSpec:
    """The kinds of pictures (`monitor.face.encoder_crops`) and of sound features (`monitor.voice.fronts`)."""

    pictures: str = DEFAULT_PICTURES
    sound: str = DEFAULT_SOUND

    @property
    def name(self) -> str:
        """Part of the key under which features are cached; empty for the shipped packs."""
        return "" if self == DEFAULT else f"{self.pictures}-{self.sound}"


DEFAULT = InputSpec()


def input_spec_of(lips: Manifest, voice: Manifest) -> InputSpec:
    """Read both manifests' `preprocessing`; raises `EngineError` for a kind that is not there."""
    pictures = str(lips.preprocessing.get("pictures", DEFAULT_PICTURES))
    sound = str(voice.preprocessing.get("sound", DEFAULT_SOUND))
    for kind, kinds, pack in ((pictures, PICTURES, lips), (sound, FRONTS, voice)):
        if kind not in kinds:
            raise EngineError(f"{pack.name} wants {kind!r}, which is not one of {', '.join(kinds)}: update sidewitness")
    return InputSpec(pictures, sound)
