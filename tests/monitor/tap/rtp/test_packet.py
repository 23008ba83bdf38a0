"""Reading RTP packets: what aiortc reads is read alike, and nothing that comes makes it raise."""

from __future__ import annotations

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket, unpack_header_extensions, unwrap_rtx, wrap_rtx
from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.rtp.packet import Packet, parse
from monitor.tap.rtp.payload import depayload_vp8
from monitor.tap.rtp.receiver import ABS_SEND_TIME_URI

EXTENSIONS = HeaderExtensionsMap()
EXTENSIONS.configure(
    RTCRtpParameters(
        headerExtensions=[
            RTCRtpHeaderExtensionParameters(id=1, uri="urn:ietf:params:rtp-hdrext:sdes:mid"),
            RTCRtpHeaderExtensionParameters(id=2, uri=ABS_SEND_TIME_URI),
        ]
    )
)


def theirs(data: bytes) -> RtpPacket | None:
    """The packet as aiortc reads it, but for what its header extension says."""
    try:
        return RtpPacket.parse(data)
    except ValueError as error:
        # A value is read here when it is asked for, so that one which is cut off costs the value, not the packet.
        return RtpPacket.parse(bytes([data[0] & 0xEF]) + data[1:]) if "header extension" in str(error) else None


def agree(data: bytes) -> None:
    ours, wanted = parse(data), theirs(data)
    assert (ours is None) == (wanted is None)
    if wanted is None or ours is None:
        return
    assert (ours.payload_type, ours.sequence_number) == (wanted.payload_type, wanted.sequence_number)
    assert (ours.timestamp, ours.ssrc, ours.marker) == (wanted.timestamp, wanted.ssrc, bool(wanted.marker))
    if "header extension" not in refusal(data):
        assert ours.payload == wanted.payload
        assert ours.size == len(wanted.payload) + wanted.padding_size


def refusal(data: bytes) -> str:
    try:
        RtpPacket.parse(data)
    except ValueError as error:
        return str(error)
    return ""


@given(
    st.builds(
        RtpPacket,
        payload_type=st.integers(0, 127),
        marker=st.integers(0, 1),
        sequence_number=st.integers(0, 65535),
        timestamp=st.integers(0, 2**32 - 1),
        ssrc=st.integers(0, 2**32 - 1),
        payload=st.binary(max_size=40),
    ),
    st.integers(0, 20),
    st.lists(st.integers(0, 2**32 - 1), max_size=15),
    st.one_of(st.none(), st.integers(0, 2**24 - 1)),
)
def test_what_aiortc_writes_is_read(packet: RtpPacket, padding: int, sources: list[int], sent: int | None) -> None:
    packet.padding_size, packet.csrc, packet.extensions.abs_send_time = padding, sources, sent
    packet.extensions.mid = "0"
    data = packet.serialize(EXTENSIONS)
    agree(data)
    found = parse(data)
    assert found is not None
    assert found.send_time(2) == sent
    assert found.send_time(3) is None


@given(st.binary(max_size=80).map(lambda tail: bytes([0x80 | (tail[0] & 0x3F if tail else 0)]) + tail))
def test_noise_is_read_as_aiortc_reads_it(data: bytes) -> None:
    agree(data)


@given(st.binary(max_size=40), st.sampled_from([0xBEDE, 0x1000, 0]), st.integers(0, 15))
def test_an_extension_says_what_it_does_to_aiortc(extension: bytes, profile: int, number: int) -> None:
    found = Packet(0, 0, 0, 0, b"", 0, profile, extension).send_time(number)
    try:
        values = unpack_header_extensions(profile, extension) if profile == 0xBEDE else []
    except ValueError:
        return
    wanted = [int.from_bytes(value, "big") for element, value in values if element == number and len(value) == 3]
    assert found == (wanted[0] if wanted else None)


@given(st.binary(max_size=12))
def test_a_vp8_descriptor_is_stripped_as_aiortc_strips_it(payload: bytes) -> None:
    try:
        wanted = VpxPayloadDescriptor.parse(payload)[1]
    except ValueError:
        with pytest.raises(ValueError, match="cut off"):
            depayload_vp8(payload)
    else:
        assert depayload_vp8(payload) == wanted


@pytest.mark.parametrize("cut", range(24))
def test_a_packet_that_is_cut_off_is_none(cut: int) -> None:
    whole = bytes.fromhex("91600001 00000002 00000003 00000004 bede0001 22000001".replace(" ", ""))
    assert (parse(whole) or Packet(0, 0, 0, 0, b"", 0)).send_time(2) == 1
    agree(whole[:cut])
    assert parse(whole[:cut]) is None


def test_a_repeated_packet_is_unwrapped() -> None:
    lost = RtpPacket(payload_type=97, sequence_number=65535, timestamp=7, ssrc=1, payload=b"abc")
    repeat = wrap_rtx(lost, payload_type=98, sequence_number=3, ssrc=2)
    found = parse(repeat.serialize())
    assert found is not None
    packet, wanted = found.original(97, 1), unwrap_rtx(repeat, payload_type=97, ssrc=1)
    assert (packet.sequence_number, packet.payload, packet.timestamp) == (65535, b"abc", 7)
    assert (packet.payload_type, packet.ssrc, packet.size) == (wanted.payload_type, wanted.ssrc, 3)
