"""Frames: what was written is read, and nothing else is."""

from __future__ import annotations

import pytest

from monitor.host.cluster import frames
from monitor.host.cluster.frames import FrameError, Message, frame_of, header_of, length_of, messages_of


def test_messages_come_back_and_belong_together() -> None:
    messages: list[Message] = [{"say": "state", "b": {"name": "Zoë"}}, {"say": "beat", "b": None}]
    frame = frame_of(messages)
    assert messages_of(frame) == messages
    assert length_of(header_of(frame)) == len(frame)


@pytest.mark.parametrize("frame", [b"", b"\xff", b"{}", b"[1]", b"[" * 100_000])
def test_what_is_no_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(FrameError):
        messages_of(frame)


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_what_is_no_json_is_not_sent(value: object) -> None:
    with pytest.raises(FrameError):
        frame_of([{"b": value}])


def test_frames_are_bounded_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 20)
    with pytest.raises(FrameError, match="too large"):
        frame_of([{"b": "x" * 20}])
    with pytest.raises(FrameError, match="too large"):
        length_of(b"\x00\x00\x00\x15")
