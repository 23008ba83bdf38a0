"""The looks that tell who comes back: of a real face in a real session, where an identity encoder is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import Settings
from monitor.face.looks import LOOKS
from monitor.host.departed import MAX_LINK_DISTANCE, face_distance
from monitor.host.judging import session_config
from monitor.session.models import Models, load_models
from monitor.session.session import Session, SessionConfig
from monitor.tap.replay import read_clip
from monitor.types import FloatArray, ParticipantKey, VideoFrame

ONE, OTHER = "clips/real/EDTalk__pose_source2.mp4", "clips/real/DFRF__cnn2_25fps.mp4"
KEY = ParticipantKey("call", "ann")

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def models() -> Models:
    loaded = load_models()
    if loaded.identifying is None:
        pytest.skip("the identity encoder is not installed: make identity")
    return loaded


def shown(models: Models, clip: Path, begin: float, config: SessionConfig) -> Session:
    """A session that saw three and a half seconds of a clip, five pictures a second."""
    session = Session(KEY, models, config)
    for n, item in enumerate(item for item in read_clip(clip) if isinstance(item, VideoFrame)):
        if item.stamp.media > begin + 3.5:
            break
        if item.stamp.media >= begin and n % 5 == 0:
            session.push(item)
    return session


def face(session: Session) -> FloatArray:
    assert session.looks == LOOKS
    return session.face()


def test_two_publications_of_one_person_are_near_and_those_of_two_are_not(models: Models, data_dir: Path) -> None:
    config = session_config(Settings())
    first, later = (shown(models, data_dir / ONE, begin, config) for begin in (0.0, 8.0))
    other = shown(models, data_dir / OTHER, 0.0, config)
    assert face(first).shape == (LOOKS, 128)
    assert face_distance(face(first), face(later)) <= MAX_LINK_DISTANCE
    assert face_distance(face(first), face(other)) > MAX_LINK_DISTANCE


def test_where_nobody_is_remembered_no_look_is_kept(models: Models, data_dir: Path) -> None:
    session = shown(models, data_dir / ONE, 0.0, session_config(Settings(rejoin_seconds=0.0)))
    assert session.looks == 0
    assert session.face().size == 0
