"""A recording that is played again is known by its sound; the same person who says something else is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.config import Settings
from monitor.decision.calibration import Calibration
from monitor.detectors.base import Hop, Material
from monitor.detectors.reference import Reference, TemplateError
from monitor.detectors.synchrony.enrolling import EnrollingSynchrony, Taken, VoiceCollector, mean_of
from monitor.detectors.synchrony.entry import DETECTOR
from monitor.detectors.synchrony.familiar import FamiliarSpeech
from monitor.detectors.synchrony.fingerprint import BITS, MAX_DIFFERENCE, MAX_SECONDS, Fingerprint, fingerprint, joined
from monitor.detectors.synchrony.live import LiveSynchrony, LoadedSynchrony
from monitor.detectors.synchrony.replay import CHECK_HOPS, REPLAY_P_VALUE, ReplayWatch
from monitor.host.judging import session_config
from monitor.identity.enrolment.opus_line import opus
from monitor.session.models import Models, load_models
from monitor.session.session import Session, SessionConfig
from monitor.session.sound import SoundTrack
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, FloatArray, ParticipantKey, Reason, Score
from monitor.window.window import WindowBuffer
from tests.monitor.detectors.synchrony.test_detector import recalled, unit
from tests.monitor.detectors.synchrony.test_live import table
from tests.monitor.frames import block

WIDTH, KEY = 16, "encoder"
YES = np.ones(400, np.bool_)
TABLE = FamiliarSpeech(
    np.zeros(2 * WIDTH, np.float32), np.eye(2 * WIDTH, 2, dtype=np.float32), np.ones(2, np.float32), 1.0, 1e9, KEY
)
MATERIAL = Material((), (), (), (), np.zeros(0, np.int64), (), lambda: iter(()))


def of(vectors: FloatArray, speaks: np.ndarray = YES) -> Fingerprint:
    return fingerprint(vectors, speaks[: len(vectors)], mean_of(TABLE), KEY)


@pytest.mark.parametrize("begin", [0, 1, 137, 275])
def test_a_part_of_a_recording_is_found_wherever_it_lies(begin: int) -> None:
    vectors = unit(1, 400, WIDTH)
    noisy = vectors[begin : begin + 125] + 0.3 * unit(2, 125, WIDTH)
    assert of(vectors).difference(of(noisy)) < 0.2


def test_what_was_not_recorded_differs_in_nearly_half_of_the_bits() -> None:
    assert of(unit(1, 400, WIDTH)).difference(of(unit(2, 125, WIDTH))) > 0.4


def test_too_little_in_common_is_nowhere() -> None:
    vectors = unit(1, 400, WIDTH)
    brief = of(vectors[:125], np.arange(400) < 50)
    assert of(vectors).difference(brief) == 1.0
    assert of(vectors[:100]).difference(of(vectors[:125])) == 1.0
    assert of(vectors[:1], np.zeros(400, np.bool_)).difference(brief) == 1.0


def test_the_bits_are_the_same_everywhere() -> None:
    assert np.packbits(of(unit(1, 1, WIDTH)).signs > 0).tobytes().hex() == "ca1ce740bd825ae0"


def test_it_is_read_as_it_was_written_in_eight_bytes_a_frame() -> None:
    made = of(unit(1, 400, WIDTH), np.arange(400) % 3 > 0)
    data = made.to_bytes()
    read = Fingerprint.from_bytes(data)
    assert np.array_equal(read.signs, made.signs)
    assert read.encoder == KEY
    assert len(data) < 400 * 9 + 1000
    with pytest.raises(TemplateError, match="enrol the person again"):
        Fingerprint.from_bytes(b"nothing")


def test_recordings_are_put_after_each_other_up_to_ten_minutes() -> None:
    one = of(unit(1, 400, WIDTH))
    assert len(joined([one] * 50, KEY).signs) == MAX_SECONDS * 25
    assert joined([], KEY).signs.shape == (0, BITS)


def pushed(frames: int) -> tuple[WindowBuffer, VoiceCollector, FloatArray]:
    """A collector at the end of a clip whose sound came half a second at a time."""
    vectors, buffer, collector = unit(3, frames, WIDTH), WindowBuffer(), VoiceCollector(TABLE, 60.0)
    collector.restart(buffer)
    for first in range(0, frames, 12):
        part = vectors[first : first + 12]
        buffer.push_voice(first, part, np.ones(len(part), np.bool_))
        collector.hop()
    return buffer, collector, vectors


def test_enrolment_takes_every_frame_of_a_clip_once() -> None:
    _, collector, vectors = pushed(1200)
    taken = collector.finish()
    spoken = taken.signs[taken.speaks]
    whole = of(vectors, np.ones(1200, np.bool_)).signs
    begin = next(n for n in range(50) if np.array_equal(whole[n], spoken[0]))
    assert len(spoken) >= 1200 - 50
    assert np.array_equal(spoken, whole[begin : begin + len(spoken)])
    material = replace(MATERIAL, taken=[Taken(taken, ()), None])
    part = EnrollingSynchrony(TABLE).learn(material, "", lambda _share: None)
    assert part.data is not None
    assert Fingerprint.from_bytes(part.data).difference(of(vectors[500:625])) == 0.0


def test_enrolment_takes_no_more_than_it_is_asked_for_and_no_part_of_silence() -> None:
    enrolling, quiet = EnrollingSynchrony(TABLE), VoiceCollector(TABLE, 60.0)
    assert enrolling.refuse(MATERIAL) == ()
    collector = enrolling.collect(2.0)
    buffer = WindowBuffer()
    collector.restart(buffer)
    buffer.push_voice(0, unit(3, 500, WIDTH), np.ones(500, np.bool_))
    assert len(collector.finish().sound.signs) == 50
    quiet.restart(WindowBuffer())
    silent = replace(MATERIAL, taken=[Taken(quiet.finish(), ())])
    assert enrolling.learn(silent, "", lambda _share: None).data is None


def judged(part: bytes | None, live: bool, familiar: FamiliarSpeech | None = TABLE, calibrated: bool = True) -> Score:
    tables = (table(2.0), table(5.0)) if calibrated else ()
    made, vectors = LiveSynchrony(Calibration(tables), familiar), unit(5, 400, WIDTH)
    made.restart(WindowBuffer())
    return DETECTOR.info.stamp(made.score(Hop(recalled(vectors, vectors), part=part, live=live)))


def test_a_recording_in_a_call_is_evidence_clears_nobody_and_says_what_it_is() -> None:
    played = of(unit(5, 400, WIDTH)).to_bytes()
    score = judged(played, live=True)
    assert (score.cause, score.p_value, score.withholds) == (Reason.REPLAYED_RECORDING, REPLAY_P_VALUE, True)
    assert score.evidence["replayed"]["bits_differ"] == 0.0
    for other in (
        judged(played, live=False),
        judged(of(unit(6, 400, WIDTH)).to_bytes(), live=True),
        judged(None, live=True),
        judged(b"unreadable", live=True),
        judged(played, live=True, familiar=None),
        judged(replace(of(unit(5, 400, WIDTH)), encoder="another").to_bytes(), live=True),
    ):
        assert (other.cause, other.withholds) == (Reason.LIPS_DISAGREE_WITH_VOICE, False)
        assert other.p_value is not None
        assert other.p_value > 0.5
    assert judged(played, live=True, calibrated=False).p_value is None


def test_between_two_looks_it_is_what_it_was() -> None:
    watch, vectors = ReplayWatch(TABLE), unit(5, 400, WIDTH)
    score, window, part = Score("synchrony", 0.1, p_value=0.5), recalled(vectors, vectors), of(vectors).to_bytes()
    causes = [watch.mark(score, window, part).cause for _ in range(CHECK_HOPS + 1)]
    assert causes == [Reason.REPLAYED_RECORDING] * (CHECK_HOPS + 1)


class Spy:
    """A detector that keeps what it is given."""

    info, observe = DETECTOR.info, None

    def __init__(self) -> None:
        self.hops: list[Hop] = []

    def live(self, window_seconds: float, compilation: Any) -> Spy:
        return self

    def restart(self, buffer: WindowBuffer) -> None:
        """There is nothing to begin anew."""

    def score(self, hop: Hop) -> Score:
        self.hops.append(hop)
        return self.info.abstain(Reason.WARMING_UP)


@pytest.mark.parametrize(("config", "live"), [(session_config(Settings()), True), (SessionConfig(), False)])
def test_in_calls_and_not_in_recordings_detectors_are_told(models: Models, config: SessionConfig, live: bool) -> None:
    spy, part = Spy(), b"a part"
    spies: Any = (spy,)
    claimed = ParticipantKey("call", "ann", "Ann")
    session = Session(claimed, replace(models, detectors=spies), config, Reference("", (), {"synchrony": part}))
    for now in (0.0, 1.0):
        session.tick(now)
    assert [(hop.live, hop.part) for hop in spy.hops] == [(live, part)]


def test_what_belongs_to_a_reference_is_known() -> None:
    loaded = LoadedSynchrony(Calibration(()), TABLE)
    assert isinstance(loaded.enrolling(one_person=True), EnrollingSynchrony)
    assert LoadedSynchrony(Calibration(())).enrolling(one_person=True) is None
    mine = of(unit(5, 400, WIDTH))
    assert not loaded.is_outdated(mine.to_bytes())
    assert loaded.is_outdated(replace(mine, encoder="another").to_bytes())
    assert loaded.is_outdated(b"unreadable")


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


def sound(clip: Path, begin: float, seconds: float) -> FloatArray:
    heard = [item.samples for item in read_clip(clip) if isinstance(item, AudioBlock)]
    return np.concatenate(heard)[round(16_000 * begin) : round(16_000 * (begin + seconds))]


def heard(models: Models, samples: FloatArray) -> Fingerprint:
    familiar = models.of(LoadedSynchrony).familiar
    assert familiar is not None
    buffer, track = WindowBuffer(), SoundTrack(models.voice, models.input_spec.sound, models.presence)
    for first in range(0, len(samples), 480):
        track.push(block(samples[first : first + 480], first / 16_000), buffer)
    collector = VoiceCollector(familiar, 60.0)
    collector.restart(buffer)
    return collector.finish()


def newest(fingerprint: Fingerprint) -> Fingerprint:
    return replace(fingerprint, signs=fingerprint.signs[-125:])


@pytest.mark.data
def test_a_real_recording_is_known_through_codec_band_and_level_and_its_speaker_otherwise_is_not(
    models: Models, data_dir: Path
) -> None:
    clip, random = data_dir / "clips/real/EDTalk__pose_source2.mp4", np.random.default_rng(1)
    recording = heard(models, sound(clip, 0.0, 20.0))
    # Half a frame of the grid off, so that no vector is of the same samples.
    played = sound(clip, 6.02, 8.0)
    for received in (opus(played, 12_000, 0.0, random), opus(0.2 * played, 24_000, 0.03, random)):
        assert recording.difference(newest(heard(models, received))) < MAX_DIFFERENCE
    for begin in (25.0, 40.0):
        anew = newest(heard(models, sound(clip, begin, 8.0)))
        assert recording.difference(anew) > MAX_DIFFERENCE + 0.05
