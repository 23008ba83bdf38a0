"""The landmark model on luma against the same model on true colour: decision 11, on genuine clips."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine
from monitor.face.crops import cut_rgb
from monitor.face.geometry import LANDMARK_COUNT, LEFT_EYE, RIGHT_EYE
from monitor.face.landmarks import INPUT_PX, FaceLandmarks, region_of
from monitor.face.track import FaceTracker
from monitor.tap.replay import read_clip
from monitor.types import VideoFrame

CLIPS = (
    "MimicTalk__Trump_10s.mp4",
    "fsgan__conan_obrien.mp4",
    "Linly-Talker__WDA_KatieHill_000.mp4",
    "deep_avsr__00016.mp4",
)


@pytest.mark.data
def test_luma_moves_landmarks_by_under_a_hundredth_of_the_eye_distance(
    data_dir: Path, detector: Engine, landmarks: Engine
) -> None:
    find, moved = FaceLandmarks(landmarks), []
    for clip in CLIPS:
        track = FaceTracker(detector, landmarks)
        frames = (item for item in read_clip(data_dir / "clips/real" / clip) if isinstance(item, VideoFrame))
        for number, frame in enumerate(islice(frames, 60)):
            views = track(frame)
            if views and number % 10 == 9:
                region = region_of(views[0].landmarks)
                grey, _ = find(frame, region)
                image = cut_rgb(frame, region, INPUT_PX).astype(np.float32)[None] * np.float32(1 / 255)
                raw = landmarks.run({"image": image})["landmarks"][0].reshape(LANDMARK_COUNT, 3) / INPUT_PX
                colour = region.to_picture(raw)
                eyes = np.linalg.norm(colour[LEFT_EYE, :2] - colour[RIGHT_EYE, :2])
                moved.append(float(np.linalg.norm((grey - colour)[:, :2], axis=1).mean() / eyes))
    assert len(moved) >= 20
    assert np.mean(moved) < 0.01
