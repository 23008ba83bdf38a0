"""A real voice end to end: enrolled from recordings, then heard in a scan and in a call, as itself and as another's."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engines.base import MODELS
from monitor.decision.contrast import Contrast, contrast_in
from monitor.decision.report import HopReport
from monitor.decision.words import contrasted
from monitor.detectors.persona.live import LoadedPersona
from monitor.detectors.reference import Reference
from monitor.detectors.synchrony.live import LoadedSynchrony
from monitor.detectors.voiceprint.entry import PACK
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.enrolment.enrol import Enrolment, enrol
from monitor.lab.corpus.stitched_calls import moment, only
from monitor.session.clip import ClipJudge, ClipVerdict
from monitor.session.models import Models, load_models
from monitor.session.session import Session, SessionConfig
from monitor.tap.replay import read_clip
from monitor.types import Aspect, MediaItem, ParticipantKey, Reason, Score
from tests.monitor.identity.build import JANE
from tests.monitor.identity.clips import begun
from tests.monitor.loaded import with_detector

pytestmark = pytest.mark.data

# Two recordings of one person, and one of another, all of people who talk to the camera.
FIRST, SECOND = (f"second/h33{n}__Multi-Modal-Deception-Detect__trial-truth-05{n + 3}.mp4" for n in (2, 1))
ANOTHER = "second/h254__Multi-Modal-Deception-Detect__trial-lie-037.mp4"
ENROLLED_SECONDS, SECONDS = 16.5, 9.5
ASKED = EnrolConfig(min_face_seconds=8.0, min_speech_seconds=4.0, gallery=16, require_identity=False)
CLAIM = ParticipantKey("call", "ann", JANE)


@pytest.fixture(scope="module")
def installed() -> Models:
    """The installation as it is but for movement, which takes long to learn."""
    if not (MODELS / PACK).exists():
        pytest.skip("the voice encoder is not installed: run make voiceprint")
    return with_detector(load_models(), LoadedPersona(None, None))


@pytest.fixture(scope="module")
def enrolment(installed: Models, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Enrolment:
    """Without how well their lips and voice agree, which takes long to learn too."""
    clip = begun(data_dir / FIRST, tmp_path_factory.mktemp("voices") / "first.mp4", ENROLLED_SECONDS)
    learning = with_detector(installed, replace(installed.of(LoadedSynchrony), familiar=None))
    return enrol([clip], learning, ASKED)


def media(pictures: Path, sound: Path) -> Iterator[MediaItem]:
    """The pictures of one recording under the sound of another, or of the same."""
    both = (only("video", read_clip(pictures)), only("audio", read_clip(sound)))
    for item in heapq.merge(*both, key=moment):
        if moment(item) >= SECONDS:
            return
        yield item


def scanned(models: Models, reference: Reference, pictures: Path, sound: Path) -> ClipVerdict:
    judge = ClipJudge(models, identity=JANE, reference=reference)
    for item in media(pictures, sound):
        judge.push(item)
    return judge.judge(pictures)


def of(aspect: Aspect, scores: tuple[Score, ...]) -> Score:
    return next(score for score in scores if score.aspect is aspect)


def test_the_reference_says_how_well_the_voice_was_recorded(enrolment: Enrolment) -> None:
    parts = enrolment.quality.parts
    assert parts["voice_seconds"] >= 10
    assert 8 < parts["voice_above_noise_db"] < 60
    assert parts["voice_band_hz"] > 4_000


def test_their_own_voice_in_another_recording(installed: Models, enrolment: Enrolment, data_dir: Path) -> None:
    clip = data_dir / SECOND
    found = scanned(installed, enrolment.reference, clip, clip)
    voice = of(Aspect.VOICE, found.scores)
    assert voice.value is not None
    assert (voice.p_value or 0.0) > 0.1
    assert found.reason is not Reason.VOICE_MISMATCH
    assert contrast_in(found.scores) is None


def test_their_pictures_with_another_persons_voice(installed: Models, enrolment: Enrolment, data_dir: Path) -> None:
    """A scan says in words that the face is theirs and the voice is not; a call says of the voice the same."""
    own, other = data_dir / SECOND, data_dir / ANOTHER
    found = scanned(installed, enrolment.reference, own, other)
    voice, face = of(Aspect.VOICE, found.scores), of(Aspect.FACE, found.scores)
    assert voice.p_value is not None
    assert voice.p_value < 0.03
    assert (face.p_value or 0.0) > 0.1
    assert contrast_in(found.scores) is Contrast.FACE_FITS_VOICE_DOES_NOT
    told = json.loads(json.dumps(found.as_json()))
    assert told["scores"]["voiceprint"]["evidence"]["contrast"] == "face_fits_voice_does_not"
    assert contrasted(contrast_in(found.scores)) == " The face is theirs and the voice is not."
    session, heard = Session(CLAIM, installed, SessionConfig(live=True), enrolment.reference), list[HopReport]()
    for item in media(own, other):
        report = session.tick(moment(item))
        heard += [report] if report is not None else []
        session.push(item)
    voices = [of(Aspect.VOICE, report.decision.scores) for report in heard]
    scores = [score.p_value for score in voices if score.p_value is not None]
    assert len(scores) >= 3
    assert max(scores) < 0.05
