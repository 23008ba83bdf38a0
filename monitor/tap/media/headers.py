"""Key frames and picture sizes, read from the headers of encoded pictures before any decoder sees them.

Pure; no input makes it raise.
"""

from __future__ import annotations

from collections.abc import Iterator

_VP8_START = b"\x9d\x01\x2a"
_START_CODE = b"\0\0\1"
_NAL_IDR, _NAL_SEI, _NAL_SPS, _NAL_PPS = 5, 6, 7, 8
_NAL_SLICES = range(1, 6)
_SEI_RECOVERY_POINT = 6
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128})
_MAX_SPS_BYTES = 256
_MAX_SEI_BYTES = 1024
_MAX_LEADING_UNITS = 64


def is_key(codec: str, data: bytes) -> bool:
    """Whether a picture can be decoded on its own: VP8 (RFC 6386 section 9.1) or H264 with an IDR slice."""
    if codec == "VP8":
        return len(data) >= 10 and not data[0] & 1 and data[3:6] == _VP8_START
    return any(unit[0] & 31 == _NAL_IDR for unit in leading_units(data))


def recovery_frames(data: bytes) -> int | None:
    """Give recovery_frame_cnt of an H264 picture's recovery point (H.264 sections D.1.8 and D.2.8), or None.

    A decoder that begins at this picture shows what the sender shows once so many reference pictures have passed.
    """
    messages = (unit for unit in leading_units(data) if unit[0] & 31 == _NAL_SEI)
    counts = (_read_recovery_point(unit[1 : 1 + _MAX_SEI_BYTES]) for unit in messages)
    return next((count for count in counts if count is not None), None)


def is_reference(data: bytes) -> bool:
    """Whether other pictures are predicted from an H264 picture (nal_ref_idc, H.264 section 7.4.1)."""
    return any(unit[0] & 31 in _NAL_SLICES and unit[0] & 0x60 for unit in leading_units(data))


def parameter_set_key(unit: bytes) -> tuple[int, int] | None:
    """Type and number of a NAL unit that is a readable sequence or picture parameter set; None for any other.

    A set takes the place of the one with the same type and number (H.264 section 7.4.1.2.1).
    """
    kind = unit[0] & 31 if unit else 0
    try:
        if kind == _NAL_SPS:
            _read_sps(_Bits(unit[1 : 1 + _MAX_SPS_BYTES]))
            return kind, _Bits(unit[4 : 4 + _MAX_SPS_BYTES]).exp_golomb()
        return (kind, _Bits(unit[1 : 1 + _MAX_SPS_BYTES]).exp_golomb()) if kind == _NAL_PPS else None
    except EOFError:
        return None


def leading_units(data: bytes) -> Iterator[bytes]:
    """Yield the NAL units of an H264 picture as far as its first slice, of which only the first byte is given.

    Parameter sets and messages come before it (H.264 section 7.4.1.2.3), so the rest need not be looked through. Of
    more units than any encoder puts there, the rest are left out.
    """
    start = data.find(_START_CODE)
    for _ in range(_MAX_LEADING_UNITS):
        if not 0 <= start < len(data) - 3:
            return
        start += 3
        if data[start] & 31 in _NAL_SLICES:
            yield data[start : start + 1]
            return
        end = data.find(_START_CODE, start)
        # A longer start code begins with a zero, which no NAL unit ends with.
        unit = (data[start:end] if end >= 0 else data[start:]).rstrip(b"\0")
        if unit:
            yield unit
        start = end


def picture_size(codec: str, data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels that a picture's header announces; None where it announces none."""
    if codec == "VP8":
        if not is_key(codec, data):
            return None
        return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    sizes = [_sps_size(unit[1 : 1 + _MAX_SPS_BYTES]) for unit in _units(data) if unit[0] & 31 == _NAL_SPS]
    return max((size for size in sizes if size), key=lambda size: size[0] * size[1], default=None)


def _units(data: bytes) -> Iterator[bytes]:
    """Split an Annex B byte stream into its NAL units (H.264 annex B.1)."""
    for unit in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1"):
        if unit:
            yield unit


class _Bits:
    """Reads the bits of a sequence parameter set; `EOFError` past its end."""

    def __init__(self, data: bytes) -> None:
        plain = data.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(plain, "big"), len(plain) * 8

    @property
    def left(self) -> int:
        """How many bits are left."""
        return self._left

    def take(self, count: int) -> int:
        """Read the next `count` bits, the most significant first."""
        if count > self._left:
            raise EOFError
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def exp_golomb(self) -> int:
        """Read ue(v), H.264 section 9.1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _read_recovery_point(data: bytes) -> int | None:
    """Read the messages of a NAL unit (H.264 section 7.3.2.3.1) for a recovery point."""
    bits = _Bits(data)
    try:
        while bits.left >= 16:
            kind, size = _read_long(bits), _read_long(bits)
            if kind == _SEI_RECOVERY_POINT:
                return bits.exp_golomb()
            bits.take(8 * size)
    except EOFError:
        pass
    return None


def _read_long(bits: _Bits) -> int:
    """Read a number that is given as bytes of 255 and one more (H.264 section 7.3.2.3.1)."""
    total = 0
    while (byte := bits.take(8)) == 0xFF:
        total += byte
    return total + byte


def _sps_size(data: bytes) -> tuple[int, int] | None:
    bits = _Bits(data)
    try:
        return _read_sps(bits)
    except EOFError:
        return None


def _read_sps(bits: _Bits) -> tuple[int, int]:
    """Read as far as the picture size (H.264 section 7.3.2.1.1); cropping, which only makes it smaller, is left out."""
    profile = bits.take(8)
    bits.take(16)
    bits.exp_golomb()
    if profile in _HIGH_PROFILES:
        _skip_high_profile(bits)
    bits.exp_golomb()
    order_type = bits.exp_golomb()
    if order_type == 0:
        bits.exp_golomb()
    elif order_type == 1:
        bits.take(1)
        bits.exp_golomb()
        bits.exp_golomb()
        for _ in range(bits.exp_golomb()):
            bits.exp_golomb()
    bits.exp_golomb()
    bits.take(1)
    width, height = bits.exp_golomb() + 1, bits.exp_golomb() + 1
    field_factor = 1 if bits.take(1) else 2
    return width * 16, height * 16 * field_factor


def _skip_high_profile(bits: _Bits) -> None:
    """Skip what only the high profiles have: chroma format, bit depths and scaling matrices."""
    chroma_format = bits.exp_golomb()
    if chroma_format == 3:
        bits.take(1)
    bits.exp_golomb()
    bits.exp_golomb()
    bits.take(1)
    if bits.take(1):
        for index in range(8 if chroma_format != 3 else 12):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    """Skip a scaling list (H.264 section 7.3.2.1.1.1)."""
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.exp_golomb()
            delta = (code + 1) // 2 if code & 1 else -(code // 2)
            following = (last + delta) % 256
        last = following or last
