"""Ten minutes of genuine people under their own name, and of another's voice under a face and lips that fit. Simulated.

    python -m monitor.lab.evaluate.simulated_claims MANIFEST[,MANIFEST...] CACHE [--exclude SUBJECT ...]

No collection at hand holds calls that long. So calls are put together of what tables hold: windows of one person's
voice, of one's face and of one's lips, each drawn at random from that person's own and judged by the others, so that
what is peculiar of somebody comes again and again. Face, voice and lips are of three people, and so unusual
independently: what a poor line does to all of them at once is not in it, and neither is movement. One line of JSON goes
to stdout; it names nobody.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.base import EngineError
from monitor.decision.decide import DecisionConfig
from monitor.detectors.pairwise.entry import load_population
from monitor.detectors.pairwise.population import COMPONENTS, WITHIN
from monitor.detectors.synchrony.entry import load_calibration
from monitor.detectors.voiceprint.entry import load_encoder
from monitor.detectors.voiceprint.people import SPEECH_SECONDS
from monitor.lab.corpus.manifest import read_manifest
from monitor.lab.corpus.voice_clips import chosen, voice_clips
from monitor.lab.evaluate.call_summary import percentile
from monitor.lab.evaluate.claimed import GENUINE_SECONDS, MINUTE_SECONDS, decided
from monitor.lab.evaluate.claimed_calls import JudgedCall, Kind
from monitor.lab.metrics.intervals import mean_interval, wilson
from monitor.lab.progress import clip_progress
from monitor.lab.studies.voices import Trials, known_voices, of_themselves
from monitor.types import Aspect, BriefScore, Reason, Score

Doubles = NDArray[np.float64]
# p-values of each person's own windows.
OfPeople = Sequence[Doubles]

HOP_SECONDS, WINDOW_SECONDS, BRIEF_SECONDS = 0.5, 5.0, 2.0
# From when on each is first judged in a call.
FACE_BEGINS, LIPS_BEGIN, VOICE_BEGINS = 2.0, 2.5, 4.5
CALLS_EACH, STRANGERS_EACH, ROUNDS = 2, 2, 1000
VOICE = frozenset({"voiceprint"})
# What a face is compared by where the change within the call does not count.
AGAINST = tuple(n for n in range(len(COMPONENTS)) if n != WITHIN)


@dataclass(frozen=True, slots=True)
class Tables:
    """P-values of people's windows, each judged by the others: of voices, faces, and of lips in brief windows.

    `strangers` holds, for each person of `voices`, those of other people's voices against them.
    """

    voices: OfPeople
    faces: OfPeople
    lips: OfPeople
    strangers: OfPeople


def by_person(p_values: Doubles, person: NDArray[Any]) -> list[Doubles]:
    """Divide p-values (W,) by whose they are (W,)."""
    return [p_values[person == one] for one in np.unique(person)]


def of_strangers(trials: Trials, scores: Any) -> list[Doubles]:
    """P-values of strangers against each person who is in the table of genuine `scores`, judged without that person."""
    table, names = scores.table(SPEECH_SECONDS), np.unique(of_themselves(trials).claimed)
    # The table sorts people by their numbers as text.
    place = {int(number): n for n, number in enumerate(sorted(str(n) for n in range(len(names))))}
    against = [trials.value[~trials.same & (trials.claimed == name)] for name in names]
    return [table.without(place[n]).p_values(values) for n, values in enumerate(against)]


def call_of(
    kind: Kind, subject: str, voice: Doubles, face: Doubles, lips: Doubles, seconds: float, random: np.random.Generator
) -> JudgedCall:
    """Put a call together: windows drawn from each, as long as they last."""
    hops = round(seconds / HOP_SECONDS) + 1
    drawn = {
        "voiceprint": _drawn(voice, WINDOW_SECONDS, hops, random),
        "pairwise": _drawn(face, WINDOW_SECONDS, hops, random),
        "synchrony": _drawn(lips, BRIEF_SECONDS, hops, random),
    }
    begins = {"voiceprint": VOICE_BEGINS, "pairwise": FACE_BEGINS, "synchrony": LIPS_BEGIN}
    said = []
    for hop in range(hops):
        at = hop * HOP_SECONDS
        said.append((at, tuple(_score(name, float(drawn[name][hop]), at >= begins[name]) for name in drawn)))
    return JudgedCall(subject, kind, "", True, tuple(said))


def _drawn(p_values: Doubles, seconds: float, hops: int, random: np.random.Generator) -> Doubles:
    block = round(seconds / HOP_SECONDS)
    return np.repeat(random.choice(p_values, -(-hops // block)), block)[:hops]


_ASPECTS = {"voiceprint": Aspect.VOICE, "pairwise": Aspect.FACE, "synchrony": Aspect.LIPS}
_CAUSES = {
    "voiceprint": Reason.VOICE_MISMATCH,
    "pairwise": Reason.IDENTITY_MISMATCH,
    "synchrony": Reason.LIPS_DISAGREE_WITH_VOICE,
}


@cache
def _score(name: str, p: float, is_judged: bool) -> Score:
    lips = name == "synchrony"
    about = {"one_sided": name != "pairwise", "aspect": _ASPECTS[name], "needs_identity": not lips}
    if not is_judged:
        return Score(name, None, Reason.WARMING_UP, brief=BriefScore() if lips else None, **about)  # type: ignore[arg-type]
    brief = BriefScore(1.0, p, BRIEF_SECONDS) if lips else None
    return Score(name, 1.0, None, p, cause=_CAUSES[name], brief=brief, **about)  # type: ignore[arg-type]


def measure(tables: Tables, config: DecisionConfig, seed: int = 0) -> dict[str, Any]:
    """Judge calls of everybody whose voice is known; JSON values."""
    random = np.random.default_rng(seed)

    def call(kind: Kind, person: int, voice: Doubles) -> JudgedCall:
        seconds = GENUINE_SECONDS if kind == "genuine" else MINUTE_SECONDS
        return call_of(kind, str(person), voice, _one(tables.faces, random), _one(tables.lips, random), seconds, random)

    genuine = [[call("genuine", n, voice) for _ in range(CALLS_EACH)] for n, voice in enumerate(tables.voices)]
    cloned = [
        call("another's voice", n, np.array([p]))
        for n, strangers in enumerate(tables.strangers)
        for p in random.permutation(strangers)[:STRANGERS_EACH]
    ]
    kinds: Mapping[str, frozenset[str] | None] = {"all": None, "voice alone": VOICE}
    return {
        "people": {"voices": len(tables.voices), "faces": len(tables.faces), "lips": len(tables.lips)},
        "genuine": {name: _genuine(genuine, kept, config) for name, kept in kinds.items()},
        "another's voice": {name: _cloned(cloned, kept, config) for name, kept in kinds.items()},
    }


def _one(people: OfPeople, random: np.random.Generator) -> Doubles:
    return people[int(random.integers(len(people)))]


def _genuine(
    people: Sequence[Sequence[JudgedCall]], kept: frozenset[str] | None, config: DecisionConfig
) -> dict[str, Any]:
    """Say how many are alerted, and suspected for their voice, in ten minutes: a mean over people, and people ever."""
    outcomes = [[decided(call, GENUINE_SECONDS, kept, config) for call in calls] for calls in people]
    alerted = [[one.time is not None for one in calls] for calls in outcomes]
    suspected = [[Reason.VOICE_MISMATCH in one.suspected for one in calls] for calls in outcomes]
    return {"calls_each": CALLS_EACH, "alerted": _shares(alerted), "voice_mismatch": _shares(suspected)}


def _shares(people: Sequence[Sequence[bool]]) -> dict[str, Any]:
    shares = [float(np.mean(calls)) for calls in people]
    ever = sum(any(calls) for calls in people)
    return {
        "share": [round(value, 4) for value in (float(np.mean(shares)), *mean_interval(shares, ROUNDS))],
        "people_ever": ever,
        "ever": [round(value, 4) for value in (ever / len(people), *wilson(ever, len(people)))],
    }


def _cloned(calls: Sequence[JudgedCall], kept: frozenset[str] | None, config: DecisionConfig) -> dict[str, Any]:
    times = [decided(call, MINUTE_SECONDS, kept, config).time for call in calls]
    alerted = sum(time is not None for time in times)
    return {
        "calls": len(calls),
        "people": len({call.subject for call in calls}),
        "alerted": [round(value, 4) for value in (alerted / max(len(calls), 1), *wilson(alerted, len(calls)))],
        "p50": percentile(times, 0.5),
        "p95": percentile(times, 0.95),
    }


def read_tables(manifests: Sequence[Path], cache_folder: Path, exclude: Sequence[str]) -> Tables:
    """Hear the voices of manifests, and read the tables of faces and lips; raises `EngineError` without a pack."""
    encode, faces, lips = load_encoder(), load_population(), load_calibration()
    genuine = faces.left_out(AGAINST) if faces is not None else None
    if encode is None or genuine is None or lips.brief is None:
        raise EngineError("voices, faces and lips must all be known here: run make voiceprint, and keep the packs")
    rows = [row for path in manifests for row in chosen(read_manifest(path), exclude, 3, path.stem)]
    with clip_progress("hearing clips", len(rows)) as done:
        voices, trials = known_voices(list(voice_clips(rows, encode, cache_folder, done)), encode.key)
    return Tables(
        by_person(*voices.calibration.leave_one_out(SPEECH_SECONDS)),
        by_person(*genuine),
        by_person(*lips.brief.leave_one_out(lips.brief.lengths[-1])),
        of_strangers(trials, voices.calibration),
    )


def arguments(given: Sequence[str]) -> Iterator[Any]:
    """Read manifests, the folder of what is kept, and the subjects to leave out."""
    yield [Path(name) for name in given[0].split(",")]
    yield Path(given[1])
    yield [given[n + 1] for n, word in enumerate(given) if word == "--exclude"]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(read_tables(*arguments(sys.argv[1:])), DecisionConfig())) + "\n")
