"""Headers of encoded pictures, from real encoders and from garbage."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.media.headers import is_key, is_reference, leading_units, picture_size, recovery_frames
from tests.monitor.tap.clips import picture_frame


def encode(encoder: str, size: tuple[int, int], count: int = 3, profile: str | None = None) -> list[bytes]:
    """Encode a few pictures; the first is a key frame."""
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = *size, "yuv420p"
    context.time_base = Fraction(1, 25)
    context.options = (
        {"deadline": "realtime"} if encoder == "libvpx" else {"preset": "ultrafast", "tune": "zerolatency"}
    )
    if profile:
        context.options = {**context.options, "preset": "medium", "profile": profile}
    packets = [p for n in range(count) for p in context.encode(picture_frame(n / 25, *size))]
    return [bytes(p) for p in [*packets, *context.encode(None)]]


def vp8_bomb(width: int = 8192, height: int = 8192, size: int = 1000) -> bytes:
    head = b"\x10\x02\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return head + bytes(size)


@pytest.mark.parametrize(
    ("encoder", "codec", "profile"),
    [
        ("libvpx", "VP8", None),
        ("libx264", "H264", "baseline"),
        ("libx264", "H264", "high"),
        ("libx264", "H264", "main"),
    ],
)
@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
def test_real_pictures(encoder: str, codec: str, profile: str | None, size: tuple[int, int]) -> None:
    first, *rest = encode(encoder, size, profile=profile)
    assert is_key(codec, first)
    assert not any(is_key(codec, data) for data in rest)
    assert picture_size(codec, first) == size
    assert picture_size(codec, rest[0]) is None


def test_a_bomb_is_measured_before_it_is_decoded() -> None:
    assert picture_size("VP8", vp8_bomb()) == (8192, 8192)


def sps(bits: str) -> bytes:
    padded = bits + "1" + "0" * (-(len(bits) + 1) % 8)
    return b"\0\0\0\1\x67" + int(padded, 2).to_bytes(len(padded) // 8, "big")


def ue(value: int) -> str:
    text = bin(value + 1)[2:]
    return "0" * (len(text) - 1) + text


SIZE = ue(1) + "0" + ue(19) + ue(14) + "1"
HIGH_444 = f"{244:08b}" + "0" * 16 + ue(0) + ue(3) + "0" + ue(0) + ue(0) + "0"
HIGH = f"{100:08b}" + "0" * 16 + ue(0) + ue(1) + ue(0) + ue(0) + "0"


@pytest.mark.parametrize(
    "bits",
    [
        f"{66:08b}" + "0" * 16 + ue(0) + ue(0) + ue(0) + ue(4) + SIZE,
        f"{66:08b}" + "0" * 16 + ue(0) + ue(0) + ue(1) + "0" + ue(0) + ue(0) + ue(2) + ue(3) + ue(3) + SIZE,
        f"{66:08b}" + "0" * 16 + ue(0) + ue(0) + ue(2) + SIZE,
        HIGH_444 + "1" + "1" + ue(1) + ue(18) + "0" * 11 + ue(0) + ue(2) + SIZE,
        HIGH + "1" + "1" + ue(0) * 16 + "0" * 5 + "1" + ue(0) * 64 + "0" + ue(0) + ue(2) + SIZE,
        HIGH + "0" + ue(0) + ue(2) + SIZE,
    ],
)  # fmt: skip
def test_parameter_sets_of_every_shape(bits: str) -> None:
    assert picture_size("H264", sps(bits)) == (320, 240)


def test_interlaced_pictures_are_twice_as_high() -> None:
    bits = f"{66:08b}" + "0" * 16 + ue(0) + ue(0) + ue(2) + ue(1) + "0" + ue(19) + ue(6) + "0"
    assert picture_size("H264", sps(bits)) == (320, 224)


def test_a_parameter_set_that_ends_early_says_nothing() -> None:
    assert picture_size("H264", b"\0\0\1\x67\x42\x00\x1f") is None


SLICE = b"\0\0\1\x41slice"


def sei(payload: bytes) -> bytes:
    return b"\0\0\1\x06" + payload


@pytest.mark.parametrize(
    ("messages", "frames"),
    [
        (sei(b"\x06\x01\xc0\x80"), 0),
        (sei(b"\x06\x01\x70\x80"), 1 + 1),
        (sei(b"\x05\x03abc\x06\x01\xc0\x80"), 0),
        (sei(b"\x05\xff\x01" + b"x" * 256 + b"\x06\x01\xc0\x80"), 0),
        (sei(b"\xff\x06\x01x\x80") + sei(b"\x06\x01\xc0\x80"), 0),
        (sei(b"\x05\x01x\x80"), None),
        (sei(b"\x05\x7fcut"), None),
        (sei(b"\x06\x01\x00"), None),
        (sei(b"\xff\xff"), None),
        (SLICE + sei(b"\x06\x01\xc0\x80"), None),
        (b"", None),
    ],
)
def test_recovery_points_are_read_from_the_messages_before_the_slices(messages: bytes, frames: int | None) -> None:
    assert recovery_frames(messages + SLICE) == frames


def test_units_before_the_first_slice_are_all_that_is_looked_at() -> None:
    data = b"\0\0\1" + b"\0\0\0\1\x67set\0" + sei(b"\x01") + b"\0\0\1\x65slice" + sps("1")
    assert list(leading_units(data)) == [b"\x67set", b"\x06\x01", b"\x65"]
    assert is_key("H264", data)
    assert list(leading_units(b"\0\0\1")) == list(leading_units(b"slice")) == []


def test_thousands_of_tiny_units_cost_nothing() -> None:
    data = sei(b"\x01") * 100_000 + b"\0\0\1\x65slice"
    assert len(list(leading_units(data))) == 64
    assert not is_key("H264", data)


def test_a_picture_that_nothing_refers_to_is_told_from_one_that_is_referred_to() -> None:
    assert is_reference(SLICE)
    assert not is_reference(b"\0\0\1\x01slice")


@given(
    st.binary(max_size=600),
    st.sampled_from(["VP8", "H264"]),
    st.sampled_from([b"", b"\0\0\1\x67", b"\0\0\1\x06\x06", b"\x10\0\0\x9d\x01\x2a"]),
)
def test_garbage_never_raises(data: bytes, codec: str, head: bytes) -> None:
    size = picture_size(codec, head + data)
    assert size is None or (size[0] >= 0 and size[1] >= 0)
    is_key(codec, head + data)
    count = recovery_frames(head + data)
    assert count is None or count >= 0
