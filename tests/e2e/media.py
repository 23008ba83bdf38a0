"""Clips for the end-to-end tests: the pictures of one recording with its own or another's sound, as long as wanted."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet
from av.stream import Stream


def marry(pictures: Path, sound: Path, seconds: float, target: Path) -> None:
    """Write `target`: the pictures of one clip with the sound of another, both repeated without re-encoding."""
    with av.open(pictures) as seen, av.open(sound) as heard, av.open(target, "w") as out:
        video, audio = seen.streams.video[0], heard.streams.audio[0]
        period = Fraction(video.duration or 0) * _base(video)
        placed: list[tuple[Fraction, Packet[Stream]]] = []
        for source, stream in ((seen, video), (heard, audio)):
            made = out.add_stream_from_template(stream)
            for at, packet in _repeat(list(source.demux(stream)), _base(stream), period, seconds):
                packet.stream = made
                placed.append((at, packet))
        for _, packet in sorted(placed, key=lambda entry: entry[0]):
            out.mux(packet)


def _base(stream: av.VideoStream | av.AudioStream) -> Fraction:
    return stream.time_base or Fraction(1)


def _repeat(
    packets: list[Packet[Stream]], base: Fraction, period: Fraction, seconds: float
) -> Iterator[tuple[Fraction, Packet[Stream]]]:
    """Copies of the packets within `period`, over and over, each with the time at which it is due."""
    timed = [(p.pts, p.dts, p.duration, p.is_keyframe, bytes(p)) for p in packets if p.pts is not None]
    whole = [(pts, dts, length, key, data) for pts, dts, length, key, data in timed if dts is not None]
    first = min(dts for _, dts, *_ in whole)
    for turn in range(int(seconds / period) + 1):
        move = round(turn * period / base) - first
        for pts, dts, length, key, data in whole:
            if (dts - first) * base < period:
                copy = Packet(data)
                copy.pts, copy.dts, copy.duration, copy.time_base = pts + move, dts + move, length, base
                copy.is_keyframe = key
                yield (dts + move) * base, copy
