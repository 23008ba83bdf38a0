"""The ladder of call conditions: the same moments as a good line, a poor line and a small tile would show them.

A comparison across conditions finds the condition, not the forgery. So each chosen moment of an enrolment is sent
through the real codecs once for each rung, at the sizes that faces have in calls, and cropped again at the same place:
a live face is then compared with the rung that looks like its call. Only the surroundings of the face at the chosen
moments are coded, not the clip: quantisers are constant, so what is left out of the picture changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from PIL import Image, ImageFilter

from monitor.face.crops import Region, cut, cut_rgb, sharpness
from monitor.face.geometry import Pose, mouth_centre
from monitor.face.shot import FaceShot, shot_of
from monitor.face.track import FACE_ENLARGE, FACE_SIZE, MOUTH_SIDE, MOUTH_SIZE, FaceView, face_region
from monitor.tap.media.formats import to_video_frame
from monitor.types import ByteArray, VideoFrame

Codec = Literal["h264", "vp8"]

# A patch shows this much more than the crop, so that codecs have surroundings to predict from.
MARGIN = 1.2
# No rung shows a face larger than this many pixels high; patches hold no more than that needs.
MAX_FACE_PX = 200
GREY = 128
# Negative: this speed. A positive one is a target of load, for which libvpx drops detail on a busy machine, and
# references would depend on what else ran while they were made (vp8_auto_select_speed).
VP8_SPEED = "-4"


@dataclass(frozen=True, slots=True)
class Step:
    """One rung: the face's height at most, in pixels; the codec and its constant quantiser; soft focus before it.

    Quantisers are the codec's own: 0..51 in H.264, 0..63 in VP8.
    """

    name: str
    face_px: int | None = None
    codec: Codec = "h264"
    quantiser: int = 0
    soft: bool = False


RUNGS: tuple[Step, ...] = (
    Step("as recorded"),
    Step("good line", 180, "h264", 26),
    Step("fair line", 130, "vp8", 34),
    Step("poor line", 110, "h264", 36),
    Step("small tile", 72, "vp8", 26),
    Step("soft focus", 140, "h264", 30, soft=True),
)


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A face and what surrounds it: a square piece of the frame, where in it the crop and the mouth lie, the shot."""

    patch: VideoFrame
    crop: Region
    mouth: Region
    shot: FaceShot


def moment_of(frame: VideoFrame, view: FaceView) -> Moment | None:
    """Keep what the ladder needs of a frame; None where `shot_of` gives nothing."""
    shot = shot_of(view)
    if shot is None:
        return None
    region = face_region(view.box)
    side, x, y = region.side, region.x, region.y
    # Whole even pixels where nothing is scaled: cutting then changes no value.
    reach = 2 * round(side * MARGIN / 2)
    size = min(reach, 2 * round(MAX_FACE_PX * FACE_ENLARGE * MARGIN / 2))
    around = Region(2 * round(x / 2), 2 * round(y / 2), reach)
    shrink = size / reach

    def place(at_x: float, at_y: float, length: float, angle: float = 0.0) -> Region:
        corner_x, corner_y = around.x - reach / 2, around.y - reach / 2
        return Region((at_x - corner_x) * shrink, (at_y - corner_y) * shrink, length * shrink, angle)

    mouth = mouth_centre(view.pose)
    roll = float(np.radians(view.pose.angles[2]))
    return Moment(
        square_of(frame, around, size),
        place(x, y, side),
        place(float(mouth[0]), float(mouth[1]), MOUTH_SIDE * view.pose.scale, roll),
        shot,
    )


def make_rungs(moments: Sequence[Moment], steps: Sequence[Step] = RUNGS) -> Iterator[tuple[str, list[FaceShot]]]:
    """Yield each rung's name and its shots, one for each moment, in order."""
    for step in steps:
        yield step.name, [m.shot for m in moments] if step.face_px is None else _rung(moments, step, step.face_px)


def _rung(moments: Sequence[Moment], step: Step, face_px: int) -> list[FaceShot]:
    size = 16 * round(face_px * FACE_ENLARGE * MARGIN / 16)
    # Never enlarged: a small face stays as small as it was recorded.
    scales = [min(1.0, face_px / _height(m), size / m.crop.side) for m in moments]
    sources = [_downscale(moment, size, scale, step.soft) for moment, scale in zip(moments, scales, strict=True)]
    decoded = through(sources, step.codec, step.quantiser)
    return [_recrop(*row, size) for row in zip(decoded, moments, scales, strict=True)]


def _height(moment: Moment) -> float:
    """Height of the face in pixels of the patch."""
    xy = moment.shot.landmarks[:, 1]
    return float(xy.max() - xy.min()) * moment.crop.side / FACE_SIZE


def _downscale(moment: Moment, size: int, scale: float, soft: bool) -> VideoFrame:
    piece = square_of(moment.patch, Region(moment.crop.x, moment.crop.y, size / scale), size)
    if not soft:
        return piece
    blur = ImageFilter.GaussianBlur(0.012 * _height(moment) * scale)
    return replace(piece, y=np.asarray(Image.fromarray(piece.y).filter(blur)))


def _recrop(frame: VideoFrame, moment: Moment, scale: float, size: int) -> FaceShot:
    shot, crop, mouth = moment.shot, moment.crop, moment.mouth

    def place(region: Region) -> Region:
        x, y = size / 2 + (region.x - crop.x) * scale, size / 2 + (region.y - crop.y) * scale
        return Region(x, y, region.side * scale, region.angle)

    height = _height(moment) * scale
    # The pose is in pixels of the frame, of which the patch may show fewer.
    shrink = height / shot.size
    pose = Pose(shot.pose.scale * shrink, shot.pose.rotation, shot.pose.shift * np.float32(shrink))
    return FaceShot(
        shot.time,
        cut_rgb(frame, place(crop), FACE_SIZE),
        shot.landmarks,
        pose,
        height,
        sharpness(cut(frame.y, place(mouth), MOUTH_SIZE)),
    )


def square_of(frame: VideoFrame, region: Region, size: int) -> VideoFrame:
    """Cut a square piece of all planes, `size` even."""
    half = Region(region.x / 2, region.y / 2, region.side / 2)
    u, v = (_contiguous(cut(plane, half, size // 2, GREY)) for plane in (frame.u, frame.v))
    return replace(frame, y=_contiguous(cut(frame.y, region, size)), u=u, v=v)


def _contiguous(piece: ByteArray) -> ByteArray:
    return np.ascontiguousarray(piece)


def through(frames: Sequence[VideoFrame], codec: Codec, quantiser: int) -> list[VideoFrame]:
    """Code and decode pictures of one even size at a constant quantiser, the first alone and each after the last."""
    if not frames:
        return []
    encoder = encoder_for(frames[0].width, frames[0].height, codec, quantiser)
    packets = [bytes(p) for n, frame in enumerate(frames) for p in encoder.encode(to_codec(frame, n))]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    decoder = av.CodecContext.create(codec, "r")
    decoder.thread_count = 1
    decoded = [frame for packet in [*map(Packet, packets), None] for frame in decoder.decode(packet)]
    return [
        replace(to_video_frame(output, source.stamp), full_range=source.full_range)
        for output, source in zip(decoded, frames, strict=True)
    ]


def encoder_for(width: int, height: int, codec: Codec, quantiser: int) -> VideoCodecContext:
    """Open an encoder of pictures of this even size at a constant quantiser, each coded as it comes."""
    encoder = av.CodecContext.create("libx264" if codec == "h264" else "libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.thread_count = Fraction(1, 25), Fraction(25), 1
    if codec == "h264":
        encoder.options = {"preset": "veryfast", "tune": "zerolatency", "qp": str(quantiser)}
    else:
        level = str(quantiser)
        encoder.bit_rate = 10_000_000
        encoder.options = {
            "deadline": "realtime",
            "cpu-used": VP8_SPEED,
            "lag-in-frames": "0",
            "qmin": level,
            "qmax": level,
        }
    return encoder


def to_codec(frame: VideoFrame, number: int) -> av.VideoFrame:
    """Make a picture what encoders take, the `number`th of its stream."""
    raw = av.VideoFrame(frame.width, frame.height, "yuv420p")
    for plane, values in zip(raw.planes, (frame.y, frame.u, frame.v), strict=True):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : plane.width] = values
        plane.update(padded.tobytes())
    raw.pts, raw.time_base = number, Fraction(1, 25)
    return raw
