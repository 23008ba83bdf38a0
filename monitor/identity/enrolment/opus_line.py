"""Sound through Opus as calls send it, in memory, with packets that are lost and concealed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.packet import Packet

from monitor.tap.media.formats import AudioCutter
from monitor.types import SAMPLE_RATE_HZ, FloatArray

_OPUS_RATE_HZ = 48_000
_OPUS_FRAME_SAMPLES = 960
_FADE_OF_LOST_PACKET = 0.5
_SIXTEEN_BIT = np.float32(1 / 32768)
_MAX_LOST_IN_ROW = 3


def opus(samples: FloatArray, bitrate: int, loss: float, random: np.random.Generator) -> FloatArray:
    """Code and decode 16 kHz mono (N,) at `bitrate` bit/s; a share `loss` of the 20 ms packets is lost and concealed.

    The coder's delay is taken out, so that sample n still belongs to the same moment.
    """
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = _OPUS_RATE_HZ, "mono", "s16"
    encoder.bit_rate, encoder.time_base = bitrate, Fraction(1, _OPUS_RATE_HZ)
    encoder.options = {"application": "voip", "frame_duration": "20"}
    packets = [packet for frame in _frames(samples) for packet in encoder.encode(frame)] + encoder.encode(None)
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout, decoder.format = _OPUS_RATE_HZ, "mono", "s16"
    pieces: list[FloatArray] = []
    lost_in_row = 0
    for packet in packets:
        if pieces and lost_in_row < _MAX_LOST_IN_ROW and random.random() < (0.5 if lost_in_row else loss):
            # Fading repetition, as simple receivers conceal (ITU-T G.711 appendix I in spirit).
            lost_in_row += 1
            pieces.append(pieces[-1] * np.float32(_FADE_OF_LOST_PACKET))
            continue
        lost_in_row = 0
        data = Packet(bytes(packet))
        pieces += [frame.to_ndarray().reshape(-1).astype(np.float32) * _SIXTEEN_BIT for frame in decoder.decode(data)]
    return _to_speech_rate(np.concatenate(pieces)[_delay(encoder) :], len(samples))


def _delay(encoder: AudioCodecContext) -> int:
    """Read the samples of look-ahead from the header that the coder writes (RFC 7845, section 5.1)."""
    header = encoder.extradata or b""
    return int.from_bytes(header[10:12], "little") if len(header) >= 12 else 312


def _frames(samples: FloatArray) -> Iterator[av.AudioFrame]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_OPUS_RATE_HZ, frame_size=_OPUS_FRAME_SAMPLES)
    whole = np.concatenate([samples, np.zeros(SAMPLE_RATE_HZ // 10, np.float32)])
    frame = av.AudioFrame.from_ndarray((whole * 32767).astype(np.int16)[None], "s16", "mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, 0, Fraction(1, SAMPLE_RATE_HZ)
    yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _to_speech_rate(samples: FloatArray, length: int) -> FloatArray:
    frame = av.AudioFrame.from_ndarray(samples[None], "flt", "mono")
    frame.sample_rate, frame.pts, frame.time_base = _OPUS_RATE_HZ, 0, Fraction(1, _OPUS_RATE_HZ)
    cutter = AudioCutter()
    parts = [part for _, part in cutter.push(frame)] + [part for _, part in cutter.flush()]
    out = np.concatenate(parts)[:length]
    return np.pad(out, (0, length - len(out)))
