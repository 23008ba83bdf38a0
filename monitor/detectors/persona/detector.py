"""Does this person move as the enrolled person moves when they speak? Two answers, shown apart. Pure.

After ExposeAnyone: the **distance** is how much worse the person's own tokens explain how they move than no tokens do
(`monitor.detectors.persona.reconstruction`); its **companion** is how far their movement lies from all of the enrolled
recordings (`monitor.detectors.persona.companion`). The invariants: either is read only against what the person's own
recordings are to each other; and it raises suspicion and never clears, for whoever is imitated well moves alike.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError
from monitor.decision.calibration import Calibration, CalibrationError, Table
from monitor.detectors.persona.companion import MotionReference
from monitor.detectors.persona.windows import MIN_SPEECH_SECONDS, WINDOW_STEPS
from monitor.detectors.reference import TemplateError, pack_arrays, unpack_arrays
from monitor.detectors.usual import usual_sizes
from monitor.types import FloatArray, Reason, Score
from monitor.window.grid import GRID_HZ

SCHEMA = 1
FILE = "people.npz"
NAME = "persona"
MEASURES = ("distance", "companion")
DISTANCE, COMPANION = range(len(MEASURES))
WINDOW_SECONDS = WINDOW_STEPS / GRID_HZ
# What is judged, and what is shown: only the first is evidence, for windows of the decision must not share any.
JUDGED_SECONDS = 5.0
SHOWN_SECONDS = 20.0
# How many recordings weigh as much as what is known of people in general, in where a person's own distances lie.
PRIOR_CLIPS = 3.0

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


class PersonaError(SidewitnessError):
    """What is known of people, or of one, cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """N windows of 3 s against one reference, in time: `start` (N,) seconds and `values` (N, 2).

    Values are in the order of `MEASURES`, in deviations of the person's own recordings, higher being less like them;
    NaN where a measure is missing.
    """

    start: Doubles
    values: Doubles

    def __len__(self) -> int:
        return len(self.start)

    def since(self, moment: float) -> Measured:
        """Keep the windows that begin at `moment` or later."""
        late_enough = self.start >= moment - 1e-6
        return Measured(self.start[late_enough], self.values[late_enough])

    def parts(self) -> Doubles:
        """Mean of each measure, (2,): NaN without windows."""
        return means(self.values)

    @classmethod
    def join(cls, parts: Sequence[Measured]) -> Measured:
        """Put several after each other; none gives no windows."""
        start = np.concatenate([np.zeros(0), *(part.start for part in parts)])
        return cls(start, np.concatenate([np.zeros((0, len(MEASURES))), *(part.values for part in parts)]))


@dataclass(frozen=True, slots=True, eq=False)
class PersonaReference:
    """What is kept of how an enrolled person moves; no sound, no picture, no words.

    `key` is that of the packs. `tokens` (P, d) are what personalising learnt; `own_distances` (R,) the distances of the
    person's windows, each by tokens that had not seen it, and `clip` (R,) the recordings of these; `location` and
    `scale` what such distances usually are; `motion` is the companion's part, None without that pack.
    """

    NAMES: ClassVar = ("tokens", "own", "clip", "numbers")

    key: str
    tokens: FloatArray
    own_distances: Doubles
    clip: Ints
    location: float
    scale: float
    motion: MotionReference | None = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give what the reference consists of, by name: plain arrays for the vault."""
        arrays: dict[str, NDArray[Any]] = {
            "key": np.array(self.key),
            "tokens": self.tokens,
            "own": self.own_distances,
            "clip": self.clip,
            "numbers": np.array([self.location, self.scale]),
        }
        if self.motion is not None:
            arrays |= {f"motion_{name}": array for name, array in self.motion.arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> PersonaReference:
        """Build from what `arrays` gave; raises `KeyError`, and `PersonaError` where they do not fit each other."""
        tokens = np.asarray(arrays["tokens"], np.float32)
        distances, numbers = (np.asarray(arrays[name], np.float64) for name in ("own", "numbers"))
        clip = np.asarray(arrays["clip"], np.int64)
        fits = tokens.ndim == 2 and distances.shape == clip.shape and numbers.shape == (2,)
        if not fits or not np.isfinite(tokens).all() or not numbers[1] > 0:
            raise PersonaError("the arrays of how a person moves do not fit each other: enrol again")
        prefix = "motion_"
        motion = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        companion = MotionReference.from_arrays(motion) if motion else None
        return cls(str(arrays["key"]), tokens, distances, clip, float(numbers[0]), float(numbers[1]), companion)

    def to_bytes(self) -> bytes:
        """Write as an .npz without pickles."""
        return pack_arrays(self.arrays())

    @classmethod
    def from_bytes(cls, data: bytes) -> PersonaReference:
        """Read what `to_bytes` wrote; raises `TemplateError`."""
        try:
            return cls.from_arrays(unpack_arrays(data))
        except Exception as error:
            # A damaged archive raises whatever its parts raise: zip, zlib, tokenizer, arrays.
            raise TemplateError(
                f"how the person moves cannot be read ({type(error).__name__}): enrol the person again"
            ) from None

    def standardise(self, gaps: Doubles) -> Doubles:
        """Say how many deviations of the person's own distances each of (N,) lies above what is usual."""
        return np.asarray((gaps - self.location) / self.scale, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class PersonaPeople:
    """Genuine people as one set of packs sees them move, beside the pack `persona`; made by `train people`.

    `key` is that of the packs. `location` and `scale` say what distances of a person's windows are across their
    recordings, `single` what is added to a distance within one recording to make it one across recordings. `scores`
    (W, 2) are `Measured.parts` of genuine pieces with at least `seconds` (W,) of speech, of the people `person` (W,),
    counted from 0; NaN where one is missing. `weights` (2,) are those of the measures in the detector's score.
    """

    NAMES: ClassVar = ("scores", "seconds", "person", "weights")

    key: str
    location: float
    scale: float
    single: float
    scores: Doubles
    seconds: Doubles
    person: Ints
    weights: Doubles = field(default_factory=lambda: np.ones(len(MEASURES)))
    usual: Doubles = field(init=False)
    _tables: dict[tuple[int, ...], Calibration | None] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Work out where genuine people usually end, each weighing the same; from the shortest pieces."""
        short = self.seconds == self.seconds.min() if len(self.seconds) else np.zeros(0, np.bool_)
        object.__setattr__(self, "usual", usual_sizes(self.scores[short], self.person[short]))

    @property
    def people(self) -> int:
        """How many people gave scores."""
        return len(np.unique(self.person))

    def value(self, parts: Doubles) -> float:
        """Make one number of measures (2,): their weighted mean, each brought to its usual size; NaN without any."""
        return float(self._values(np.asarray(parts, np.float64)[None], counted_of(parts))[0])

    def p_value(self, parts: Doubles, seconds: float, once: bool = False) -> float | None:
        """Say how often a genuine person's value on so many seconds of speech is at least this one: in (0, 1].

        It is compared with the same measures of others. None where too few people are known, or too little was said.
        """
        table = self._table(counted) if (counted := counted_of(parts)) else None
        if table is None or seconds + 1e-6 < table.lengths[0]:
            return None
        return table.p_value(self.value(parts), seconds, once)

    def min_seconds(self, parts: Doubles) -> float:
        """Give the seconds of speech below which nothing is known of these measures of genuine people."""
        table = self._table(counted) if (counted := counted_of(parts)) else None
        return table.lengths[0] if table is not None else 0.0

    def _values(self, parts: Doubles, counted: tuple[int, ...]) -> Doubles:
        scaled, weights = (parts / self.usual)[:, counted], self.weights[list(counted)]
        if weights.sum() <= 0:
            return np.full(len(parts), np.nan)
        return np.asarray(scaled @ weights / weights.sum(), np.float64)

    def _table(self, counted: tuple[int, ...]) -> Calibration | None:
        if counted not in self._tables:
            self._tables[counted] = self._calibrate(counted)
        return self._tables[counted]

    def _calibrate(self, counted: tuple[int, ...]) -> Calibration | None:
        finite = np.isfinite(self.scores[:, counted]).all(1)
        values, tables = self._values(self.scores, counted), list[Table]()
        for length in np.unique(self.seconds[finite]):
            rows = finite & (self.seconds == length)
            try:
                calibration = Calibration.build({float(length): (values[rows], [str(p) for p in self.person[rows]])})
            except CalibrationError:
                # Long pieces are of few people: shorter ones answer for them.
                continue
            tables += calibration.tables
        return Calibration(tuple(tables)) if tables else None

    def to_bytes(self) -> bytes:
        """Write as an .npz without pickles."""
        file = io.BytesIO()
        numbers = np.array([self.location, self.scale, self.single])
        arrays = {name: getattr(self, name) for name in self.NAMES}
        np.savez_compressed(file, schema=np.array(SCHEMA), key=np.array(self.key), numbers=numbers, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> PersonaPeople:
        """Read what `to_bytes` wrote; raises `PersonaError`."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                return _people(dict(file))
        except Exception as error:
            # A damaged archive raises whatever its parts raise: zip, zlib, tokenizer, arrays.
            raise PersonaError(
                f"what is known of how people move cannot be read ({type(error).__name__}): "
                "make it again (train people)"
            ) from None


def _people(arrays: Mapping[str, Any]) -> PersonaPeople:
    location, scale, single = (float(n) for n in arrays["numbers"])
    scores, seconds, weights = (np.asarray(arrays[name], np.float64) for name in ("scores", "seconds", "weights"))
    person = np.asarray(arrays["person"], np.int64)
    fits = scores.shape == (len(person), len(MEASURES)) and seconds.shape == person.shape
    if int(arrays["schema"]) != SCHEMA or not fits or weights.shape != (len(MEASURES),) or not scale > 0:
        raise ValueError("arrays")
    return PersonaPeople(str(arrays["key"]), location, scale, single, scores, seconds, person, weights)


@dataclass(frozen=True, slots=True)
class PersonaDetector:
    """Scores the newest seconds against a reference; `people` is None where the packs have none: nothing is told."""

    people: PersonaPeople | None
    judged_seconds: float = JUDGED_SECONDS
    name: str = NAME
    one_sided: bool = True

    def unable(self, reference: PersonaReference | None, key: str | None) -> Reason | None:
        """Say why nothing can be told before anything is looked at; `key` is that of the packs, None without them."""
        if reference is None:
            return Reason.NOT_ENROLLED
        if self.people is None or self.people.key != key:
            return Reason.NOT_CALIBRATED
        return Reason.REFERENCE_OUTDATED if reference.key != key else None

    def score(
        self,
        measured: Measured,
        end: float,
        speech_seconds: float,
        reference: PersonaReference | None,
        key: str,
        once: bool = False,
    ) -> Score:
        """Score what was measured of the last `judged_seconds` before `end`; higher is more suspicious.

        What was measured before is shown and does not count. `speech_seconds` are those of the judged seconds, `key`
        is that of the packs; `once` is for a recording judged as a whole. Abstains without a reference
        (`not_enrolled`), with one of other packs (`reference_outdated`), without people to compare with
        (`not_calibrated`), and on windows without speech (`too_little_speech`) or without a face (`low_quality`).
        """
        unable = self.unable(reference, key)
        if unable is not None or self.people is None:
            return self.abstain(unable or Reason.NOT_CALIBRATED)
        evidence = {"speech_seconds": round(speech_seconds, 2)}
        newest = measured.since(end - self.judged_seconds)
        parts = newest.parts()
        if speech_seconds < max(MIN_SPEECH_SECONDS, self.people.min_seconds(parts)):
            return self.abstain(Reason.TOO_LITTLE_SPEECH, evidence)
        if not np.isfinite(self.people.value(parts)):
            return self.abstain(Reason.LOW_QUALITY, evidence)
        return self.word(parts, measured.parts(), self.timeline(measured), speech_seconds, once)

    def word(
        self, parts: Doubles, recent: Doubles, timeline: Sequence[Mapping[str, Any]], seconds: float, once: bool = False
    ) -> Score:
        """Make a score of measures (2,) on so many seconds of speech; `recent` and `timeline` are shown beside them."""
        if self.people is None:
            return self.abstain(Reason.NOT_CALIBRATED)
        evidence: dict[str, Any] = {
            name: {
                "value": _rounded(parts[n]),
                "p_value": self._p_value_alone(parts, n, seconds, once),
                "recent": _rounded(recent[n]),
            }
            for n, name in enumerate(MEASURES)
        }
        evidence |= {"speech_seconds": round(seconds, 2), "windows": len(timeline), "timeline": list(timeline)}
        value, p_value = self.people.value(parts), self.people.p_value(parts, seconds, once)
        unknown = Reason.NOT_CALIBRATED if p_value is None else None
        return Score(self.name, value, unknown, p_value, True, evidence=evidence, cause=Reason.MOVES_UNLIKE_ENROLLED)

    def timeline(self, measured: Measured) -> list[dict[str, float | None]]:
        """Say of each window, by its middle in seconds of the call, how unlike the person it was."""
        if self.people is None:
            return []
        return [
            {"at": round(float(start) + WINDOW_SECONDS / 2, 2), "value": _rounded(self.people.value(values))}
            for start, values in zip(measured.start, measured.values, strict=True)
        ]

    def abstain(self, reason: Reason, evidence: Mapping[str, Any] | None = None) -> Score:
        """Say why nothing is told."""
        return Score(self.name, None, reason, one_sided=True, evidence=dict(evidence or {}))

    def _p_value_alone(self, parts: Doubles, number: int, seconds: float, once: bool) -> float | None:
        only = np.where(np.arange(len(MEASURES)) == number, parts, np.nan)
        p_value = self.people.p_value(only, seconds, once) if self.people else None
        return None if p_value is None else round(p_value, 4)


def counted_of(parts: Doubles) -> tuple[int, ...]:
    """Say which of the measures (2,) are known."""
    return tuple(n for n in range(len(MEASURES)) if np.isfinite(parts[n]))


def means(values: Doubles) -> Doubles:
    """Mean of each measure over the windows (N, 2) where it is known: (2,), NaN where it is nowhere."""
    columns = [column[np.isfinite(column)] for column in values.T]
    return np.array([float(column.mean()) if len(column) else np.nan for column in columns])


def usual_distance(
    distances: Doubles, clip: Ints, people: PersonaPeople, clips: float = PRIOR_CLIPS
) -> tuple[float, float]:
    """Location and scale of a person's own distances (R,) of recordings `clip` (R,), drawn to those of people.

    A recording counts once however long it is, and `clips` recordings weigh as much as people in general do. Distances
    within the only recording are taken to what they would be across recordings.
    """
    names = np.unique(clip)
    distances = distances + (people.single if len(names) == 1 else 0.0)
    groups = [finite for name in names if len(finite := distances[(clip == name) & np.isfinite(distances)])]
    count = len(groups)
    location = (sum(float(group.mean()) for group in groups) + clips * people.location) / (count + clips)
    spread = sum(float(((group - location) ** 2).mean()) for group in groups)
    return location, float(np.sqrt((spread + clips * people.scale**2) / (count + clips)))


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
