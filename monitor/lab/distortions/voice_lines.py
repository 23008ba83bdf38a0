"""The ways that a voice takes to a listener, drawn by chance and the same for whatever is sent: 16 kHz mono.

What tells synthetic speech from genuine must not be that one was recorded in a room, by a microphone, uploaded, and
sent through a call while the other was not. So both pass all of it: a room, noise under them, the coder of a platform
(AAC), suppression of noise, a band, Opus at the rates of calls with lost packets, a gain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np
from av.packet import Packet

from monitor.identity.enrolment.opus_line import opus
from monitor.identity.enrolment.sound_ladder import narrowband, suppress_noise
from monitor.lab.distortions.room_sounds import levelled, mixed, room_sound
from monitor.tap.media.formats import AudioCutter
from monitor.types import SAMPLE_RATE_HZ, FloatArray

_NOISES = ("pink noise", "white noise", "fan", "traffic", "typing", "rain")
_AAC_RATE_HZ = 44_100
_DECAY_SECONDS = (0.15, 0.5)


@dataclass(frozen=True, slots=True)
class VoiceLine:
    """One way: shares and sizes of 0 leave their part out.

    `aac` and `opus` are bit/s, `noise` is how many decibels the `noise_kind` lies under the voice, `room` the share of
    reverberation, `band_hz` what the line passes at most, `loss` the share of lost packets, `level` the root mean
    square of what arrives; `seed` draws the noise, the room and what is lost.
    """

    name: str
    aac: int = 0
    opus: int = 0
    noise: float = 0.0
    noise_kind: str = "pink noise"
    room: float = 0.0
    suppressed: bool = False
    telephone: bool = False
    band_hz: float = 0.0
    loss: float = 0.0
    level: float = 0.05
    seed: int = 0

    @classmethod
    def draw(cls, random: np.random.Generator) -> VoiceLine:
        """Draw one; every field alone is common on calls."""
        return cls(
            "drawn",
            aac=int(random.choice([48, 64, 96])) * 1000,
            opus=int(random.integers(12, 33)) * 1000,
            noise=float(random.choice([0.0, 15.0, 20.0, 25.0, 35.0])),
            noise_kind=str(random.choice(_NOISES)),
            room=float(random.choice([0.0, 0.0, 0.15, 0.3])),
            suppressed=bool(random.random() < 0.3),
            telephone=bool(random.random() < 0.1),
            band_hz=float(random.choice([0.0, 0.0, 5500.0, 7000.0])),
            loss=float(random.choice([0.0, 0.0, 0.02, 0.05])),
            level=float(np.exp(random.uniform(-4.5, -2.0))),
            seed=int(random.integers(1 << 31)),
        )

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Send sound (N,) along; it keeps its length."""
        random = np.random.default_rng(self.seed)
        sound = levelled(samples)
        if self.room:
            sound = levelled(_in_room(sound, self.room, random))
        if self.noise:
            noise = room_sound(
                self.noise_kind, min(len(sound) / SAMPLE_RATE_HZ + 0.1, 8.0), int(random.integers(1 << 20))
            )
            sound = mixed(sound, noise, self.noise)
        if self.aac:
            sound = aac(sound, self.aac)
        if self.suppressed:
            sound = suppress_noise(sound)
        if self.telephone:
            sound = narrowband(sound)
        if self.band_hz:
            sound = _below(sound, self.band_hz)
        if self.opus:
            sound = opus(sound, self.opus, self.loss, random)
        return levelled(sound, self.level)


PLAIN = VoiceLine("as recorded, Opus 24 kbit/s", aac=64_000, opus=24_000)
# What a genuine voice passes and stays genuine: the confounds, each beside the plain line.
CONFOUNDS = (
    PLAIN,
    replace(PLAIN, name="noise suppressed", suppressed=True),
    replace(PLAIN, name="telephone band", telephone=True),
    replace(PLAIN, name="Opus 12 kbit/s", opus=12_000),
    replace(PLAIN, name="coded twice", aac=48_000, opus=16_000, loss=0.05),
    replace(PLAIN, name="noise and a room", noise=20.0, room=0.3),
)


def aac(samples: FloatArray, bitrate: int) -> FloatArray:
    """Code and decode 16 kHz mono (N,) as a platform for clips does, at `bitrate` bit/s and 44.1 kHz."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = _AAC_RATE_HZ, "mono", "fltp"
    encoder.bit_rate, encoder.time_base = bitrate, Fraction(1, _AAC_RATE_HZ)
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=_AAC_RATE_HZ, frame_size=1024)
    frame = av.AudioFrame.from_ndarray(np.pad(samples, (0, 2048))[None], "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, 0, Fraction(1, SAMPLE_RATE_HZ)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    packets = [packet for part in frames for packet in encoder.encode(part)] + encoder.encode(None)
    decoder = av.CodecContext.create("aac", "r")
    decoder.sample_rate, decoder.layout, decoder.extradata = _AAC_RATE_HZ, "mono", encoder.extradata
    cutter, parts, at = AudioCutter(), [np.zeros(0, np.float32)], 0
    for packet in packets:
        for out in decoder.decode(Packet(bytes(packet))):
            out.pts, out.time_base = at, Fraction(1, _AAC_RATE_HZ)
            at += out.samples
            parts += [part for _, part in cutter.push(out)]
    parts += [part for _, part in cutter.flush()]
    # The coder's first frame is its delay.
    sound = np.concatenate(parts)[round(1024 * SAMPLE_RATE_HZ / _AAC_RATE_HZ) :][: len(samples)]
    return np.pad(sound, (0, len(samples) - len(sound))).astype(np.float32)


def _in_room(sound: FloatArray, share: float, random: np.random.Generator) -> FloatArray:
    """Add what a room gives back: noise that decays by 60 dB (Polack 1988)."""
    seconds = float(random.uniform(*_DECAY_SECONDS))
    length = round(seconds * SAMPLE_RATE_HZ)
    response = random.normal(size=length) * 10 ** (-3 * np.arange(length) / length)
    response *= share / float(np.sqrt(np.sum(response**2)))
    response[0] += 1.0
    size = len(sound) + length
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)
    return wet[: len(sound)].astype(np.float32)


def _below(sound: FloatArray, high_hz: float) -> FloatArray:
    spectrum, hz = np.fft.rfft(sound), np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)
    return np.fft.irfft(spectrum * np.clip((high_hz + 300 - hz) / 300, 0, 1), len(sound)).astype(np.float32)
