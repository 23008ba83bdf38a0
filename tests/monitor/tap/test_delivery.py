"""Why nothing of a track is decoded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.delivery import MIN_UNKNOWN_PACKETS, Delivery, describe
from monitor.types import Reason

STALL = 2.0
AGES = st.floats(0.0, 100.0)
BROKEN = Delivery(
    decoded_age=30.0,
    heard_age=0.0,
    unknown_age=0.0,
    unknown_packets=MIN_UNKNOWN_PACKETS,
    decoder_fault=Reason.DECODER_FAILED,
    needs_key=True,
)


@pytest.mark.parametrize(
    ("delivery", "cause"),
    [
        (BROKEN, Reason.UNSUPPORTED_CODEC),
        (replace(BROKEN, unknown_age=STALL), Reason.DECODER_FAILED),
        (replace(BROKEN, unknown_packets=MIN_UNKNOWN_PACKETS - 1), Reason.DECODER_FAILED),
        (replace(BROKEN, unknown_packets=0, decoder_fault=Reason.FRAME_TOO_LARGE), Reason.FRAME_TOO_LARGE),
        (replace(BROKEN, unknown_packets=0, decoder_fault=None), Reason.KEYFRAME_MISSING),
        (replace(BROKEN, unknown_packets=0, decoder_fault=None, needs_key=False), Reason.MEDIA_STALLED),
        (replace(BROKEN, heard_age=STALL), Reason.MEDIA_STALLED),
        (replace(BROKEN, decoded_age=0.5 * STALL), Reason.UNSUPPORTED_CODEC),
        (replace(BROKEN, decoded_age=0.4 * STALL), None),
        (Delivery(0.6 * STALL, 0.0, 1e9), None),
        (Delivery(0.6 * STALL, 0.6 * STALL, 1e9, is_silent=True), Reason.SILENCE),
        (Delivery(10 * STALL, 10 * STALL, 1e9, is_silent=True), Reason.SILENCE),
        (Delivery(0.4 * STALL, 0.4 * STALL, 1e9, is_silent=True), None),
        (replace(BROKEN, is_silent=True), Reason.UNSUPPORTED_CODEC),
        (Delivery(0.6 * STALL, 0.6 * STALL, 1e9, needs_key=True), Reason.KEYFRAME_MISSING),
    ],
)
def test_the_cause_comes_before_what_follows_from_it(delivery: Delivery, cause: Reason | None) -> None:
    assert delivery.cause(STALL) is cause


@given(AGES, AGES, AGES, st.integers(0, 100), st.sampled_from([None, Reason.DECODER_FAILED]), st.booleans())
def test_a_stall_is_said_of_what_does_not_come_and_of_nothing_with_another_cause(
    decoded: float, heard: float, unknown: float, packets: int, fault: Reason | None, needs_key: bool
) -> None:
    cause = Delivery(decoded, heard, unknown, packets, fault, needs_key).cause(STALL)
    if heard >= STALL:
        assert cause in (None, Reason.MEDIA_STALLED)
    elif cause is Reason.MEDIA_STALLED:
        assert (fault, needs_key) == (None, False)
    if decoded >= STALL:
        assert cause is not None


@pytest.mark.parametrize(
    "cause", [Reason.UNSUPPORTED_CODEC, Reason.KEYFRAME_MISSING, Reason.SILENCE, Reason.MEDIA_STALLED]
)
def test_each_cause_has_its_sentence(cause: Reason) -> None:
    assert "video" in describe("video", cause, STALL)
    assert "cannot be decoded" not in describe("video", cause, STALL)
    assert describe("audio", Reason.FRAME_TOO_LARGE, STALL) == "the audio cannot be decoded: frame_too_large"
