"""The voice of a participant hop by hop: who speaks is heard, and what is not clear is left alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from monitor.detectors.base import Hop, Listening
from monitor.detectors.voiceprint.clip import score_clip
from monitor.detectors.voiceprint.encoder import VoiceEncoder
from monitor.detectors.voiceprint.info import INFO
from monitor.detectors.voiceprint.live import MAX_WAITING, OBSTACLES, LiveVoiceprint, LoadedVoiceprint
from monitor.detectors.voiceprint.reference import VoiceReference
from monitor.types import Reason, Score
from monitor.window.window import WindowBuffer
from tests.monitor.detectors.voiceprint.voices import KEY, Ears, chunk, direction, people, said, voice

PART = VoiceReference(KEY, ("as recorded",), direction(7)[None], 40.0).to_bytes()


@dataclass
class Compiled:
    """Engines that are there, or not yet."""

    ready: bool = True
    asked: int = 0

    def prepare(self) -> None:
        self.asked += 1


def hop(part: bytes | None = PART, obstacle: Reason | None = None, settled: bool = False) -> Hop:
    return Hop(WindowBuffer().window(), obstacle, settled=settled, part=part, enrolled=part is not None)


def live(compiled: Compiled | None = None, ears: Ears | None = None) -> LiveVoiceprint:
    return LoadedVoiceprint(VoiceEncoder(ears or Ears()), people()).live(5.0, compiled or Compiled())


def after(person: int, seconds: float = 7.0) -> LiveVoiceprint:
    """A participant who has spoken for so long, in the sixth of a second that calls bring."""
    detector, sound = live(), voice(person, round(seconds * 16_000))
    for first in range(0, round(seconds * 25), 4):
        detector.listen(chunk(first, sound[first * 640 : (first + 4) * 640], restarted=first == 0))
    return detector


def test_it_listens() -> None:
    assert isinstance(live(), Listening)
    assert live().observe is None


def test_another_voice_is_more_suspicious_than_ones_own() -> None:
    own, other = after(7).score(hop()), after(8).score(hop())
    assert own.value is not None
    assert other.value is not None
    assert own.value < other.value
    assert (own.p_value or 0) > (other.p_value or 1)
    assert INFO.stamp(other).cause is Reason.VOICE_MISMATCH
    assert INFO.stamp(other).withholds


def test_windows_that_do_not_overlap_share_no_speech() -> None:
    detector = after(8)
    detector.score(hop())
    # Five seconds later, in another voice: nothing of the first is left.
    detector.listen(chunk(175, voice(7, 16_000 * 7)))
    own, other = detector.score(hop()), after(8).score(hop())
    assert own.value is not None
    assert other.value is not None
    assert own.value < other.value - 1


def test_a_window_that_has_not_moved_is_not_scored_again() -> None:
    detector = after(7)
    assert detector.score(hop()).value is not None
    assert detector.score(hop()).reason is Reason.WARMING_UP


def test_a_recordings_last_second_is_heard_when_it_ends() -> None:
    before, settled = after(7, 3.8).score(hop()), after(7, 3.8).score(hop(settled=True))
    assert before.reason is Reason.TOO_LITTLE_SPEECH
    assert settled.value is not None


@pytest.mark.parametrize("reason", sorted(OBSTACLES))
def test_a_voice_that_did_not_come_whole_or_may_be_anothers_is_left_alone(reason: Reason) -> None:
    assert after(8).score(hop(obstacle=reason)).reason is reason


def test_a_poor_picture_does_not_keep_a_voice_from_being_judged() -> None:
    assert after(8).score(hop(obstacle=Reason.LOW_QUALITY)).value is not None


def test_nothing_is_encoded_where_nobody_is_enrolled() -> None:
    ears = Ears()
    detector = live(ears=ears)
    detector.listen(said(7, 7.0))
    assert detector.score(hop(None)).reason is Reason.NOT_ENROLLED
    assert detector.score(hop(b"garbled")).reason is Reason.REFERENCE_OUTDATED
    other = VoiceReference("other", ("as recorded",), direction(7)[None], 40.0).to_bytes()
    assert detector.score(hop(other)).reason is Reason.REFERENCE_OUTDATED
    assert ears.calls == 0
    assert LoadedVoiceprint(None, None).live(5.0, Compiled()).score(hop()).reason is Reason.NOT_ENROLLED


def test_it_waits_for_its_engine_and_hears_the_newest() -> None:
    compiled, ears = Compiled(ready=False), Ears()
    detector = live(compiled, ears)
    assert compiled.asked == 1
    detector.listen(said(8, 20.0))
    assert detector.score(hop()).reason is Reason.WARMING_UP
    assert ears.calls == 0
    compiled.ready = True
    assert detector.score(hop()).value is not None
    assert ears.calls == 1
    assert MAX_WAITING <= 8


def test_a_pause_and_another_stream_begin_anew() -> None:
    detector = after(8)
    detector.restart(WindowBuffer())
    assert detector.score(hop()).reason is Reason.WARMING_UP
    again = after(8)
    again.listen(chunk(9000, voice(7, 16_000 * 7), restarted=True))
    own = again.score(hop())
    assert own.value is not None
    assert own.value < (after(8).score(hop()).value or 0.0) - 1


def test_a_recording_is_judged_by_the_mean_of_its_windows() -> None:
    loaded = LoadedVoiceprint(VoiceEncoder(Ears()), people())
    hops = [Score("voiceprint", value, p_value=0.5, evidence={"line": str(value)}) for value in (-3.0, -1.0, 1.2)]
    whole = loaded.of_clip([*hops, INFO.abstain(Reason.TOO_LITTLE_SPEECH)], 0.1)
    assert whole.value == pytest.approx(np.mean([-3.0, -1.0, 1.2]))
    assert whole.p_value == people().p_value(whole.value or 0.0, once=True)
    assert (whole.evidence["line"], whole.evidence["windows"]) == ("-1.0", 3)
    assert loaded.of_clip([INFO.abstain(Reason.SEVERAL_VOICES)], 0.1).reason is Reason.SEVERAL_VOICES
    assert score_clip(hops, None).value is None


def test_references_of_other_weights_are_outdated() -> None:
    loaded = LoadedVoiceprint(VoiceEncoder(Ears()), people())
    assert not loaded.is_outdated(PART)
    assert loaded.is_outdated(VoiceReference("x", ("a",), direction(7)[None], 1.0).to_bytes())
    assert loaded.is_outdated(b"garbled")
    assert LoadedVoiceprint(None, None).is_outdated(PART)


def test_its_engine_can_be_shared() -> None:
    other = Ears()
    wrapped = LoadedVoiceprint(VoiceEncoder(Ears()), people()).through(lambda _: other)
    assert wrapped.encoder is not None
    assert wrapped.encoder.engine is other
    nothing = LoadedVoiceprint(None, None)
    assert nothing.through(lambda engine: engine) is nothing
    assert nothing.enrolling(True) is None
    assert wrapped.enrolling(True) is not None
