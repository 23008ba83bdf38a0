from __future__ import annotations

import numpy as np

from monitor.lab.distortions.low_bitrate import LowBitrateCall, shrunk
from monitor.types import AudioBlock, ClockState, Stamp, VideoFrame

LINES, WIDTH = 480, 360


def stamp(at: float) -> Stamp:
    return Stamp(at, at, 0.0, ClockState.MAPPED, at)


def frames(count: int) -> list[VideoFrame]:
    """A bright square that wanders over stripes."""
    found = []
    for n in range(count):
        y = np.tile(np.arange(WIDTH, dtype=np.uint8) % 64 + 60, (LINES, 1))
        y[100:200, 20 + 2 * n : 120 + 2 * n] = 220
        chroma = np.full((LINES // 2, WIDTH // 2), 128, np.uint8)
        found.append(VideoFrame(stamp(n / 25), y, chroma, chroma))
    return found


def test_a_small_call_has_240_lines_and_keeps_its_moments() -> None:
    sent = frames(30)
    sound = AudioBlock(stamp(0.5), np.zeros(160, np.float32))
    change = LowBitrateCall()
    assert change.name == "h264crf40x240"
    back = list(change([*sent[:12], sound, *sent[12:]]))
    assert back[12] is sound
    pictures = [item for item in back if isinstance(item, VideoFrame)]
    assert [item.stamp for item in pictures] == [item.stamp for item in sent]
    assert {(item.height, item.width) for item in pictures} == {(240, 180)}
    assert {item.u.shape for item in pictures} == {(120, 90)}
    last = pictures[-1].y[50:100].astype(float)
    # The square is where it was, half as far.
    assert last[:, 45:80].mean() > last[:, :30].mean() + 50


def test_a_picture_that_is_small_stays_as_it_is() -> None:
    (frame,) = frames(1)
    assert shrunk(frame, LINES) is frame
    assert shrunk(frame, 100).y.shape == (100, 76)
