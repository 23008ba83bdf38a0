"""Key frames and picture sizes, read from the headers of encoded pictures before any decoder sees them.

Pure; no input makes it raise.
"""

from __future__ import annotations

from collections.abc import Iterator

_VP8_START = b"\x9d\x01\x2a"
_NAL_IDR, _NAL_SPS = 5, 7
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128})
_MAX_SPS_BYTES = 256


def is_key(codec: str, data: bytes) -> bool:
    """Whether a picture can be decoded on its own: VP8 (RFC 6386 section 9.1) or H264 with an IDR slice."""
    if codec == "VP8":
        return len(data) >= 10 and not data[0] & 1 and data[3:6] == _VP8_START
    return any(unit[0] & 31 == _NAL_IDR for unit in _units(data))


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
