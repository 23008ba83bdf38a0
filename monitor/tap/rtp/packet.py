"""An RTP packet as far as it is needed here, parsed in one pass. Pure; no input makes it raise."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("!BBHLL")
_EXTENSION = struct.Struct("!HH")
# Other forms are not negotiated (RFC 8285 section 4.1.2).
_ONE_BYTE = 0xBEDE


@dataclass(slots=True)
class Packet:
    """One packet (RFC 3550 section 5.1); `size` is that of payload and padding in bytes.

    `profile` and `extension` are the header extension's 16-bit profile and its data (RFC 3550 section 5.3.1).
    `marker` says that a picture ends here (RFC 6184 section 5.1, RFC 7741 section 4.1).
    """

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes
    size: int
    profile: int = 0
    extension: bytes = b""
    marker: bool = False

    def send_time(self, number: int) -> int | None:
        """Give the absolute send time in 2^-18 s, where the element `number` (RFC 8285) of the extension holds one."""
        data, offset, end = self.extension, 0, len(self.extension)
        while self.profile == _ONE_BYTE and offset < end:
            element, length = data[offset] >> 4, (data[offset] & 15) + 1 if data[offset] else 0
            offset += 1
            if element == number and length == 3 and offset + 3 <= end:
                return int.from_bytes(data[offset : offset + 3], "big")
            offset += length
        return None

    @property
    def repeats(self) -> int:
        """The sequence number of the packet that this one repeats (RFC 4588 section 4); needs two bytes of payload."""
        return int.from_bytes(self.payload[:2], "big")

    def original(self, payload_type: int, ssrc: int) -> Packet:
        """Unwrap the packet that this one repeats (RFC 4588 section 4); its payload has at least two bytes."""
        return Packet(
            payload_type, self.repeats, self.timestamp, ssrc, self.payload[2:], self.size - 2, marker=self.marker
        )


def parse(data: bytes) -> Packet | None:
    """Parse a decrypted RTP packet; None where it is malformed."""
    total = len(data)
    if total < 12:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        return None
    offset, end, profile, extension = 12 + 4 * (first & 15), total, 0, b""
    if first & 0x10:
        if total < offset + 4:
            return None
        profile, words = _EXTENSION.unpack_from(data, offset)
        extension = data[offset + 4 : offset + 4 + 4 * words]
        offset += 4 + 4 * words
    if first & 0x20:
        end -= data[-1]
    if offset > end or (first & 0x20 and end == total):
        return None
    kind, marker = second & 127, second > 127
    return Packet(kind, sequence, timestamp, ssrc, data[offset:end], total - offset, profile, extension, marker)
