"""Who is who by voice: everybody enrolled from recordings, everybody else heard in calls against them. Pure.

People weigh the same in the table that p-values are read from; intervals draw people with replacement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.voiceprint.detector import together
from monitor.detectors.voiceprint.encoder import centre
from monitor.detectors.voiceprint.people import VoicePeople, drawn_cohort
from monitor.lab.corpus.voice_clips import VoiceClip
from monitor.lab.metrics.verification import Pairs, eer_interval, verify
from monitor.types import FloatArray

# A window of 4.8 s of speech, and from one to the next.
WINDOW_PIECES, WINDOW_HOP = 5, 3
# Enrolled from at least so many pieces, 3.3 s: less than is asked of people, and so rather too hard.
MIN_ENROLLED = 2
COHORT = 200
# Where genuine speech lies but for this share of people's windows.
UNUSUAL_SHARE = 0.01
ROUNDS = 100

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """N comparisons of 4.8 s of a call: `enrolled` and `heard` (N,) are clips, `subjects` the person of each clip.

    `value` (N,) is higher for who is less alike; `across` (N,) whether the two are different recordings.
    """

    subjects: Sequence[str]
    enrolled: Ints
    heard: Ints
    value: Doubles
    across: NDArray[np.bool_]

    @property
    def same(self) -> NDArray[np.bool_]:
        """Which comparisons (N,) are of one person."""
        person = np.array(self.subjects)
        return np.asarray(person[self.enrolled] == person[self.heard], np.bool_)

    @property
    def claimed(self) -> NDArray[np.str_]:
        """Whom each comparison (N,) is against."""
        return np.asarray(self.subjects, np.str_)[self.enrolled]

    def only(self, keep: NDArray[np.bool_]) -> Trials:
        """Give some of them."""
        return replace(
            self,
            enrolled=self.enrolled[keep],
            heard=self.heard[keep],
            value=self.value[keep],
            across=self.across[keep],
        )


def known_voices(clips: Sequence[VoiceClip], key: str) -> tuple[VoicePeople, Trials]:
    """Make the cohort and the genuine scores by person, and all comparisons; of at least five people."""
    able = [clip for clip in clips if len(clip.called) >= WINDOW_PIECES]
    voices = np.stack([centre(clip.called) for clip in able])
    person = np.unique([clip.row.subject for clip in able], return_inverse=True)[1]
    cohort = drawn_cohort(np.stack([centre(voices[person == p]) for p in range(int(person.max()) + 1)]), COHORT)
    # Only a cohort is needed for values; the rest is known when these are.
    blank = VoicePeople(key, cohort, np.zeros(5), np.arange(5), -1.0, -1.0)
    trials = compare(able, blank)
    kept = of_themselves(trials)
    limits = [_low(able, clip_windows, blank) for clip_windows in (_typical, _together)]
    people = VoicePeople(key, cohort, kept.value, np.unique(kept.claimed, return_inverse=True)[1], *limits)
    return people, trials


def of_themselves(trials: Trials) -> Trials:
    """Keep what the table of genuine scores is made of: everybody against themselves.

    Who has several recordings is known by those: one's own other recording is the harder one.
    """
    genuine = trials.only(trials.same)
    several = {trials.subjects[n] for n in genuine.enrolled[genuine.across]}
    return genuine.only(genuine.across | np.array([trials.subjects[n] not in several for n in genuine.enrolled]))


def compare(clips: Sequence[VoiceClip], people: VoicePeople) -> Trials:
    """Enrol everybody from the first half of every clip, and hear all others, and the other half, against them."""
    windows = [(m, first, voice) for m, clip in enumerate(clips) for first, voice in _windows(clip)]
    heard, begins = (np.array([window[n] for window in windows], np.int64) for n in (0, 1))
    voices = np.stack([voice for _, _, voice in windows])
    subjects = np.array([clip.row.subject for clip in clips])
    # Of another person's clip one window is enough: two of one clip say the same.
    is_first = np.diff(heard, prepend=-1) > 0
    enrolled_, heard_, values = [], [], []
    for n, clip in enumerate(clips):
        half = len(clip.recorded) // 2
        if len(clip.recorded) < 2 * MIN_ENROLLED:
            continue
        later = (heard != n) | (begins > clip.recorded_at[half - 1, 1])
        asked = np.flatnonzero(later & (is_first | (subjects[heard] == subjects[n])))
        enrolled_.append(np.full(len(asked), n, np.int64))
        heard_.append(heard[asked])
        values.append(people.values(voices[asked], centre(clip.recorded[:half])))
    nothing = np.zeros(0, np.int64)
    enrolled, others = np.concatenate([nothing, *enrolled_]), np.concatenate([nothing, *heard_])
    return Trials(list(subjects), enrolled, others, np.concatenate([np.zeros(0), *values]), enrolled != others)


def summary(trials: Trials, rounds: int = ROUNDS) -> dict[str, Any]:
    """Say how well voices are told apart: EER with its interval over people, FNMR at FMR 1 % and .1 %, counts."""
    same = trials.same
    kinds = {"one recording": ~trials.across | ~same, "across recordings": trials.across}
    found = {}
    for kind, keep in kinds.items():
        some = trials.only(keep)
        pairs = Pairs(some.enrolled, some.heard, some.same)
        told = verify(some.value, pairs)
        people = {some.subjects[n] for n in some.enrolled[some.same]}
        told |= {"people": len(people), "enrolled": len({some.subjects[n] for n in some.enrolled})}
        if people:
            told["eer_low"], told["eer_high"] = eer_interval(some.value, pairs, some.subjects, rounds)
        found[kind] = told
    return found


def _windows(clip: VoiceClip) -> Iterator[tuple[int, FloatArray]]:
    """Give the first step and the voice of each window of a call."""
    for first in range(0, len(clip.called) - WINDOW_PIECES + 1, WINDOW_HOP):
        yield int(clip.called_at[first, 0]), centre(clip.called[first : first + WINDOW_PIECES])


def _typical(clip: VoiceClip, people: VoicePeople) -> list[float]:
    voices = [voice for _, voice in _windows(clip)]
    return [float(mean) for mean in people.typical(np.stack(voices))[0]]


def _together(clip: VoiceClip, people: VoicePeople) -> list[float]:
    starts = range(0, len(clip.called) - WINDOW_PIECES + 1, WINDOW_HOP)
    return [together(clip.called[first : first + WINDOW_PIECES]) for first in starts]


def _low(clips: Sequence[VoiceClip], measure: Any, people: VoicePeople) -> float:
    """Find what `UNUSUAL_SHARE` of people lie below in their lowest window."""
    lows: dict[str, float] = {}
    for clip in clips:
        values = measure(clip, people)
        lows[clip.row.subject] = min([lows.get(clip.row.subject, np.inf), *values])
    return float(np.quantile(list(lows.values()), UNUSUAL_SHARE))
