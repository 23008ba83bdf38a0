"""Clips made for the end-to-end tests: pictures of one recording with the sound of the same or of another, as long as wanted."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet


def marry(pictures: Path, sound: Path, seconds: float, target: Path) -> None:
    """Write `target`: the pictures of one clip with the sound of another, both repeated without re-encoding."""
    with av.open(pictures) as seen, av.open(sound) as heard, av.open(target, "w") as out:
        video, audio = seen.streams.video[0], heard.streams.audio[0]
        period = Fraction(video.duration or 0) * (video.time_base or 1)
        streams = ((video, seen), (audio, heard))
        packets = [
            list(_repeat(list(container.demux(stream)), stream.time_base or Fraction(1), period, seconds))
            for stream, container in streams
        ]
        made = [out.add_stream_from_template(stream) for stream, _ in streams]
        both = [(float(p.dts * (p.time_base or 1)), p, to) for ps, to in zip(packets, made, strict=True) for p in ps]
        for _, packet, stream in sorted(both, key=lambda entry: entry[0]):
            packet.stream = stream
            out.mux(packet)


def _repeat(packets: list[Packet], base: Fraction, period: Fraction, seconds: float) -> Iterator[Packet]:
    whole = [(p, bytes(p)) for p in packets if p.dts is not None and p.pts is not None]
    first = min(p.dts for p, _ in whole)
    for round_ in range(int(seconds / period) + 1):
        for packet, data in whole:
            if (packet.dts - first) * base >= period:
                continue
            copy = Packet(data)
            move = round(round_ * period / base) - first
            copy.pts, copy.dts, copy.duration, copy.time_base = packet.pts + move, packet.dts + move, packet.duration, base
            copy.is_keyframe = packet.is_keyframe
            yield copy

