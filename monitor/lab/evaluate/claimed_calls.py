"""Calls in which somebody claims to be an enrolled person, judged hop by hop by the session that judges live ones.

Everybody is enrolled from their other recordings where those hold enough, else from the first half of their only one,
and heard in what is left: as themselves, as another person under their name, as their pictures with another's voice, as
another's pictures with their voice, and as forgeries of them. People of matched pairs have less and shorter recordings,
which are strung together. What the detectors say at each hop is kept, so that any
way of adding it up can be tried without looking again. A run that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import av

from monitor.detectors.reference import Reference
from monitor.identity.enrolment.enrol import EnrolmentRefused, enrol
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.stitched_calls import Place, moment, only
from monitor.lab.evaluate.resume_log import ResumeLog
from monitor.lab.evaluate.session_clips import UNDEMANDING
from monitor.lab.evaluate.worker_pool import Tick
from monitor.session.models import Models
from monitor.session.session import Session, SessionConfig
from monitor.tap.media.source import SourceError
from monitor.tap.replay import probe_clip, read_clip
from monitor.types import Aspect, BriefScore, MediaItem, ParticipantKey, Reason, Score, TrackFault

Kind = Literal["genuine", "another person", "another's voice", "another's face", "forged"]
KINDS: tuple[Kind, ...] = ("genuine", "another person", "another's voice", "another's face", "forged")
# Raised whenever the same call would be judged differently by the same packs.
VERSION = 3
MIN_ENROLLED_SECONDS, MIN_JUDGED_SECONDS = 11.0, 5.0
MAX_JUDGED_SECONDS, MAX_ENROLLED_SECONDS = 14.0, 15.0
# Of people with matched forgeries, whose clips are short: a call of theirs, and what enrols of an only recording.
MATCHED_SECONDS, MATCHED_ENROLLED_SHARE = 10.0, 0.4


@dataclass(frozen=True, slots=True)
class Part:
    """Media of one clip from `start` on, until `end` seconds of it where that is given; `then` others follow."""

    row: Row
    start: float = 0.0
    end: float | None = None
    then: tuple[Part, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it is; raises `SourceError`."""
        whole = probe_clip(self.row.path).seconds
        own = (whole if self.end is None else min(self.end, whole)) - self.start
        return own + sum(part.seconds for part in self.then)

    @property
    def described(self) -> list[Any]:
        """What it is made of, as JSON values."""
        return [self.row.name, self.start, self.end, *(part.described for part in self.then)]

    def items(self) -> Iterator[MediaItem]:
        """Yield its media on a clock that begins at 0; raises `SourceError`."""
        if not self.then:
            yield from self._own()
            return
        end = 0.0
        for part in (replace(self, then=()), *self.then):
            place = Place(end)
            yield from map(place.put, part.items())
            end = place.end

    def _own(self) -> Iterator[MediaItem]:
        for item in read_clip(self.row.path):
            at = moment(item)
            if self.end is not None and at >= self.end:
                return
            if isinstance(item, TrackFault):
                yield replace(item, arrival=max(at - self.start, 0.0))
            elif at >= self.start:
                yield replace(item, stamp=_earlier(item, self.start))


def _earlier(item: MediaItem, seconds: float) -> Any:
    stamp = item.stamp  # type: ignore[union-attr]
    return replace(stamp, media=stamp.media - seconds, capture=stamp.capture - seconds, arrival=stamp.arrival - seconds)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom everybody of `calls` claims to be: what enrols them, and what of them is judged.

    `across` says that it is another recording; `forged` are forgeries of them, with their method.
    """

    subject: str
    enrolled: tuple[Part, ...]
    judged: Part
    across: bool
    forged: tuple[tuple[str, Part], ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """What every detector said of one call, hop by hop; `across` as in `Person`, `method` of a forgery."""

    subject: str
    kind: Kind
    method: str
    across: bool
    hops: tuple[tuple[float, tuple[Score, ...]], ...]


def people_of(rows: Sequence[Row], forged_each: int = 3) -> list[Person]:
    """Divide everybody's recordings into what enrols them and what is judged; who has too little is left out."""
    genuine, forged = dict[str, list[tuple[float, Row]]](), dict[str, list[tuple[str, Part]]]()
    for row in rows:
        if row.label == "real":
            genuine.setdefault(row.subject, []).append((probe_clip(row.path).seconds, row))
        else:
            of_method = [method for method, _ in forged.setdefault(row.subject, []) if method == row.method]
            if len(of_method) < forged_each:
                forged[row.subject].append((row.method, Part(row, 0.0, MAX_JUDGED_SECONDS)))
    found = []
    for subject, clips in genuine.items():
        divided = _divided(clips)
        if divided is not None:
            found.append(Person(subject, *divided, forged=tuple(forged.get(subject, ()))))
    return found


def matched_people(rows: Sequence[Row]) -> list[Person]:
    """Divide the recordings of everybody of whom there are forgeries, however short they are.

    Who has one recording is enrolled from its beginning; the rest is judged, and that of each forgery. Who has
    several is enrolled from every other one; the rest is strung together, and so are the forgeries of one method.
    """
    genuine, forged = dict[str, list[Row]](), dict[str, dict[str, list[Row]]]()
    for row in rows:
        if row.label == "real":
            genuine.setdefault(row.subject, []).append(row)
        else:
            forged.setdefault(row.subject, {}).setdefault(row.method, []).append(row)
    found = []
    for subject, methods in forged.items():
        clips = genuine.get(subject, [])
        if not clips:
            continue
        cut = MATCHED_ENROLLED_SHARE * probe_clip(clips[0].path).seconds if len(clips) == 1 else 0.0
        enrolled = [Part(clips[0], 0.0, cut)] if cut else [Part(row) for row in clips[::2]]
        judged = strung_parts([clips[0]] if cut else clips[1::2], cut)
        calls = tuple((method, part) for method, made in methods.items() for part in strung_parts(made, cut))
        found.append(Person(subject, tuple(enrolled), judged[0], not cut, calls))
    return found


def strung_parts(rows: Sequence[Row], start: float) -> list[Part]:
    """Make calls of clips strung together, each from `start` on, of `MATCHED_SECONDS` and more each."""
    groups: list[list[Part]] = [[]]
    for row in rows:
        if sum(part.seconds for part in groups[-1]) >= MATCHED_SECONDS:
            groups.append([])
        groups[-1].append(Part(row, start))
    if len(groups) > 1 and sum(part.seconds for part in groups[-1]) < MATCHED_SECONDS:
        rest = groups.pop()
        groups[-1] += rest
    return [replace(first, then=tuple(others)) for first, *others in groups]


def _divided(clips: Sequence[tuple[float, Row]]) -> tuple[tuple[Part, ...], Part, bool] | None:
    clips = sorted(clips, key=lambda clip: -clip[0])
    able = [n for n, (seconds, _) in enumerate(clips) if seconds >= MIN_JUDGED_SECONDS]
    # The shortest that can be judged: the others enrol.
    for n in reversed(able):
        others = [clip for m, clip in enumerate(clips) if m != n]
        if sum(seconds for seconds, _ in others) >= MIN_ENROLLED_SECONDS:
            enrolled = tuple(Part(row, 0.0, MAX_ENROLLED_SECONDS) for _, row in others[:2])
            return enrolled, Part(clips[n][1], 0.0, MAX_JUDGED_SECONDS), True
    seconds, row = clips[0]
    if seconds < MIN_ENROLLED_SECONDS + MIN_JUDGED_SECONDS:
        return None
    cut = min(max(seconds / 2, MIN_ENROLLED_SECONDS), 2 * MAX_ENROLLED_SECONDS)
    return (Part(row, 0.0, cut),), Part(row, cut, cut + MAX_JUDGED_SECONDS), False


def judge_people(
    people: Sequence[Person], models: Models, log_file: Path, tick: Tick, kinds: Sequence[Kind] = KINDS
) -> list[JudgedCall]:
    """Enrol everybody and judge all calls under their name; the other person of each is the next one.

    What `log_file` holds is not judged again. Who cannot be enrolled, and what cannot be read, is told and left out.
    """
    found = []
    with ResumeLog(log_file) as log:
        for n, person in enumerate(people):
            other = people[(n + 1) % len(people)]
            calls = [call for call in _calls(person, other) if call[0] in kinds]
            keys = [_key(person, kind, method, media) for kind, method, media in calls]
            problem = None
            if any(key not in log.entries for key in keys):
                problem = _judge(person, calls, keys, models, log)
            found += [
                JudgedCall(person.subject, call[0], call[1], person.across, _hops(log.entries[key]))
                for call, key in zip(calls, keys, strict=True)
                if key in log.entries
            ]
            tick(problem)
    return found


Call = tuple[Kind, str, tuple[Part, ...]]


def _calls(person: Person, other: Person) -> Iterator[Call]:
    """Name the calls under a person's name: one part, or the pictures of one and the sound of the other."""
    yield "genuine", "", (person.judged,)
    yield "another person", "", (other.judged,)
    yield "another's voice", "", (person.judged, other.judged)
    yield "another's face", "", (other.judged, person.judged)
    for method, part in person.forged:
        yield "forged", method, (part,)


def _judge(person: Person, calls: Sequence[Call], keys: Sequence[str], models: Models, log: ResumeLog) -> str | None:
    try:
        reference = enrolled(person.enrolled, models)
    except (EnrolmentRefused, SourceError) as error:
        return f"{person.judged.row.name}: {error}"
    for (_, _, media), key in zip(calls, keys, strict=True):
        if key in log.entries:
            continue
        try:
            hops = judge(media, models, reference)
        except SourceError as error:
            return f"{media[0].row.name}: {error}"
        log.add(key, {"hops": [[round(at, 2), [_kept(score) for score in scores]] for at, scores in hops]})
    return None


def enrolled(parts: Sequence[Part], models: Models) -> Reference:
    """Enrol a person from parts of clips; raises `EnrolmentRefused` and `SourceError`."""
    with TemporaryDirectory() as folder:
        clips = [cut(part, Path(folder) / f"{n}.mp4") for n, part in enumerate(parts)]
        return enrol(clips, models, UNDEMANDING).reference


def cut(part: Part, target: Path) -> Path:
    """Write the beginning of a clip without coding it again; gives the clip itself where all of it is meant."""
    if part.end is None or probe_clip(part.row.path).seconds <= part.end:
        return part.row.path
    with av.open(str(part.row.path)) as source, av.open(str(target), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in _media(source)}
        for packet in source.demux(list(_media(source))):
            if packet.dts is None or packet.pts is None or float(packet.pts * packet.time_base) >= part.end:
                continue
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    return target


def _media(container: Any) -> Iterable[Any]:
    return [*container.streams.video[:1], *container.streams.audio[:1]]


def judge(media: Sequence[Part], models: Models, reference: Reference) -> list[tuple[float, tuple[Score, ...]]]:
    """Judge one part, or the pictures of the first with the sound of the second; raises `SourceError`."""
    session = Session(ParticipantKey("live", "1", "of interest"), models, SessionConfig(live=True), reference)
    items = media[0].items()
    if len(media) > 1:
        items = heapq.merge(only("video", media[0].items()), only("audio", media[1].items()), key=moment)
    # A track that ends before the other is a stall, and nothing that is to be measured here.
    hops, now, end = [], 0.0, min(part.seconds for part in media)
    for item in items:
        now = max(now, moment(item))
        if now > end:
            break
        report = session.tick(now)
        if report is not None:
            hops.append((now, report.decision.scores))
        session.push(item)
    return hops


def _kept(score: Score) -> dict[str, Any]:
    """Lay a score out as it is kept: everything that the decision reads of it."""
    kept: dict[str, Any] = {"detector": score.detector, "value": score.value, "p": score.p_value}
    kept |= {"reason": score.reason, "cause": score.cause, "sided": score.one_sided, "withholds": score.withholds}
    kept |= {"identity": score.needs_identity, "aspect": score.aspect, "changed": score.changed}
    kept |= {"by": score.evidence["judged_by"]} if "judged_by" in score.evidence else {}
    return kept | (
        {} if score.brief is None else {"brief": [score.brief.value, score.brief.p_value, score.brief.seconds]}
    )


def _hops(entry: Mapping[str, Any]) -> tuple[tuple[float, tuple[Score, ...]], ...]:
    return tuple((float(at), tuple(_score(kept) for kept in scores)) for at, scores in entry["hops"])


def _score(kept: Mapping[str, Any]) -> Score:
    reason, cause = (None if kept[name] is None else Reason(kept[name]) for name in ("reason", "cause"))
    return Score(
        kept["detector"],
        kept["value"],
        reason,
        kept["p"],
        kept["sided"],
        {"judged_by": kept["by"]} if "by" in kept else {},
        cause,
        withholds=kept["withholds"],
        needs_identity=kept["identity"],
        brief=BriefScore(*kept["brief"]) if "brief" in kept else None,
        aspect=None if kept["aspect"] is None else Aspect(kept["aspect"]),
        changed=kept["changed"],
    )


def _key(person: Person, kind: Kind, method: str, media: Sequence[Part]) -> str:
    parts = [part.described for part in (*person.enrolled, *media)]
    described = json.dumps([VERSION, person.subject, kind, method, parts])
    return hashlib.sha256(described.encode()).hexdigest()[:32]
