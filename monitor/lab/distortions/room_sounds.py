"""Sounds of a room in which nobody speaks, made on the spot: 16 kHz, seeded, the same for the same seed.

What a voice detector must not take for speech: the kinds of `KINDS` from typing to traffic. They are caricatures that
keep what misleads such detectors (energy, onsets, harmonics, formants, rhythm), not recordings. `echo_of` makes what a
loudspeaker and a room leave of speech, and `mixed` lays one sound under another at a ratio of levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.types import SAMPLE_RATE_HZ, FloatArray

# Root mean square of every sound that is made here, of its louder half: -26 dB of full scale, as speech in calls.
LEVEL = 0.05
REVERBERATION_SECONDS = 0.4

Doubles = NDArray[np.float64]
Random = np.random.Generator
Vowel = tuple[float, float, float]
# Formants in Hz, after Peterson and Barney (JASA 1952).
VOWELS: Mapping[str, Vowel] = {
    "a": (730.0, 1090.0, 2440.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (270.0, 2290.0, 3010.0),
    "o": (570.0, 840.0, 2410.0),
    "u": (300.0, 870.0, 2240.0),
}


def room_sound(kind: str, seconds: float, seed: int = 0) -> FloatArray:
    """Make a sound of one of the `KINDS`, (seconds * 16000,) in [-1, 1]; raises `KeyError`."""
    random = np.random.default_rng([seed, *kind.encode()])
    return levelled(KINDS[kind](round(seconds * SAMPLE_RATE_HZ), random))


def levelled(sound: Doubles | FloatArray, level: float = LEVEL) -> FloatArray:
    """Bring the louder half of a sound, in pieces of 20 ms, to a root mean square; peaks are clipped."""
    pieces = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    power = np.sort((pieces.astype(np.float64) ** 2).mean(1))
    loud = float(np.sqrt(power[len(power) // 2 :].mean()))
    return np.clip(sound * (level / max(loud, 1e-9)), -1.0, 1.0).astype(np.float32)


def mixed(sound: FloatArray, under: FloatArray, decibels: float) -> FloatArray:
    """Lay `under`, repeated as needed, so many decibels below `sound`, both measured as by `levelled`."""
    level = float(np.sqrt(_loud_power(sound))) * 10 ** (-decibels / 20)
    return np.asarray(np.clip(sound + levelled(np.resize(under, len(sound)), level), -1.0, 1.0).astype(np.float32))


def echo_of(speech: FloatArray, decibels: float, delay_seconds: float = 0.25, seed: int = 0) -> FloatArray:
    """Give what a room's microphone picks up of speech from a loudspeaker, `decibels` above the speech (negative).

    The response of the room is noise that decays by 60 dB in `REVERBERATION_SECONDS` (Polack 1988); the loudspeaker
    passes 300 Hz to 5 kHz.
    """
    length = round(REVERBERATION_SECONDS * SAMPLE_RATE_HZ)
    at = np.arange(length) / SAMPLE_RATE_HZ
    response = np.random.default_rng([seed, 3]).normal(size=length) * 10 ** (-3 * at / REVERBERATION_SECONDS)
    response[0] = 4.0
    size = len(speech) + length
    spectrum = np.fft.rfft(speech, size) * np.fft.rfft(response, size)
    wet = _band(np.fft.irfft(spectrum, size), 300.0, 5000.0)
    delayed = np.pad(wet, (round(delay_seconds * SAMPLE_RATE_HZ), 0))[: len(speech)]
    return levelled(delayed, float(np.sqrt(_loud_power(speech))) * 10 ** (decibels / 20))


def _loud_power(sound: FloatArray) -> float:
    power = np.sort((sound[: len(sound) // 320 * 320].reshape(-1, 320).astype(np.float64) ** 2).mean(1))
    return max(float(power[len(power) // 2 :].mean()), 1e-12)


def _band(sound: Doubles, low: float, high: float) -> Doubles:
    """Keep what lies between two frequencies, with edges a third of an octave wide."""
    hz = np.maximum(np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ), 1e-3)
    rise, fall = np.log2(hz / low) * 3 + 0.5, np.log2(high / hz) * 3 + 0.5
    return np.fft.irfft(np.fft.rfft(sound) * np.clip(rise, 0, 1) * np.clip(fall, 0, 1), len(sound))


def _coloured(size: int, random: Random, slope: float) -> Doubles:
    """Noise whose power falls with frequency to the power `slope`: 0 white, 1 pink, 2 brown."""
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    shape = np.where(hz > 20, np.maximum(hz, 20.0) ** (-slope / 2), 0.0)
    noise = np.fft.irfft(np.fft.rfft(random.normal(size=size)) * shape, size)
    return np.asarray(noise / noise.std())


def _slow(size: int, random: Random, hz: float) -> Doubles:
    """Draw a random curve between 0 and 1 that moves about `hz` times a second."""
    knots = random.random(max(4, round(size / SAMPLE_RATE_HZ * hz) + 4))
    return np.interp(np.linspace(0, len(knots) - 1, size), np.arange(len(knots)), knots)


def _decay(size: int, seconds: float) -> Doubles:
    return np.exp(-np.arange(size) / (seconds * SAMPLE_RATE_HZ))


def _harmonics(pitch: Doubles, amplitude: Callable[[Doubles], Doubles], top_hz: float = 7000.0) -> Doubles:
    """Sum the harmonics of a pitch curve (N,), each as loud as `amplitude` says of its own frequency."""
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ
    sound = np.zeros(len(pitch))
    for number in range(1, int(top_hz / max(float(pitch.min()), 50.0)) + 1):
        hz = number * pitch
        sound += np.where(hz < top_hz, amplitude(hz), 0.0) * np.sin(number * phase)
    return sound


def _voiced(pitch: Doubles, formants: Sequence[float], widths: float = 90.0) -> Doubles:
    def amplitude(hz: Doubles) -> Doubles:
        peaks = [0.6**n / (1 + ((hz - formant) / widths) ** 2) for n, formant in enumerate(formants)]
        return np.asarray((np.sum(peaks, axis=0) + 0.01) / np.sqrt(hz / 100))

    return _harmonics(pitch, amplitude)


def _place(sound: Doubles, piece: Doubles, at: int) -> None:
    end = min(at + len(piece), len(sound))
    if end > at:
        sound[at:end] += piece[: end - at]


def _events(size: int, random: Random, gaps: tuple[float, float], make: Callable[[], Doubles]) -> Doubles:
    """Place events one after the other, with a gap of so many seconds between their starts."""
    sound, at = np.zeros(size), int(random.uniform(0, gaps[1]) * SAMPLE_RATE_HZ)
    while at < size:
        _place(sound, make(), at)
        at += round(random.uniform(*gaps) * SAMPLE_RATE_HZ)
    return sound


def _click(random: Random, seconds: float, low: float, high: float) -> Doubles:
    size = round(8 * seconds * SAMPLE_RATE_HZ)
    return _band(random.normal(size=size) * _decay(size, seconds), low, high)


def _typing(size: int, random: Random) -> Doubles:
    def key() -> Doubles:
        press, release = _click(random, 0.004, 1500, 6500), 0.5 * _click(random, 0.003, 2500, 7000)
        thump = 0.8 * _click(random, 0.015, 90, 400)
        stroke = np.zeros(round(0.25 * SAMPLE_RATE_HZ))
        for piece, at in ((press, 0.0), (thump, 0.001), (release, random.uniform(0.06, 0.11))):
            _place(stroke, random.uniform(0.6, 1.0) * piece, round(at * SAMPLE_RATE_HZ))
        return stroke

    strokes = _events(size, random, (0.07, 0.28), key)
    return strokes * (_slow(size, random, 0.4) > 0.25) + 0.003 * _coloured(size, random, 1.0)


_SCALE = (0, 2, 4, 7, 9, 12, 14, 16)
_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))


def _hz(semitones: float, base: float = 220.0) -> float:
    return float(base * 2 ** (semitones / 12))


def _note(hz: float, seconds: float, decay: float, tilt: float) -> Doubles:
    size = round(seconds * SAMPLE_RATE_HZ)
    tone = _harmonics(np.full(size, hz), lambda f: (f / hz) ** -tilt, 6000.0)
    return tone * _decay(size, decay) * np.minimum(np.arange(size) / 80.0, 1.0)


def _music(size: int, random: Random) -> Doubles:
    sound, beat = np.zeros(size), round(0.5 * SAMPLE_RATE_HZ)
    for number, at in enumerate(range(0, size, beat)):
        chord = _CHORDS[number // 4 % len(_CHORDS)]
        for tone in chord:
            _place(sound, 0.25 * _note(_hz(tone), 0.6, 0.35, 1.6), at)
        _place(sound, 0.5 * _note(_hz(chord[0], 55.0), 0.5, 0.3, 1.2), at)
        for part in range(2):
            melody = _note(_hz(float(random.choice(_SCALE)), 440.0), 0.4, 0.2, 1.4)
            _place(sound, 0.5 * melody, at + part * beat // 2)
        _place(sound, 0.15 * _click(random, 0.02, 4000, 7500), at)
        _place(sound, 0.6 * _click(random, 0.04, 50, 160), at if number % 2 == 0 else at + beat // 2)
    return sound


def _singing(size: int, random: Random) -> Doubles:
    sound, at = 0.3 * _music(size, random), 0
    while at < size:
        length = round(float(random.choice([0.5, 0.5, 1.0, 1.5])) * SAMPLE_RATE_HZ)
        if random.random() > 0.15:
            time = np.arange(length) / SAMPLE_RATE_HZ
            deep = 0.03 * np.minimum(time / 0.3, 1.0) * np.sin(2 * np.pi * 5.5 * time)
            pitch = _hz(float(random.choice(_SCALE)), 220.0) * (1 + deep)
            swell = np.minimum(np.minimum(time / 0.06, (time[-1] - time) / 0.08), 1.0)
            vowel = VOWELS[str(random.choice(list(VOWELS)))]
            voice = _voiced(pitch, vowel)
            _place(sound, 1.5 * voice / max(float(np.abs(voice).max()), 1e-9) * swell, at)
        at += length
    return sound


def _fan(size: int, random: Random) -> Doubles:
    air = _band(_coloured(size, random, 1.2), 60, 4000)
    blades = _harmonics(92.0 * (1 + 0.004 * _slow(size, random, 1.0)), lambda hz: 0.15 * (hz / 92) ** -1.2, 800.0)
    return air * (0.85 + 0.15 * _slow(size, random, 2.0)) + blades


def _dog(size: int, random: Random) -> Doubles:
    def bark() -> Doubles:
        length = round(random.uniform(0.12, 0.25) * SAMPLE_RATE_HZ)
        time = np.linspace(0, 1, length)
        pitch = random.uniform(350, 600) * (1 + 0.35 * np.sin(np.pi * time) - 0.25 * time)
        rough = 0.3 * _band(random.normal(size=length), 500, 4000)
        tone = _voiced(pitch, (900.0, 1700.0, 3000.0), 250.0)
        return np.asarray((tone / np.abs(tone).max() + rough * 0.5) * np.sin(np.pi * time**0.6))

    barks = _events(size, random, (0.35, 0.7), bark)
    return barks * (_slow(size, random, 0.5) > 0.35)


def _tones(hz: Sequence[float], seconds: float) -> Doubles:
    at = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return np.asarray(
        np.sum([np.sin(2 * np.pi * f * at) for f in hz], axis=0) * np.minimum(1, 200 * np.minimum(at, at[::-1]))
    )


def _ring(size: int, random: Random) -> Doubles:
    sound = np.zeros(size)
    melody = [float(random.choice(_SCALE)) for _ in range(8)]
    for at in range(0, size, 4 * SAMPLE_RATE_HZ):
        for number, tone in enumerate(melody * 2):
            begin = at + round(number * 0.13 * SAMPLE_RATE_HZ)
            _place(sound, _note(_hz(tone, 660.0), 0.3, 0.09, 2.0), begin)
    return sound


def _dtmf(size: int, random: Random) -> Doubles:
    rows, columns = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0)
    return _events(size, random, (0.15, 0.5), lambda: _tones((random.choice(rows), random.choice(columns)), 0.1))


def _door(size: int, random: Random) -> Doubles:
    def once() -> Doubles:
        length = round(random.uniform(0.6, 1.6) * SAMPLE_RATE_HZ)
        rate = np.linspace(random.uniform(30, 80), random.uniform(120, 260), length)
        creak = _voiced(rate * (1 + 0.1 * _slow(length, random, 9.0)), (700.0, 1900.0, 3300.0), 120.0)
        creak *= np.sin(np.pi * np.linspace(0, 1, length)) * _slow(length, random, 8.0)
        slam = _click(random, 0.06, 40, 900)
        return np.concatenate([0.4 * creak / np.abs(creak).max(), slam / np.abs(slam).max()])

    return _events(size, random, (2.0, 4.0), once)


def _cutlery(size: int, random: Random) -> Doubles:
    def ping() -> Doubles:
        length = round(0.4 * SAMPLE_RATE_HZ)
        at = np.arange(length) / SAMPLE_RATE_HZ
        modes = random.uniform(1800, 7500, 7)
        decays = random.uniform(0.02, 0.12, 7)
        rings = np.sin(2 * np.pi * modes[:, None] * at) * np.exp(-at / decays[:, None])
        return np.asarray(
            random.uniform(0.3, 1.0) * (rings.sum(0) + np.resize(_click(random, 0.003, 1000, 7500), length) * 0.2)
        )

    return _events(size, random, (0.05, 0.6), ping)


def _baby(size: int, random: Random) -> Doubles:
    def cry() -> Doubles:
        length = round(random.uniform(0.7, 1.3) * SAMPLE_RATE_HZ)
        time = np.linspace(0, 1, length)
        arc = 1 + 0.25 * np.sin(np.pi * time) + 0.02 * np.sin(2 * np.pi * 7 * time * length / SAMPLE_RATE_HZ)
        tone = _voiced(random.uniform(380, 480) * arc, (1100.0, 2800.0, 4200.0), 250.0)
        breath = 0.08 * _band(random.normal(size=length), 800, 6000)
        return np.asarray((tone / np.abs(tone).max() + breath) * np.minimum(1, 8 * np.minimum(time, 1 - time)))

    return _events(size, random, (1.3, 1.9), cry)


def _traffic(size: int, random: Random) -> Doubles:
    rumble = _band(_coloured(size, random, 1.6), 40, 2500) * (0.2 + _slow(size, random, 0.3) ** 2)
    tyres = 0.4 * _band(_coloured(size, random, 0.5), 500, 3500) * _slow(size, random, 0.35) ** 4
    horns = _events(
        size, random, (6.0, 14.0), lambda: 0.8 * _tones((420.0, 530.0, 840.0, 1060.0), random.uniform(0.3, 0.9))
    )
    return rumble + tyres + 0.3 * horns


def _siren(size: int, random: Random) -> Doubles:
    sweep = 900 + 400 * np.sin(2 * np.pi * random.uniform(0.2, 0.5) * np.arange(size) / SAMPLE_RATE_HZ)
    return _harmonics(sweep, lambda hz: (hz / 500.0) ** -1.5) + 0.05 * _coloured(size, random, 1.0)


def _birds(size: int, random: Random) -> Doubles:
    def chirp() -> Doubles:
        length = round(random.uniform(0.05, 0.2) * SAMPLE_RATE_HZ)
        time = np.linspace(0, 1, length)
        pitch = random.uniform(2500, 5000) * (1 + random.uniform(-0.3, 0.3) * time)
        return np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ) * np.sin(np.pi * time)

    return _events(size, random, (0.1, 0.6), chirp)


def _drums(size: int, random: Random) -> Doubles:
    def hit() -> Doubles:
        kind = random.integers(3)
        low, high, decay = ((45, 150, 0.09), (200, 5000, 0.05), (5000, 7600, 0.02))[kind]
        return _click(random, decay, low, high) * (4.0, 1.0, 1.0)[kind]

    return _events(size, random, (0.125, 0.25), hit)


def _plucks(size: int, random: Random) -> Doubles:
    """Strings after Karplus and Strong (1983), each filtered by repeating its own period."""

    def pluck() -> Doubles:
        period = round(SAMPLE_RATE_HZ / _hz(float(random.choice(_SCALE)), 147.0))
        row, rows = random.normal(size=period), []
        for _ in range(round(1.2 * SAMPLE_RATE_HZ / period)):
            rows.append(row)
            row = 0.498 * (row + np.roll(row, 1))
        return np.concatenate(rows)

    return _events(size, random, (0.2, 0.6), pluck)


def _rain(size: int, random: Random) -> Doubles:
    drops = (random.random(size) < 0.004) * random.exponential(size=size)
    return 3 * _band(drops, 1500, 7500) + 0.15 * _coloured(size, random, 0.5)


def _vacuum(size: int, random: Random) -> Doubles:
    motor = _harmonics(
        np.full(size, 310.0) * (1 + 0.01 * _slow(size, random, 0.5)), lambda hz: 0.3 * (hz / 310) ** -0.7
    )
    return motor + _band(_coloured(size, random, 0.3), 200, 6000)


KINDS: Mapping[str, Callable[[int, Random], Doubles]] = {
    "typing": _typing,
    "music": _music,
    "singing": _singing,
    "pink noise": lambda size, random: _coloured(size, random, 1.0),
    "white noise": lambda size, random: _coloured(size, random, 0.0),
    "fan": _fan,
    "dog": _dog,
    "ring tone": _ring,
    "dtmf": _dtmf,
    "door": _door,
    "cutlery": _cutlery,
    "baby": _baby,
    "traffic": _traffic,
    "siren": _siren,
    "birds": _birds,
    "drums": _drums,
    "plucked strings": _plucks,
    "rain": _rain,
    "vacuum cleaner": _vacuum,
}
