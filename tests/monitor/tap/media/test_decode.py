"""The decode loop on real encoded media, on bombs and on decoders that misbehave."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise

import av
import pytest
from psutil import Process

from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import MAX_FAULTS, DecodeLoop, Decoder, EncodedFrame, make_decoder
from monitor.types import AudioBlock, MediaItem, Reason, TrackFault, TrackKind, VideoFrame
from tests.monitor.tap.clips import sound_frame
from tests.monitor.tap.media.test_headers import encode, sps, vp8_bomb


class Sink:
    """Keeps what a decode loop gave when it was asked."""

    def __init__(self, decode: DecodeLoop) -> None:
        self._decode = decode
        self.items: list[MediaItem] = []

    def wait(self, kind: type[MediaItem], count: int = 1) -> None:
        self.items += self._decode.take(1000)
        assert len(self.of(kind)) >= count

    def of(self, kind: type[MediaItem]) -> list[MediaItem]:
        return [item for item in self.items if isinstance(item, kind)]

    def reasons(self) -> list[Reason]:
        return [item.reason for item in self.items if isinstance(item, TrackFault)]


class Loop(DecodeLoop):
    """A decode loop that keeps which tracks wanted a key frame."""

    def __init__(self, config: TapConfig, factory: Callable[[str, int], Decoder]) -> None:
        self.failures: list[TrackKind] = []
        super().__init__(config, CallClock(), self.failures.append, factory)


@contextmanager
def loop(
    config: TapConfig | None = None, factory: Callable[[str, int], Decoder] = make_decoder
) -> Iterator[tuple[Loop, Sink]]:
    decode = Loop(config or TapConfig(), factory)
    try:
        yield decode, Sink(decode)
    finally:
        decode.close()


def video(data: bytes, media: float = 0.0, codec: str = "VP8") -> EncodedFrame:
    return EncodedFrame("video", codec, data, media, media)


def opus(count: int, seconds: float = 0.02) -> list[bytes]:
    """Packets of so many seconds."""
    context = av.CodecContext.create("libopus", "w")
    context.options = {"frame_duration": f"{1000 * seconds:g}"}
    context.sample_rate, context.format, context.layout = 48_000, av.AudioFormat("s16"), "stereo"
    context.time_base = Fraction(1, 48_000)
    resampler = av.AudioResampler("s16", "stereo", 48_000)
    packets = []
    for n in range(count):
        samples = round(seconds * 48_000)
        frame = sound_frame(n * seconds, samples)
        frame.pts, frame.time_base = n * samples, Fraction(1, 48_000)
        for stereo in resampler.resample(frame):
            packets += context.encode(stereo)
    return [bytes(p) for p in packets]


@pytest.mark.parametrize(("encoder", "codec"), [("libvpx", "VP8"), ("libx264", "H264")])
def test_pictures_keep_their_media_time(encoder: str, codec: str) -> None:
    with loop() as (decode, sink):
        for n, data in enumerate(encode(encoder, (320, 240), 5, profile="baseline" if codec == "H264" else None)):
            decode.submit(video(data, 7.0 + n / 25, codec))
        sink.wait(VideoFrame, 5)
    stamps = [i.stamp for i in sink.items if isinstance(i, VideoFrame)]
    assert [s.media for s in stamps] == pytest.approx([7.0 + n / 25 for n in range(5)], abs=1e-4)
    assert decode.errors == 0


def test_sound_becomes_even_blocks_on_its_media_time() -> None:
    with loop() as (decode, sink):
        for n, data in enumerate(opus(50)):
            decode.submit(EncodedFrame("audio", "opus", data, 3.0 + n * 0.02, n * 0.02))
        sink.wait(AudioBlock, 32)
    heard = [i for i in sink.items if isinstance(i, AudioBlock)]
    assert {b.samples.size for b in heard} == {480}
    assert heard[0].stamp.media == pytest.approx(3.0, abs=0.002)
    assert heard[-1].stamp.media - heard[0].stamp.media == pytest.approx((len(heard) - 1) * 0.03, abs=1e-3)


def test_a_gap_in_the_sound_is_kept_as_a_gap() -> None:
    with loop() as (decode, sink):
        for n, data in enumerate(opus(40)):
            if not 15 <= n < 25:
                decode.submit(EncodedFrame("audio", "opus", data, n * 0.02, n * 0.02))
        sink.wait(AudioBlock, 19)
    media = [i.stamp.media for i in sink.items if isinstance(i, AudioBlock)]
    steps = [b - a for a, b in pairwise(media)]
    assert max(steps) == pytest.approx(0.2, abs=0.035)
    assert sorted(steps)[-2] == pytest.approx(0.03, abs=0.002)


@pytest.mark.parametrize("seconds", [0.0025, 0.01, 0.02, 0.06, 0.12])
@pytest.mark.parametrize("pause", [0.4, 1.0, 30.0])
def test_a_pause_of_the_sender_is_told_from_a_loss(seconds: float, pause: float) -> None:
    """Sound, a pause, sound, a loss as long, and sound again: each 0.6 s."""
    third = round(0.6 / seconds)
    with loop() as (decode, sink):
        for n, data in enumerate(opus(3 * third, seconds)):
            media = n * seconds + pause * (n // third)
            decode.submit(EncodedFrame("audio", "opus", data, media, media, follows=n not in (0, 2 * third)))
            sink.wait(AudioBlock, 0)
    heard = [item for item in sink.items if isinstance(item, AudioBlock)]
    pauses = [(block.stamp.media, block.pause) for block in heard if block.pause]
    assert len(pauses) == 1
    assert pauses[0] == pytest.approx((0.6 + pause, pause), abs=seconds + 0.01)
    assert max(b.stamp.media - a.stamp.media for a, b in pairwise(heard)) == pytest.approx(pause, abs=0.04)


@pytest.mark.parametrize("seconds", [0.0025, 0.02, 0.12])
def test_the_backlog_is_bounded_in_seconds_of_media(seconds: float) -> None:
    with loop() as (decode, _):
        for n in range(round(3.0 / seconds)):
            decode.submit(EncodedFrame("audio", "opus", b"x", n * seconds, n * seconds))
        kept = round(3.0 / seconds) - decode.dropped["audio"]
        assert kept * seconds == pytest.approx(TapConfig().backlog_seconds, abs=seconds + 1e-6)


def test_the_backlog_is_bounded_in_bytes_where_media_time_stands() -> None:
    with loop(TapConfig(backlog_bytes=10_000)) as (decode, _):
        for _ in range(1000):
            decode.submit(EncodedFrame("audio", "opus", b"x" * 100, 0.0, 0.0))
        assert 1000 - decode.dropped["audio"] == 10_000 // decode._backlog["audio"][0].cost_bytes
        assert decode.submit(EncodedFrame("audio", "opus", b"x" * 20_000, 0.0, 0.0))
        assert decode.oldest == 0.0


def test_a_bomb_is_refused_in_no_time_told_once_and_the_call_goes_on() -> None:
    good = encode("libvpx", (320, 240), 2)
    with loop() as (decode, sink):
        before = time.process_time()
        for _ in range(20):
            decode.submit(video(vp8_bomb()))
        sink.wait(TrackFault)
        decode.submit(video(good[1], 0.04))
        decode.submit(video(good[0], 0.08))
        sink.wait(VideoFrame)
        spent = time.process_time() - before
        decode.submit(video(vp8_bomb()))
        sink.wait(TrackFault, 2)
    assert sink.reasons() == [Reason.FRAME_TOO_LARGE] * 2
    assert len(sink.of(VideoFrame)) == 1
    assert spent < 0.1


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_a_key_frame_of_8192_pixels_costs_less_than_5_ms(codec: str) -> None:
    """The least of a few: what else this process does at the time is none of its cost."""
    bomb = vp8_bomb(8192, 8192, 200_000) if codec == "VP8" else h264_bomb(200_000)
    spent = []
    with loop() as (decode, sink):
        for n in range(5):
            decode.submit(video(bomb, n / 25, codec))
            before = time.thread_time()
            sink.items += decode.take(1)
            spent.append(time.thread_time() - before)
    assert min(spent) < 0.005
    assert sink.reasons() == [Reason.FRAME_TOO_LARGE]
    assert decode.errors == 0


@pytest.mark.parametrize("sizes", [[(1920, 1088)], [(64, 64), (1920, 1088), (320, 240), (1280, 720)]], ids=len)
def test_pictures_are_let_go_of_at_once_whatever_their_size(sizes: list[tuple[int, int]]) -> None:
    """Without the help of the garbage collector, which does not know that a picture of some bytes holds megabytes."""
    shots, process, seen = [encode("libvpx", size, 1)[0] for size in sizes], Process(), set[tuple[int, int]]()
    gc.collect()
    gc.disable()
    try:
        with loop() as (decode, _):
            for n in range(140):
                decode.submit(video(shots[n % len(shots)], n / 25))
                seen |= {(item.width, item.height) for item in decode.take(1) if isinstance(item, VideoFrame)}
                if n == 20:
                    before = process.memory_info().rss
            grown = process.memory_info().rss - before
            assert (decode.errors, decode.decoded["video"]) == (0, 140)
    finally:
        gc.enable()
    assert seen == set(sizes)
    assert grown < 32 << 20


def h264_bomb(size: int) -> bytes:
    """A sequence parameter set that announces 8192x8192, and a slice."""
    # Profile, level, id, frame number, order type 2, one reference, no gaps, 512 by 512 macroblocks, frames only.
    numbers = "".join(ue(value) for value in (0, 0, 2, 1)) + "0" + ue(511) + ue(511) + "1100"
    return sps(f"{66:08b}{0:08b}{51:08b}" + numbers) + b"\0\0\0\1\x65" + bytes([0x88]) * size


def ue(value: int) -> str:
    """An unsigned Exp-Golomb number as bits (H.264 section 9.1)."""
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def test_a_bomb_past_the_peek_is_refused_by_the_decoder() -> None:
    decoder = make_decoder("VP8", 1920 * 1088)
    before = time.process_time()
    with pytest.raises(av.FFmpegError):
        decoder.decode(video(vp8_bomb(size=100_000)))
    assert time.process_time() - before < 0.05


def test_garbage_is_told_once_an_episode_and_a_key_frame_is_asked_for() -> None:
    good = encode("libvpx", (320, 240), 1)[0]
    with loop() as (decode, sink):
        for _ in range(3):
            decode.submit(video(b"\x10\x00\x00garbage"))
        decode.submit(video(good))
        sink.wait(VideoFrame)
        decode.submit(video(b"\x10\x00\x00garbage"))
        sink.wait(TrackFault, 2)
    assert sink.reasons() == [Reason.DECODER_FAILED] * 2
    assert decode.errors == 4
    assert decode.failures[:3] == ["video"] * 3


class Broken:
    """Raises what no decoder should, three times for each codec."""

    count = 0

    def __init__(self, codec: str, max_pixels: int) -> None:
        self._inner = make_decoder(codec, max_pixels)

    def decode(self, encoded: EncodedFrame) -> list[av.VideoFrame] | list[av.AudioFrame]:
        Broken.count += 1
        if Broken.count <= 3:
            raise ValueError("injected")
        return self._inner.decode(encoded)


def test_any_exception_is_survived_with_a_new_decoder() -> None:
    good = encode("libvpx", (320, 240), 1)[0]
    Broken.count = 0
    with loop(factory=Broken) as (decode, sink):
        for n in range(5):
            decode.submit(video(good, n / 25))
        sink.wait(VideoFrame, 2)
    assert sink.reasons() == [Reason.DECODER_FAILED]
    assert decode.errors == 3


class Gate:
    """A decoder that holds its first frame until the test lets it go."""

    entered = threading.Event()
    open = threading.Event()

    def __init__(self, codec: str, max_pixels: int) -> None:
        del codec, max_pixels

    def decode(self, encoded: EncodedFrame) -> list[av.VideoFrame]:
        del encoded
        Gate.entered.set()
        Gate.open.wait(10)
        return []


@contextmanager
def held() -> Iterator[Loop]:
    """A loop of room for four frames of 40 ms, with a worker inside its decoder."""
    Gate.entered.clear()
    Gate.open.clear()
    with loop(TapConfig(backlog_seconds=0.13), Gate) as (decode, _):
        decode.submit(video(b"x"))
        worker = threading.Thread(target=decode.take, args=(1,))
        worker.start()
        assert Gate.entered.wait(10)
        yield decode
        Gate.open.set()
        worker.join(10)


def test_a_full_backlog_drops_stale_video_whole_and_the_oldest_sound() -> None:
    with held() as decode:
        fits = [decode.submit(video(b"x", n / 25)) for n in range(6)]
        assert fits == [True] * 4 + [False, True]
        fits = [decode.submit(EncodedFrame("audio", "opus", b"x", n / 25, 0.0)) for n in range(6)]
        assert all(fits)
        assert decode.dropped == {"video": 4, "audio": 2}
        decode.close()
        assert decode.submit(video(b"x"))
    assert decode.dropped == {"video": 4, "audio": 2}


def test_a_batch_is_what_has_waited_longest_and_what_is_left_says_since_when() -> None:
    with loop() as (decode, _):
        for n, data in enumerate(opus(20)):
            decode.submit(EncodedFrame("audio", "opus", data, n * 0.02, 5.0 + n * 0.02))
        first = decode.take(8)
        assert decode.oldest == pytest.approx(5.16)
        rest = decode.take(100)
        assert decode.oldest is None
    times = [item.stamp.arrival for item in (*first, *rest) if isinstance(item, AudioBlock)]
    assert times == sorted(times)
    assert max(item.stamp.arrival for item in first if isinstance(item, AudioBlock)) < 5.16


def test_faults_of_others_keep_their_order_and_the_oldest_go() -> None:
    with loop() as (decode, _):
        for n in range(MAX_FAULTS + 2):
            decode.report(TrackFault("audio", Reason.MEDIA_STALLED, "", float(n)))
        told = [item.arrival for item in decode.take(1) if isinstance(item, TrackFault)]
        assert told == [float(n) for n in range(2, MAX_FAULTS + 2)]
        assert decode.take(1) == []


def test_a_paused_loop_takes_nothing_counts_nothing_and_goes_on() -> None:
    good = encode("libvpx", (320, 240), 3)
    made: list[str] = []

    def factory(codec: str, max_pixels: int) -> Decoder:
        made.append(codec)
        return make_decoder(codec, max_pixels)

    with loop(factory=factory) as (decode, sink):
        decode.submit(video(good[0]))
        sink.wait(VideoFrame)
        decode.pause(True)
        decode.pause(True)
        assert all(decode.submit(video(data, 0.04 + n / 25)) for n, data in enumerate(good * 50))
        decode.pause(False)
        decode.submit(video(good[0], 9.0))
        sink.wait(VideoFrame, 2)
    assert [i.stamp.media for i in sink.of(VideoFrame)] == [0.0, 9.0]  # type: ignore[union-attr]
    assert decode.dropped == {"video": 0, "audio": 0}
    assert made == ["VP8", "VP8"]


def test_a_pause_drops_what_waits() -> None:
    with held() as decode:
        assert all(decode.submit(video(b"x")) for _ in range(4))
        decode.pause(True)
        decode.pause(False)
        assert all(decode.submit(video(b"x")) for _ in range(4))
    assert decode.dropped["video"] == 0


def test_a_loop_that_never_ran_closes() -> None:
    with loop() as (decode, _):
        decode.close()
        decode.close()
        assert decode.take(10) == []
