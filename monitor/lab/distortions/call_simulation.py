"""What a call does to a clip: low bitrates, small and dropped pictures, Opus, lost packets, rooms and microphones.

The codecs are the real ones. Pictures pass through H.264 or VP8 at 100 to 500 kbit/s, at lower resolutions and down to
10 frames a second, blurred or noisy before; sound passes a room, a gain, noise, and Opus at 16 to 32 kbit/s whose lost
packets are concealed by fading repetition. Times stay those of the clip, so lips and voice stay together.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from monitor.identity.enrolment.opus_line import opus
from monitor.lab.distortions.codec import open_decoder, open_encoder, to_codec_frame
from monitor.tap.clip_time import item_time
from monitor.tap.media.formats import to_video_frame
from monitor.types import SAMPLE_RATE_HZ, AudioBlock, FloatArray, MediaItem, Stamp, TrackFault, VideoFrame

_TIME_BASE = Fraction(1, 90_000)
_GOP_FRAMES = 250
_ENCODER_OPTIONS = {
    "libx264": {"preset": "veryfast", "tune": "zerolatency"},
    # Negative: this speed, however busy the machine is; a positive one lets libvpx choose by the clock.
    "libvpx": {"deadline": "realtime", "cpu-used": "-4", "lag-in-frames": "0"},
}


@dataclass(frozen=True, slots=True)
class CallCondition:
    """One way of being on a call; what `SimulatedCall` draws by chance."""

    codec: str
    bitrate: int
    scale: float
    fps: float
    blur: bool
    grain: float
    opus: int
    loss: float
    gain: float
    noise: float
    reverb: float

    @classmethod
    def draw(cls, random: np.random.Generator) -> CallCondition:
        """Draw a condition; every field alone is common on calls."""
        return cls(
            codec=str(random.choice(["libx264", "libvpx"])),
            bitrate=int(random.integers(100, 501)) * 1000,
            scale=float(random.choice([1.0, 1.0, 0.75, 0.5])),
            fps=float(random.choice([30.0, 30.0, 30.0, 20.0, 15.0, 12.0, 10.0])),
            blur=bool(random.random() < 0.2),
            grain=float(random.choice([0.0, 0.0, 2.0, 5.0])),
            opus=int(random.integers(16, 33)) * 1000,
            loss=float(random.choice([0.0, 0.0, 0.02, 0.05])),
            gain=float(np.exp(random.uniform(-1.5, 0.7))),
            noise=float(random.choice([0.0, 0.0, 30.0, 20.0, 12.0])),
            reverb=float(random.choice([0.0, 0.0, 0.15, 0.3, 0.5])),
        )


@dataclass(frozen=True, slots=True)
class SimulatedCall:
    """A `speech_features.Change`: the clip as somebody far away received it; one `seed` is one drawing for each clip.

    What is drawn depends on the seed and on the clip's first picture, so a clip is always changed alike.
    """

    seed: int

    @property
    def name(self) -> str:
        """Part of the features' key."""
        return f"call{self.seed}"

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        """Yield the items as received, by capture time."""
        video: _Pictures | None = None
        sound: list[AudioBlock] = []
        faults: list[MediaItem] = []
        random = np.random.default_rng(self.seed)
        condition = CallCondition.draw(random)
        for item in items:
            if isinstance(item, AudioBlock):
                sound.append(item)
            elif isinstance(item, TrackFault):
                faults.append(item)
            else:
                if video is None:
                    random = np.random.default_rng([self.seed, zlib.crc32(item.y[::8, ::8].tobytes())])
                    condition = CallCondition.draw(random)
                    video = _Pictures(condition, random)
                video.push(item)
        yield from faults
        tracks: list[Iterator[MediaItem]] = [voice_on(condition, sound, random)]
        if video is not None:
            tracks.append(video.received())
        yield from heapq.merge(*tracks, key=item_time)


class _Pictures:
    """Encodes pictures as they come and keeps packets only, so that a long clip takes little memory."""

    def __init__(self, condition: CallCondition, random: np.random.Generator) -> None:
        self._condition, self._random = condition, random
        self._encoder: VideoCodecContext | None = None
        self._packets: list[bytes] = []
        self._stamps: list[Stamp] = []
        self._due = -np.inf

    def push(self, frame: VideoFrame) -> None:
        at, period = frame.stamp.media, 1 / self._condition.fps
        if at < self._due:
            return
        self._due = max(self._due, at - period) + period if self._stamps else at + period
        shrunk = self._shrink(frame)
        encoder = self._encoder or self._open(shrunk)
        self._stamps.append(frame.stamp)
        self._packets += [bytes(packet) for packet in encoder.encode(shrunk)]

    def _shrink(self, frame: VideoFrame) -> av.VideoFrame:
        luma = frame.y.astype(np.float32)
        if self._condition.grain:
            luma = luma + self._condition.grain * self._random.standard_normal(luma.shape, np.float32)
        raw = to_codec_frame((luma, frame.u, frame.v), (frame.width // 2 * 2, frame.height // 2 * 2))
        scale = self._condition.scale
        width, height = (max(int(side * scale) // 2 * 2, 64) for side in (raw.width, raw.height))
        if self._condition.blur:
            raw = raw.reformat(width=max(width // 4 * 2, 32), height=max(height // 4 * 2, 32))
        small = raw.reformat(width=width, height=height, format="yuv420p")
        small.pts, small.time_base = round(frame.stamp.media / _TIME_BASE), _TIME_BASE
        return small

    def _open(self, frame: av.VideoFrame) -> VideoCodecContext:
        fps = round(min(self._condition.fps, 25.0))
        codec, size = self._condition.codec, (frame.width, frame.height)
        self._encoder = open_encoder(codec, size, _TIME_BASE, fps, _ENCODER_OPTIONS[codec])
        self._encoder.bit_rate, self._encoder.gop_size = self._condition.bitrate, _GOP_FRAMES
        return self._encoder

    def received(self) -> Iterator[VideoFrame]:
        """Decode what was sent; with either codec's settings one packet is one picture, in order."""
        if self._encoder is None:
            return
        packets = [*self._packets, *(bytes(packet) for packet in self._encoder.encode(None))]
        decoder = open_decoder(self._condition.codec)
        stamps = iter(self._stamps)
        for data in [*packets, None]:
            for frame in decoder.decode(Packet(data) if data is not None else None):
                yield to_video_frame(frame, next(stamps))


def voice_on(condition: CallCondition, blocks: list[AudioBlock], random: np.random.Generator) -> Iterator[AudioBlock]:
    """Pass sound through the room, the microphone and Opus; blocks come back with their own stamps."""
    if not blocks:
        return
    samples = np.concatenate([block.samples for block in blocks]).astype(np.float32)
    samples = _noisy(_room(samples, condition.reverb, random) * condition.gain, condition.noise, random)
    received = opus(np.clip(samples, -1, 1).astype(np.float32), condition.opus, condition.loss, random)
    at = 0
    for block in blocks:
        yield replace(block, samples=received[at : at + block.samples.size])
        at += block.samples.size


def _room(samples: FloatArray, seconds: float, random: np.random.Generator) -> FloatArray:
    """Convolve with a made room: the direct sound and a tail that falls by 60 dB in `seconds`."""
    if not seconds:
        return samples
    length = int(seconds * SAMPLE_RATE_HZ)
    tail = random.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    tail *= 0.5 / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    size = len(samples) + length
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)
    return np.asarray(wet[: len(samples)], np.float32)


def _noisy(samples: FloatArray, snr: float, random: np.random.Generator) -> FloatArray:
    """Add hiss, darker or brighter by chance, `snr` dB below the speech; 0 leaves it out."""
    if not snr:
        return samples
    noise = random.standard_normal(len(samples))
    noise[1:] += random.uniform(-0.5, 0.9) * noise[:-1]
    gain = float(np.sqrt((samples**2).mean() / max((noise**2).mean(), 1e-9))) * 10 ** (-snr / 20)
    return np.asarray(samples + gain * noise, np.float32)
