"""The decode loop: encoded frames wait in a bounded backlog until the session asks for them; any decoder is survived.

Encoded frames come from the event loop; they are decoded in the thread of the session, a few at a time, and not in a
thread of their own: handing every picture from thread to thread cost a tenth of a participant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock
from typing import Protocol, cast

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.formats import AudioCutter, to_video_frame
from monitor.tap.media.headers import picture_size
from monitor.types import SAMPLE_RATE_HZ, AudioBlock, MediaItem, Reason, TrackFault, TrackKind, VideoFrame

_VIDEO_TIME_BASE = Fraction(1, 90_000)
_AUDIO_TIME_BASE = Fraction(1, 48_000)
_ENTRY_BYTES = 512
MAX_FAULTS = 64
# Of the grid that sound is cut on; a longer step is a gap.
_MAX_STEP_SECONDS = 0.02
_FFMPEG_DECODERS = {"VP8": "vp8", "H264": "h264"}


@dataclass(frozen=True, slots=True, eq=False)
class EncodedFrame:
    """One encoded frame: its codec as in SDP, its media time in seconds and the monotonic time of its first packet.

    `damaged` says that what it is predicted from was lost; `follows` that nothing between it and the frame before was.
    """

    kind: TrackKind
    codec: str
    data: bytes
    media: float
    arrival: float
    damaged: bool = False
    follows: bool = False

    @property
    def cost_bytes(self) -> int:
        """What it takes to keep it, about."""
        return len(self.data) + _ENTRY_BYTES


class Decoder(Protocol):
    """Decodes the frames of one track in order; may raise anything."""

    def decode(self, encoded: EncodedFrame) -> list[av.VideoFrame] | list[av.AudioFrame]:
        """Decode a frame; the results' pts is media time."""
        ...


class PictureDecoder:
    """FFmpeg's own VP8 or H264 decoder, one thread, no more pixels than allowed; damaged pictures come out as well."""

    def __init__(self, codec: str, max_pixels: int) -> None:
        self._context = cast(VideoCodecContext, av.CodecContext.create(_FFMPEG_DECODERS[codec], "r"))
        self._context.thread_count = 1
        self._context.options = {"max_pixels": str(max_pixels), "flags": "low_delay+output_corrupt"}

    def decode(self, encoded: EncodedFrame) -> list[av.VideoFrame]:
        """Decode one picture; raises `av.FFmpegError`."""
        packet = Packet(encoded.data)
        packet.pts, packet.time_base = round(encoded.media / _VIDEO_TIME_BASE), _VIDEO_TIME_BASE
        return self._context.decode(packet)


class OpusDecoder:
    """Opus to 48 kHz (RFC 6716); without a header the stream is taken for stereo (RFC 7587 section 4.1)."""

    def __init__(self) -> None:
        self._context = av.CodecContext.create("libopus", "r")
        self._context.format = av.AudioFormat("s16")
        self._context.layout = "stereo"
        self._context.sample_rate = 48_000

    def decode(self, encoded: EncodedFrame) -> list[av.AudioFrame]:
        """Decode one packet; raises `av.FFmpegError`."""
        packet = Packet(encoded.data)
        packet.pts, packet.time_base = round(encoded.media / _AUDIO_TIME_BASE), _AUDIO_TIME_BASE
        return self._context.decode(packet)


class PcmDecoder:
    """Sound that is not encoded, int16 with the lowest byte first, of a rate in Hz and one or two channels."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate, self._layout, self._bytes = rate_hz, "stereo" if channels == 2 else "mono", 2 * channels

    def decode(self, encoded: EncodedFrame) -> list[av.AudioFrame]:
        """Take a piece as it is; raises `ValueError` for one that is cut off in a sample."""
        if not encoded.data or len(encoded.data) % self._bytes:
            raise ValueError("a piece of sound is cut off")
        samples = np.frombuffer(encoded.data, "<i2")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout=self._layout)
        frame.sample_rate, frame.time_base = self._rate, _AUDIO_TIME_BASE
        frame.pts = round(encoded.media / _AUDIO_TIME_BASE)
        return [frame]


def make_decoder(codec: str, max_pixels: int) -> Decoder:
    """Create a decoder for a codec name as in SDP: VP8, H264, opus, or L16 with rate and channels, as `L16/16000/1`.

    `max_pixels` bounds a picture.
    """
    if codec in _FFMPEG_DECODERS:
        return PictureDecoder(codec, max_pixels)
    if codec.startswith("L16/"):
        _, rate, channels = codec.split("/")
        return PcmDecoder(int(rate), int(channels))
    return OpusDecoder()


class DecodeLoop:
    """Decodes both tracks of a peer when it is asked to, by one thread at a time.

    `on_failure` is called from that thread when a track needs a key frame; `factory` makes a decoder for a codec name
    and a pixel limit. A full video backlog is dropped whole, because the pictures after a gap are of no use; a full
    audio backlog loses its oldest packet.
    """

    def __init__(
        self,
        config: TapConfig,
        clock: CallClock,
        on_failure: Callable[[TrackKind], None],
        factory: Callable[[str, int], Decoder] = make_decoder,
    ) -> None:
        self._config, self._clock, self._on_failure, self._factory = config, clock, on_failure, factory
        self._backlog: dict[TrackKind, deque[EncodedFrame]] = {"audio": deque(), "video": deque()}
        self._bytes: dict[TrackKind, int] = {"audio": 0, "video": 0}
        self._lock = Lock()
        self._closed = False
        self._paused = False
        self._decoders: dict[TrackKind, tuple[str, Decoder]] = {}
        self._cutter = AudioCutter()
        self._faults: dict[TrackKind, Reason] = {}
        # Media time from which pictures show what the sender shows.
        self._intact_from = float("-inf")
        # Media time at which the sound ends, and at which it goes on after a loss.
        self._sound_end = self._sound_after_loss = float("-inf")
        self._reported: deque[TrackFault] = deque(maxlen=MAX_FAULTS)
        self.dropped: dict[TrackKind, int] = {"audio": 0, "video": 0}
        self.errors = 0
        self.decoded: dict[TrackKind, int] = {"audio": 0, "video": 0}
        self.newest: dict[TrackKind, float] = {}

    @property
    def oldest(self) -> float | None:
        """Arrival of the frame at the head of the backlog in monotonic seconds, None where it is empty."""
        with self._lock:
            return min((queue[0].arrival for queue in self._backlog.values() if queue), default=None)

    def fault(self, kind: TrackKind) -> Reason | None:
        """Give what is wrong with the newest frames of a track; None once one of them was decoded."""
        return self._faults.get(kind)

    def submit(self, encoded: EncodedFrame) -> bool:
        """Queue a frame; never blocks. False where the backlog was full and video must restart at a key frame."""
        with self._lock:
            if self._closed or self._paused:
                return True
            fits = self._make_room(encoded)
            self._backlog[encoded.kind].append(encoded)
            self._bytes[encoded.kind] += encoded.cost_bytes
        return fits

    def report(self, fault: TrackFault) -> None:
        """Queue a fault that is not one of decoding, from any thread; of too many, the oldest are dropped."""
        self._reported.append(fault)

    def take(self, limit: int) -> list[MediaItem]:
        """Decode up to `limit` frames from the head of the backlog; returns their items and all faults.

        Audio comes first, each track in order: a decoder that runs on finds its tables in the processor's cache.
        """
        with self._lock:
            batch: list[EncodedFrame] = []
            while len(batch) < limit and (encoded := self._pop()) is not None:
                batch.append(encoded)
        items: list[MediaItem] = []
        for encoded in sorted(batch, key=lambda frame: frame.kind):
            items += [*self._handle(encoded), *self._pending_faults()]
        return [*items, *self._pending_faults()]

    def _pending_faults(self) -> Iterator[TrackFault]:
        while self._reported:
            yield self._reported.popleft()

    def pause(self, paused: bool) -> None:
        """Drop the backlog and the decoders without counting them, or take frames again; never blocks."""
        with self._lock:
            self._paused = paused
            if paused:
                self._clear()
                self._decoders = {}

    def close(self) -> None:
        """Drop the backlog and accept no more frames; never blocks."""
        with self._lock:
            self._closed = True
            self._clear()

    def _clear(self) -> None:
        for kind, queue in self._backlog.items():
            queue.clear()
            self._bytes[kind] = 0

    def _pop(self) -> EncodedFrame | None:
        queues = [queue for queue in self._backlog.values() if queue]
        if not queues:
            return None
        encoded = min(queues, key=lambda queue: queue[0].arrival).popleft()
        self._bytes[encoded.kind] -= encoded.cost_bytes
        return encoded

    def _make_room(self, encoded: EncodedFrame) -> bool:
        kind, queue = encoded.kind, self._backlog[encoded.kind]
        fits = True
        while queue and not self._has_room(encoded):
            dropped = [queue.popleft() for _ in range(len(queue) if kind == "video" else 1)]
            self._bytes[kind] -= sum(old.cost_bytes for old in dropped)
            self.dropped[kind] += len(dropped)
            fits = kind == "audio"
        return fits

    def _has_room(self, encoded: EncodedFrame) -> bool:
        waiting = encoded.media - self._backlog[encoded.kind][0].media
        cost = self._bytes[encoded.kind] + encoded.cost_bytes
        return waiting <= self._config.backlog_seconds and cost <= self._config.backlog_bytes

    def _handle(self, encoded: EncodedFrame) -> list[MediaItem]:
        kind = encoded.kind
        items: list[MediaItem] = []
        try:
            if self._is_refused(encoded):
                return []
            self._note_damage(encoded)
            for item in self._decode(encoded):
                items.append(item)
                self._faults.pop(kind, None)
                self.decoded[kind] += 1
                self.newest[kind] = encoded.arrival
        except Exception as error:
            self.errors += 1
            if not isinstance(error, av.FFmpegError):
                self._decoders.pop(kind, None)
            if not encoded.damaged:
                self._fault(encoded, Reason.DECODER_FAILED, f"the {kind} could not be decoded")
                self._on_failure(kind)
        return items

    def _note_damage(self, encoded: EncodedFrame) -> None:
        if encoded.damaged:
            self._intact_from = float("inf")
        elif encoded.kind == "video" and self._intact_from == float("inf"):
            # Half a tick of the decoder's time base, to which it rounds.
            self._intact_from = encoded.media - float(_VIDEO_TIME_BASE) / 2

    def _is_refused(self, encoded: EncodedFrame) -> bool:
        size = picture_size(encoded.codec, encoded.data) if encoded.kind == "video" else None
        if size is None:
            return self._faults.get(encoded.kind) is Reason.FRAME_TOO_LARGE
        if size[0] * size[1] > self._config.max_pixels:
            self._fault(encoded, Reason.FRAME_TOO_LARGE, f"pictures of {size[0]}x{size[1]} are larger than is accepted")
            return True
        if self._faults.get(encoded.kind) is Reason.FRAME_TOO_LARGE:
            self._faults.pop(encoded.kind)
        return False

    def _decode(self, encoded: EncodedFrame) -> Iterator[MediaItem]:
        codec, decoder = self._decoders.get(encoded.kind, ("", None))
        if decoder is None or codec != encoded.codec:
            decoder = self._factory(encoded.codec, self._config.max_pixels)
            self._decoders[encoded.kind] = encoded.codec, decoder
        for frame in decoder.decode(encoded):
            if isinstance(frame, av.VideoFrame):
                yield self._picture(frame, encoded)
            else:
                yield from self._blocks(frame, encoded)

    def _picture(self, frame: av.VideoFrame, encoded: EncodedFrame) -> VideoFrame:
        media = encoded.media if frame.pts is None else float(frame.pts * _VIDEO_TIME_BASE)
        # In the order of showing: a picture that was decoded late may belong before those that are intact.
        damaged = frame.is_corrupt or media < self._intact_from
        return to_video_frame(frame, self._clock.at("video", media, encoded.arrival), damaged)

    def _blocks(self, frame: av.AudioFrame, encoded: EncodedFrame) -> Iterator[AudioBlock]:
        if not encoded.follows:
            self._sound_after_loss = encoded.media
        for media, samples in self._cutter.push(frame):
            yield AudioBlock(self._clock.at("audio", media, encoded.arrival), samples, self._pause_before(media))
            self._sound_end = media + samples.size / SAMPLE_RATE_HZ

    def _pause_before(self, media: float) -> float:
        """Seconds before this sound in which the sender sent nothing: RTP time went on, and no packet is missing."""
        pause = media - self._sound_end
        is_lost = abs(media - self._sound_after_loss) <= _MAX_STEP_SECONDS
        return pause if _MAX_STEP_SECONDS < pause < float("inf") and not is_lost else 0.0

    def _fault(self, encoded: EncodedFrame, reason: Reason, detail: str) -> None:
        """Report a fault once an episode: again only after something was decoded, or when the reason changes."""
        if self._faults.get(encoded.kind) is not reason:
            self._faults[encoded.kind] = reason
            self.report(TrackFault(encoded.kind, reason, detail, encoded.arrival))
