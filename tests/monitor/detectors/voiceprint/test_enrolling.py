"""A voice is learnt on every line of the ladder, and advice says what would make it better."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from monitor.detectors.base import Listening, Material, Part, as_recorded
from monitor.detectors.voiceprint.enrolling import (
    MAX_SECONDS,
    MIN_SECONDS,
    SEVERAL,
    SHORT,
    TOO_LITTLE,
    EnrollingVoice,
    SpeechCollector,
)
from monitor.detectors.voiceprint.people import VoicePeople
from monitor.detectors.voiceprint.reference import VoiceReference
from monitor.types import FloatArray
from monitor.window.window import WindowBuffer
from tests.monitor.detectors.voiceprint.voices import KEY, direction, ears, people, said


def taken(person: int, seconds: float, most: float = 600.0) -> FloatArray:
    """What is taken of a clip in which somebody speaks for so long."""
    collector = SpeechCollector(most)
    assert isinstance(collector, Listening)
    assert collector.observe is None
    collector.restart(WindowBuffer())
    for first in range(0, round(seconds), 2):
        collector.listen(said(person, 2.0, first * 25))
        collector.hop()
    return np.asarray(collector.finish())


def quieter(sound: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    yield "as recorded", sound
    yield "reversed", sound[::-1]


def material(*clips: Any, ladder: Any = quieter) -> Material:
    nothing = np.zeros(0, np.int64)
    names, seconds = [str(n) for n in range(len(clips))], [1.0] * len(clips)
    return Material(names, seconds, [], [], nothing, [], lambda: iter(()), clips, sounds=ladder, lines=2)


def learn(*clips: Any, known: VoicePeople | None = None) -> tuple[Any, list[float]]:
    shares: list[float] = []
    side = EnrollingVoice(ears(), known)
    assert side.refuse(material(*clips)) == ()
    return side.learn(material(*clips), "2026-01-01T00:00:00.000Z", shares.append), shares


def asked(part: Part) -> list[str]:
    """What is asked of the person; what is asked of a single recording is another test's."""
    return [line for line in part.advice if not line.startswith("record ")]


def test_every_line_has_a_voice_of_its_own() -> None:
    part, shares = learn(taken(7, 40), taken(7, 10), None, known=people())
    reference = VoiceReference.from_bytes(part.data)
    assert (reference.key, reference.rungs) == (KEY, ("as recorded", "reversed"))
    assert reference.seconds == pytest.approx(50 // 1.64 * 1.64, abs=2)
    assert part.quality["voice_seconds"] == reference.seconds
    # These voices never pause: there is nothing between their sounds that noise could be known by.
    assert set(part.quality) == {"voice_seconds", "voice_above_noise_db", "voice_band_hz"}
    assert part.quality["voice_above_noise_db"] < 3
    assert [line.split(":")[0] for line in part.advice] == [
        "record 0 again in a quieter room",
        "record 1 again in a quieter room",
    ]
    assert float(reference.voices[0] @ direction(7)) > float(reference.voices[0] @ direction(8)) + 0.02
    assert asked(part) == []
    assert shares == [0.5, 1.0]


def test_too_little_speech_makes_no_part_and_little_is_said_to_be_little() -> None:
    part, _ = learn(taken(7, MIN_SECONDS - 2), None)
    assert (part.data, asked(part)) == (None, [TOO_LITTLE])
    assert len(part.advice) == 2
    nothing, _ = learn()
    assert (nothing.data, nothing.quality, nothing.advice) == (None, {"voice_seconds": 0.0}, (TOO_LITTLE,))
    short, _ = learn(taken(7, 20), known=people())
    assert asked(short) == [SHORT]
    assert short.data is not None


def test_two_voices_in_the_recordings_are_told() -> None:
    part, _ = learn(taken(7, 40), taken(8, 40), known=people(together=0.99))
    assert asked(part) == [SEVERAL]
    assert asked(learn(taken(7, 40), taken(8, 40))[0]) == []


def test_no_more_is_kept_than_helps() -> None:
    assert len(taken(7, 20, most=5.0)) == 3
    assert len(taken(7, 4, most=0.1)) == 1
    part, _ = learn(*[taken(7, 60)] * 2)
    assert VoiceReference.from_bytes(part.data).seconds <= MAX_SECONDS + 1


def test_without_a_ladder_there_is_one_line() -> None:
    sound = np.ones(10, np.float32)
    assert [name for name, _ in as_recorded(sound)] == ["as recorded"]
    side = EnrollingVoice(ears(), None)
    part = side.learn(material(taken(7, 20), ladder=as_recorded), "", lambda _: None)
    assert part.data is not None
    assert VoiceReference.from_bytes(part.data).rungs == ("as recorded",)
    assert isinstance(side.collect(5.0), SpeechCollector)
