"""The model packs that a session runs, loaded once and shared by all sessions of the process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from engines.base import MODELS, Engine
from engines.compose.deferred import Deferred
from engines.compose.stack import Stacked
from engines.compose.windowed import Windowed
from engines.load import defer_engine, load_engine
from engines.packs import load_pack
from engines.registry import EngineName
from monitor.detectors.base import Identifying, LoadedDetector
from monitor.detectors.packs import Load, PackLoader, home
from monitor.detectors.persona.entry import PERSONA
from monitor.detectors.reference import Reference
from monitor.detectors.registry import detectors
from monitor.detectors.synchrony.entry import LIPS, VOICE
from monitor.session.input_spec import DEFAULT, InputSpec, input_spec_of
from monitor.session.warm_later import Later

DETECTOR, LANDMARKS = "face_detector", "face_landmarks"
PACKS = (DETECTOR, LANDMARKS, LIPS, VOICE)
# The voice encoder that the models of movement learnt to listen by, where that is not the one of speech.
MOVEMENT_VOICE = "movement_voice"
# Built at installation, and done without where that was not possible.
PRESENCE = "speech_presence"
# What an encoder from elsewhere may bring besides: a network over the window, and a head into one space.
CONTEXT, HEAD = "_context", "_head"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """The two encoders of speech, each as one engine, and what they take."""

    lips: Engine
    voice: Engine
    input_spec: InputSpec


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """Warm engines of face and speech, what the speech encoders take, and every detector with what it loaded.

    `later` compiles what only a claimed identity needs, where that was put off. `presence` hears whether somebody
    speaks, None where its pack was not built. `movement_voice` is what the models of movement hear by, None where that
    is `voice`.
    """

    detector: Engine
    landmarks: Engine
    lips: Engine
    voice: Engine
    detectors: tuple[LoadedDetector, ...] = ()
    input_spec: InputSpec = DEFAULT
    later: Later = field(default_factory=Later)
    presence: Engine | None = None
    movement_voice: Engine | None = None

    def of(self, kind: type[T]) -> T:
        """Give the detector of this class; raises `LookupError` where there is none."""
        for loaded in self.detectors:
            if isinstance(loaded, kind):
                return loaded
        raise LookupError(f"no detector is a {kind.__name__}")

    @property
    def identifying(self) -> Identifying | None:
        """What tells whether two looks are of one person; None where that is not installed."""
        able = (loaded for loaded in self.detectors if isinstance(loaded, Identifying))
        return next((loaded for loaded in able if loaded.identifies), None)

    def is_outdated(self, reference: Reference) -> bool:
        """Whether any part of a reference was made by other encoders than these."""
        parts = ((loaded, reference.parts.get(loaded.info.name)) for loaded in self.detectors)
        return any(part is not None and loaded.is_outdated(part) for loaded, part in parts)

    def through(self, wrap: Callable[[Engine], Engine]) -> Models:
        """Give the same with every engine wrapped."""
        return Models(
            wrap(self.detector),
            wrap(self.landmarks),
            wrap(self.lips),
            wrap(self.voice),
            tuple(loaded.through(wrap) for loaded in self.detectors),
            self.input_spec,
            self.later,
            # Small, with a state for each stream, and asked too seldom for batches.
            self.presence,
            None if self.movement_voice is None else wrap(self.movement_voice),
        )


def load_models(
    engine: EngineName = "openvino", folder: Path = MODELS, defer: bool = False, load: Load = load_engine
) -> Models:
    """Verify, compile and warm up every pack; raises `EngineError` with one line that says what to do.

    A folder of imported encoders brings its own speech packs; the face models are then those of the installation. With
    `defer` what only a claimed identity needs is verified now and compiled by `Models.later`, or at its first call.
    `load` makes an engine of a pack.
    """
    put_off: list[Deferred] = []

    def later(name: str, engine: EngineName, models: Path) -> Engine:
        put_off.append(defer_engine(name, engine, models))
        return put_off[-1]

    detector, landmarks = (load(name, engine, home(name, folder)) for name in (DETECTOR, LANDMARKS))
    speech = load_speech(folder, engine, load=load)
    named = hashlib.sha256(" ".join(speech_key(folder)).encode()).hexdigest()
    at = movement_voice_home(folder)
    movement_voice = None if at is None else load(MOVEMENT_VOICE, engine, at)
    beside_motion = None if movement_voice is None else movement_voice.manifest.sha256
    sha256 = speech.voice.manifest.sha256
    packs = PackLoader(folder, engine, load, later if defer else load, sha256, named, beside_motion)
    loaded = tuple(each.load(packs) for each in detectors())
    presence = load_presence(folder, engine, load)
    return Models(
        detector,
        landmarks,
        speech.lips,
        speech.voice,
        loaded,
        speech.input_spec,
        Later(put_off),
        presence,
        movement_voice,
    )


def movement_voice_home(folder: Path = MODELS) -> Path | None:
    """Say where the voice encoder is that the models of movement listen by; raises `EngineError` if it is damaged.

    None where that is the one of speech, where there are no such models, or where nothing is made of sound that it
    takes.
    """
    at, persona = home(MOVEMENT_VOICE, folder), home(PERSONA, folder)
    if not (at / MOVEMENT_VOICE).exists() or not (persona / PERSONA).exists():
        return None
    wanted = load_pack(persona / PERSONA).manifest.preprocessing.get("voice")
    has_sound = speech_input_spec(folder).sound == DEFAULT.sound
    own = load_pack(folder / VOICE).manifest.sha256
    fits = wanted != own and wanted == load_pack(at / MOVEMENT_VOICE).manifest.sha256
    return at if fits and has_sound else None


def load_presence(folder: Path = MODELS, engine: EngineName = "openvino", load: Load = load_engine) -> Engine | None:
    """Load what hears whether somebody speaks, None where it was not built; raises `EngineError` if it is damaged."""
    at = home(PRESENCE, folder)
    return load(PRESENCE, engine, at) if (at / PRESENCE).exists() else None


def load_speech(
    folder: Path = MODELS, engine: EngineName = "openvino", heads: bool = True, load: Load = load_engine
) -> Speech:
    """Load the lip and voice encoders of a folder with what belongs to them; raises `EngineError`."""
    lips, voice = (_encoder(name, folder, engine, heads, load) for name in (LIPS, VOICE))
    return Speech(lips, voice, input_spec_of(lips.manifest, voice.manifest))


def _encoder(name: str, folder: Path, engine: EngineName, heads: bool, load: Load) -> Engine:
    built = load(name, engine, folder)
    if (folder / (name + CONTEXT)).exists():
        built = Stacked(built, Windowed(load(name + CONTEXT, engine, folder)))
    if heads and (folder / (name + HEAD)).exists():
        built = Stacked(built, load(name + HEAD, engine, folder))
    return built


@cache
def presence_key(folder: Path = MODELS) -> str:
    """Name what hears speech in this installation, in a few letters: features kept on disk depend on it.

    Raises `EngineError` where its pack is damaged.
    """
    pack = home(PRESENCE, folder) / PRESENCE
    return load_pack(pack).manifest.sha256[:8] if pack.exists() else "rhythm"


def speech_packs(folder: Path) -> list[str]:
    """Names of the packs in a folder that make up its speech encoders."""
    optional = [encoder + part for encoder in (LIPS, VOICE) for part in (CONTEXT, HEAD)]
    return [LIPS, VOICE, *(name for name in optional if (folder / name).exists())]


@cache
def speech_input_spec(folder: Path) -> InputSpec:
    """Say what the speech encoders of a folder take, without loading them; raises `EngineError`."""
    return input_spec_of(*(load_pack(folder / name).manifest for name in (LIPS, VOICE)))


def speech_key(folder: Path) -> list[str]:
    """Hashes of the speech packs of a folder, in order: what its vectors depend on; raises `EngineError`."""
    return [load_pack(folder / name).manifest.sha256 for name in speech_packs(folder)]
