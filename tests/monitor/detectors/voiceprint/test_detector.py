"""One voice against the claimed person's: told, or abstained from for a reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.detectors.reference import TemplateError, pack_arrays
from monitor.detectors.voiceprint.detector import Heard, VoiceprintDetector, speech_seconds, together
from monitor.detectors.voiceprint.people import VoicePeople
from monitor.detectors.voiceprint.reference import VoiceReference
from monitor.types import Reason
from monitor.voice.mel40 import PIECE_SAMPLES
from tests.monitor.detectors.voiceprint.voices import KEY, direction, ears, people, voice

REFERENCE = VoiceReference(KEY, ("as recorded", "elsewhere"), np.stack([direction(7), direction(30)]), 40.0)


def heard(person: int, count: int = 4, start: int = 0) -> list[Heard]:
    sounds = [voice(person, PIECE_SAMPLES, (start + n) * 12_800) for n in range(count)]
    steps = [(start + n) * 20 for n in range(count)]
    return [Heard(first, first + 40, vector) for first, vector in zip(steps, ears()(sounds), strict=True)]


def test_another_voice_is_told_from_ones_own() -> None:
    detector = VoiceprintDetector(people())
    own, other = detector.score(heard(7), REFERENCE), detector.score(heard(8), REFERENCE)
    assert own.value is not None
    assert other.value is not None
    assert own.value < other.value
    assert other.p_value == pytest.approx(1 / 21)
    assert (own.p_value or 0) > 0.1
    assert own.one_sided
    assert own.evidence["line"] == "as recorded"
    assert own.evidence["speech_seconds"] == pytest.approx(4.04)


def test_whether_the_voice_is_still_that_of_the_calls_start_is_shown_and_does_not_count() -> None:
    # Three times as many people, whose least p-value says that something changed.
    few = people()
    many = VoicePeople(few.key, few.cohort, np.tile(few.scores, 3), np.arange(60), few.usual, few.together)
    detector, start = VoiceprintDetector(many), heard(7, 6, start=20)
    stays, turns = detector.score(heard(7), REFERENCE, start), detector.score(heard(8), REFERENCE, start)
    assert stays.changed is False
    assert turns.changed is True
    assert turns.evidence["within_call"] == {"p_value": round(1 / 61, 4)}
    assert turns.p_value == detector.score(heard(8), REFERENCE).p_value
    # Too little of a start, or one of two voices, is none.
    for none in (heard(7, 5, start=20), [*heard(7, 3, start=20), *heard(8, 3, start=30)]):
        score = VoiceprintDetector(replace(many, together=0.95)).score(heard(7), REFERENCE, none)
        assert score.changed is None
        assert "within_call" not in score.evidence


def test_the_rung_that_is_most_alike_is_compared() -> None:
    assert VoiceprintDetector(people()).score(heard(30), REFERENCE).evidence["line"] == "elsewhere"


def test_less_than_three_seconds_of_speech_are_not_judged() -> None:
    for count, spoken in ((0, 0.0), (1, 1.64), (2, 2.44)):
        score = VoiceprintDetector(people()).score(heard(7, count), REFERENCE)
        assert (score.value, score.reason) == (None, Reason.TOO_LITTLE_SPEECH)
        assert speech_seconds(heard(7, count)) == pytest.approx(spoken)
    assert VoiceprintDetector(people()).score(heard(7, 3), REFERENCE).value is not None


def test_two_voices_are_not_judged() -> None:
    both = [*heard(7, 2), *heard(8, 2, start=2)]
    score = VoiceprintDetector(people(together=0.95)).score(both, REFERENCE)
    assert (score.value, score.reason) == (None, Reason.SEVERAL_VOICES)
    assert VoiceprintDetector(people(together=0.95)).score(heard(7), REFERENCE).value is not None


def test_pieces_that_share_speech_are_not_held_against_each_other() -> None:
    vectors = np.eye(3, 256, dtype=np.float32)
    assert together(vectors[:2]) == 1.0
    assert together(vectors) == 0.0


def test_what_sounds_like_nobody_is_not_judged() -> None:
    score = VoiceprintDetector(people(usual=0.999)).score(heard(7), REFERENCE)
    assert (score.value, score.reason) == (None, Reason.UNUSUAL_SOUND)


def test_it_says_why_nothing_can_be_compared() -> None:
    able, blind = VoiceprintDetector(people()), VoiceprintDetector(None)
    assert able.unable(REFERENCE, KEY) is None
    assert able.unable(None, KEY) is able.unable(REFERENCE, None) is Reason.NOT_ENROLLED
    assert able.unable(REFERENCE, "other") is Reason.REFERENCE_OUTDATED
    assert blind.unable(REFERENCE, KEY) is Reason.NOT_CALIBRATED
    other = VoiceprintDetector(people(key="other"))
    assert other.unable(REFERENCE, KEY) is Reason.NOT_CALIBRATED
    assert blind.score(heard(7), REFERENCE).reason is Reason.TOO_LITTLE_SPEECH


def test_a_reference_comes_back_as_it_was_written() -> None:
    again = VoiceReference.from_bytes(REFERENCE.to_bytes())
    assert (again.key, again.rungs, again.seconds) == (REFERENCE.key, REFERENCE.rungs, 40.0)
    np.testing.assert_array_equal(again.voices, REFERENCE.voices)
    fewer = VoiceReference(KEY, ("one",), REFERENCE.voices, 40.0)
    for bad in (b"", pack_arrays({"schema": np.array(1)}), fewer.to_bytes()):
        with pytest.raises(TemplateError, match="enrol the person again"):
            VoiceReference.from_bytes(bad)
