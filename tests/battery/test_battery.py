"""Genuine people who are silent while there is something to hear: nobody is accused, and the reason says why.

Thirteen kinds of sound, each against moving and still faces of people whose clips are silent: 45 s a call by `make
long`, once for each of the two conditions that hear speech. In `make test` a few of them for 15 s, against the first
seconds of the clips, where the network hears it. The faces are research clips; the sounds are made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine
from engines.load import load_engine
from monitor.decision.decide import Decision
from monitor.detectors.packs import PackLoader
from monitor.detectors.synchrony.entry import DETECTOR, LIPS, VOICE
from monitor.detectors.synchrony.live import LoadedSynchrony
from monitor.lab.corpus.speech_features import ClipFeatures, extract
from monitor.lab.distortions.room_sounds import echo_of, levelled, mixed, room_sound
from monitor.session.models import load_presence
from monitor.tap.replay import read_clip
from monitor.types import SAMPLE_RATE_HZ, AudioBlock, FloatArray, Verdict
from monitor.voice.near import BELOW_OWN_DB
from tests.battery.calls import Face, Remembered, calls, clip_path, face_of, judged, reasons, worst
from tests.monitor.lab.corpus.first_seconds import FirstSeconds

pytestmark = pytest.mark.data

# Blows, music, voices, steady noise, tones: of each kind one or two in `make test`.
COMMON_SOUNDS = ("typing", "music", "singing", "fan", "ring tone", "baby")
OTHER_SOUNDS = ("pink noise", "white noise", "dog", "dtmf", "door", "cutlery", "traffic")
ROOM_SOUNDS = (*COMMON_SOUNDS, *OTHER_SOUNDS)
SHORT_SECONDS, LONG_SECONDS = 15.0, 45.0
# As much of the clip of somebody silent is analysed where calls are short.
READ_SECONDS = 7.0
SILENT = ("LivePortrait__d9", "LivePortrait__d3", "EAMM__surprised")
SPEAKING = ("MimicTalk__German_20s", "DiffDub__reconstruction__RD_Radio22_000_25fps__GT")
# A picture that does not move may be the reason as well as the sound.
ALLOWED = {"no_speech", "silence", "unusual_sound", "picture_frozen", "still_mouth"}


def features_of(
    data: Path, names: Sequence[str], detector: Engine, landmarks: Engine, seconds: float
) -> dict[str, ClipFeatures]:
    return {name: extract(clip_path(data, name), detector, landmarks, FirstSeconds(seconds)) for name in names}


@pytest.fixture(scope="module")
def lips() -> Engine:
    return load_engine(LIPS)


@pytest.fixture(scope="module")
def voice() -> Engine:
    return Remembered(load_engine(VOICE))


@pytest.fixture(scope="module")
def loaded() -> LoadedSynchrony:
    return DETECTOR.load(PackLoader())


@pytest.fixture(scope="module", params=[SHORT_SECONDS, pytest.param(LONG_SECONDS, marks=pytest.mark.long)])
def seconds(request: pytest.FixtureRequest) -> float:
    """How long a call is."""
    assert isinstance(request.param, float)
    return request.param


@pytest.fixture(scope="module")
def own_seconds(seconds: float) -> float:
    """How long those who speak do so."""
    return 10.0 if seconds == SHORT_SECONDS else 20.0


@pytest.fixture(scope="module")
def quiet(data_dir: Path, detector: Engine, landmarks: Engine, seconds: float) -> dict[str, ClipFeatures]:
    """Features of three silent people."""
    return features_of(data_dir, SILENT, detector, landmarks, READ_SECONDS if seconds == SHORT_SECONDS else seconds)


@pytest.fixture(scope="module")
def silent(quiet: dict[str, ClipFeatures], lips: Engine, seconds: float) -> dict[str, Face]:
    """Three silent people who move, and the same as pictures that do not."""
    moving = {f"{name}, moving": face_of(features, lips, seconds) for name, features in quiet.items()}
    return moving | {f"{name}, still": face_of(features, lips, seconds, still=True) for name, features in quiet.items()}


@pytest.fixture(scope="module")
def speaking(
    data_dir: Path, detector: Engine, landmarks: Engine, lips: Engine, own_seconds: float
) -> dict[str, tuple[Face, FloatArray]]:
    """People who speak, with their own sound."""
    found = features_of(data_dir, SPEAKING, detector, landmarks, own_seconds)
    return {
        name: (face_of(features, lips, len(features) / 25), sound_of(clip_path(data_dir, name), own_seconds))
        for name, features in found.items()
    }


@pytest.fixture(scope="module", params=["network", pytest.param("rhythm", marks=pytest.mark.long)])
def presence(request: pytest.FixtureRequest) -> Engine | None:
    """Each of the two conditions that hear speech."""
    if request.param == "rhythm":
        return None
    model = load_presence()
    if model is None:
        pytest.skip("the pack speech_presence was not built: make speech")
    return model


@pytest.fixture(scope="module")
def undisturbed(
    speaking: dict[str, tuple[Face, FloatArray]], voice: Engine, presence: Engine | None, loaded: LoadedSynchrony
) -> dict[str, list[Decision]]:
    """What is decided of people who speak where nothing else is heard."""
    return {name: calls({name: face}, sound, voice, presence, loaded)[name] for name, (face, sound) in speaking.items()}


def sound_of(clip: Path, seconds: float) -> FloatArray:
    items = FirstSeconds(seconds)(read_clip(clip))
    return np.concatenate([item.samples for item in items if isinstance(item, AudioBlock)])


@cache
def long_sound(kind: str, seconds: float) -> FloatArray:
    """A sound of the room for a whole call: 15 s of it, over and over."""
    return np.resize(sound_of_a_room(kind), round(seconds * SAMPLE_RATE_HZ))


@cache
def sound_of_a_room(kind: str) -> FloatArray:
    return room_sound(kind, 15.0)


def assert_nobody_is_accused(found: dict[str, list[Decision]], allowed: set[str]) -> None:
    assert {name: worst(decisions) for name, decisions in found.items()} == dict.fromkeys(found, Verdict.INCONCLUSIVE)
    assert {name: reasons(decisions) - allowed for name, decisions in found.items()} == {name: set() for name in found}


@pytest.mark.parametrize("kind", [*COMMON_SOUNDS, *(pytest.param(n, marks=pytest.mark.long) for n in OTHER_SOUNDS)])
def test_a_sound_of_the_room_accuses_nobody_who_is_silent(
    kind: str,
    silent: dict[str, Face],
    voice: Engine,
    presence: Engine | None,
    loaded: LoadedSynchrony,
    seconds: float,
) -> None:
    found = calls(silent, long_sound(kind, seconds), voice, presence, loaded)
    assert_nobody_is_accused(found, ALLOWED)
    assert sum(map(judged, found.values())) == 0


def test_the_sounds_are_what_the_first_condition_takes_for_speech() -> None:
    """Else the battery would show nothing."""
    from monitor.voice.activity import VoiceActivity

    shares = {kind: float(VoiceActivity()(long_sound(kind, 5.0)).mean()) for kind in ROOM_SOUNDS}
    assert min(shares.values()) > 0.1
    assert sum(share > 0.4 for share in shares.values()) >= 10


@pytest.mark.parametrize(
    ("under", "decibels"),
    [
        ("music", 5.0),
        pytest.param("pink noise", 5.0, marks=pytest.mark.long),
        ("typing", 5.0),
        pytest.param("fan", 5.0, marks=pytest.mark.long),
    ],
)
def test_speech_over_a_sound_of_the_room_stays_judged(
    under: str,
    decibels: float,
    speaking: dict[str, tuple[Face, FloatArray]],
    undisturbed: dict[str, list[Decision]],
    voice: Engine,
    presence: Engine | None,
    loaded: LoadedSynchrony,
) -> None:
    if presence is None:
        pytest.skip("the simpler condition loses speech in noise: it is stricter")
    noise = sound_of_a_room(under)
    heard = [({"": face}, mixed(sound, noise, decibels)) for face, sound in speaking.values()]
    noisy = sum(judged(calls(*each, voice, presence, loaded)[""]) for each in heard)
    clean = sum(map(judged, undisturbed.values()))
    assert clean > 18
    assert noisy >= 0.9 * clean


def test_speech_stays_judged(undisturbed: dict[str, list[Decision]]) -> None:
    for name, found in undisturbed.items():
        assert judged(found) > 0.5 * len(found), name
        assert worst(found) is Verdict.INCONCLUSIVE


def far_end(data: Path, seconds: float) -> FloatArray:
    """Another person's speech at full level, for as long as it takes."""
    speech = sound_of(clip_path(data, SPEAKING[1]), seconds)
    return levelled(np.resize(speech, round(seconds * SAMPLE_RATE_HZ)))


def test_faint_echo_accuses_no_listener(
    data_dir: Path,
    silent: dict[str, Face],
    voice: Engine,
    presence: Engine | None,
    loaded: LoadedSynchrony,
    seconds: float,
) -> None:
    """Thirty decibels below speech is fainter than anybody's speech that was measured."""
    found = calls(silent, echo_of(far_end(data_dir, seconds), -30.0), voice, presence, loaded)
    assert_nobody_is_accused(found, ALLOWED)


# Mouths that open and close as far as a speaker's, without a word: with echo that is louder than the bound of
# `monitor.voice.near`, these are dubs by everything that is measured.
AS_SPEAKING = {f"{name}, moving" for name in ("LivePortrait__d9", "EAMM__surprised")}


@pytest.mark.parametrize("decibels", [-20.0, -10.0])
def test_echo_below_their_own_speech_accuses_nobody_who_listens(
    decibels: float,
    data_dir: Path,
    silent: dict[str, Face],
    speaking: dict[str, tuple[Face, FloatArray]],
    voice: Engine,
    presence: Engine | None,
    loaded: LoadedSynchrony,
    seconds: float,
    own_seconds: float,
) -> None:
    """They have spoken for a while, and then listen to somebody at the far end for as long as the others do."""
    own, sound = speaking[SPEAKING[0]]
    steps = round(own_seconds * 25)
    spoken = levelled(sound[: round(own_seconds * SAMPLE_RATE_HZ)])
    faces = {
        name: Face(
            np.concatenate([own.lips[:steps], face.lips]),
            np.concatenate([own.usable[:steps], face.usable]),
            np.concatenate([own.doubts[:steps], face.doubts]),
        )
        for name, face in silent.items()
    }
    heard = np.concatenate([spoken, echo_of(far_end(data_dir, seconds), decibels)])
    found = calls(faces, heard, voice, presence, loaded)
    if decibels > -BELOW_OWN_DB:
        found = {name: decisions for name, decisions in found.items() if name not in AS_SPEAKING}
    assert {name: worst(decisions) for name, decisions in found.items()} == dict.fromkeys(found, Verdict.INCONCLUSIVE)
    listening = round((own_seconds + 10.0) / 0.5)
    heard_as_own = [judged(decisions[listening:]) for decisions in found.values()]
    assert decibels > -BELOW_OWN_DB or sum(heard_as_own) == 0
