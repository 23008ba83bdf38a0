"""From packets on a bad line to the verdict: nobody is accused, and what could not be judged says why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest
from aiortc import RTCPeerConnection

from monitor.session.models import Models, load_models
from monitor.tap.media.decode import EncodedFrame, make_decoder
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, MediaItem, Reason, Verdict, VideoFrame
from tests.e2e.test_twins import GENUINE
from tests.monitor.session.test_session import mixed, pictures, sound
from tests.monitor.tap.bad_line import START, BadLine, Judged, Line, VirtualClock, virtual
from tests.monitor.tap.media.test_headers import encode, vp8_bomb

__all__ = ["virtual"]
SECONDS, FPS = 8.0, 12.5


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@pytest.fixture(scope="module")
def genuine(data_dir: Path) -> list[MediaItem]:
    """At 12.5 pictures a second."""
    items = list(read_clip(data_dir / "clips/real" / GENUINE[0]))
    shown = [item for item in items if isinstance(item, VideoFrame)][::2]
    return [*shown, *(item for item in items if isinstance(item, AudioBlock))]


@pytest.fixture
async def pc() -> AsyncIterator[RTCPeerConnection]:
    connection = RTCPeerConnection()
    yield connection
    await connection.close()


def reasons(made: Judged, since: float = 0.0, until: float = 1000.0) -> list[Reason | None]:
    return [report.decision.reason for report in made.reports if since <= report.now - START < until]


@pytest.mark.data
@pytest.mark.parametrize(
    ("line", "judged_hops"),
    [(Line(jitter=0.2), range(6, 16)), (Line(lost=0.1, jitter=0.2), range(16)), (Line(lost=0.2), range(4))],
    ids=str,
)
async def test_a_bad_line_accuses_nobody_and_what_is_lost_is_the_reason(
    pc: RTCPeerConnection,
    virtual: VirtualClock,
    models: Models,
    genuine: list[MediaItem],
    line: Line,
    judged_hops: range,
) -> None:
    """Late by up to 200 ms, each packet for itself, so that they overtake one another; a fifth of them lost."""
    made = await BadLine(pc, models, virtual, line).receive(genuine, SECONDS)
    scored = [report for report in made.reports if report.decision.scores[0].value is not None]
    assert {report.decision.verdict for report in made.reports} == {Verdict.INCONCLUSIVE}
    assert all(report.decision.transition is None for report in made.reports)
    assert None not in reasons(made)
    assert len(scored) in judged_hops
    assert len(made.pictures) > 0.8 * SECONDS * FPS
    assert {fault.reason for fault in made.faults} <= ({Reason.AUDIO_LOSS} if line.lost else set())
    if line.lost >= 0.2:
        assert made.faults
        assert set(reasons(made)) <= {Reason.WARMING_UP, Reason.AUDIO_LOSS, Reason.UNUSUAL_SOUND}
        assert reasons(made)[-1] is not Reason.WARMING_UP


class Dying:
    """A decoder that dies as no decoder should at `dies`, and so do those after it until `lives`; in media seconds."""

    dies, lives = 3.0, 7.0

    def __init__(self, codec: str, max_pixels: int) -> None:
        self._inner = make_decoder(codec, max_pixels)

    def decode(self, encoded: EncodedFrame) -> list[av.VideoFrame] | list[av.AudioFrame]:
        if encoded.kind == "video" and self.dies <= encoded.media < self.lives:
            raise ValueError("injected")
        return self._inner.decode(encoded)


def check_marked(made: Judged, reason: Reason) -> None:
    """The participant is marked within two seconds for as long as it lasts, and the call goes on."""
    assert {fault.reason for fault in made.faults} == {reason}
    assert set(reasons(made, 5.1, 7.0)) == {reason}
    assert {report.decision.verdict for report in made.reports} == {Verdict.INCONCLUSIVE}
    assert not [at for at in made.pictures if 3.3 < at < 7.0]
    assert max(made.pictures) > 9.5
    assert reason not in reasons(made, 9.0)


async def test_a_decoder_that_dies_is_told_within_two_seconds_and_the_call_lives(
    pc: RTCPeerConnection, virtual: VirtualClock, models: Models
) -> None:
    call = BadLine(pc, models, virtual, Line(), decoders=Dying)
    made = await call.receive(mixed(pictures(10.0, FPS), sound(10.0)), 10.0)
    check_marked(made, Reason.DECODER_FAILED)
    assert made.errors >= 4
    assert made.plis >= 4


async def test_key_frames_of_8192_pixels_mark_the_participant_and_the_call_lives(
    pc: RTCPeerConnection, virtual: VirtualClock, models: Models
) -> None:
    def bombs(at: float) -> bytes | None:
        return vp8_bomb(8192, 8192) if 3.0 <= at < 7.0 else None

    call = BadLine(pc, models, virtual, Line(), tamper=bombs)
    check_marked(await call.receive(mixed(pictures(10.0, FPS), sound(10.0)), 10.0), Reason.FRAME_TOO_LARGE)


async def test_a_picture_that_changes_its_size_all_the_time_is_looked_at_all_the_same(
    pc: RTCPeerConnection, virtual: VirtualClock, models: Models
) -> None:
    """Every picture a key frame of another size, up to 1920x1088."""
    sizes = [(64, 64), (1920, 1088), (320, 240), (1280, 720)]
    shots = [encode("libvpx", size, 1)[0] for size in sizes]
    call = BadLine(pc, models, virtual, Line(), tamper=lambda at: shots[round(at * FPS) % len(shots)])
    made = await call.receive(mixed(pictures(2.0, FPS), sound(2.0)), 2.0)
    assert len(made.pictures) >= 22
    assert (made.errors, made.faults) == (0, [])
    assert {report.decision.verdict for report in made.reports} == {Verdict.INCONCLUSIVE}
