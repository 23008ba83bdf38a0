"""Same person or not, on photos: the identity encoder measured as the product uses it, from the picture on.

Photos pass the tracker, the quality gate and the alignment of a live call. One that gives no shot is reported and takes
part in no pair. Besides, the second photo of every pair is sent through each rung of the ladder of call conditions,
against first photos as recorded and through the same rung.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engines.base import MODELS, Engine
from engines.load import load_engine
from monitor.detectors.packs import home
from monitor.detectors.pairwise.entry import IDENTITY
from monitor.face.aligned import chips
from monitor.face.shot import FaceShot
from monitor.face.track import FaceTracker, FaceView
from monitor.identity.enrolment.condition_ladder import RUNGS, Moment, make_rungs, moment_of
from monitor.lab.corpus.manifest import CorpusError
from monitor.lab.corpus.portraits import photo
from monitor.lab.metrics.det_curve import draw_det
from monitor.lab.metrics.verification import (
    Pairs,
    distances,
    draw_pairs,
    eer_interval,
    every_pair,
    rounded_summary,
    verify,
)
from monitor.lab.progress import clip_progress
from monitor.session.models import DETECTOR, LANDMARKS
from monitor.tap.media.source import SourceError
from monitor.types import FloatArray, VideoFrame

GENUINE_PAIRS, IMPOSTOR_PAIRS = 400, 600
SEED = 0
# The first look at a still has only the detector's box to go by; a face is cut out twice a second.
FRAMES_PER_PHOTO, SECONDS_BETWEEN_FRAMES = 3, 0.6


@dataclass(frozen=True, slots=True)
class Photo:
    """A line of the manifest."""

    path: Path
    name: str
    subject: str


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPhotos:
    """Photos that gave a shot, and their vectors (N, I) on every rung; `refused` says why of the others."""

    photos: list[Photo]
    rungs: Mapping[str, FloatArray]
    refused: Mapping[str, str]

    @property
    def subjects(self) -> list[str]:
        """Who is on each photo."""
        return [photo.subject for photo in self.photos]


def read_photos(manifest: Path, source: str = "") -> list[Photo]:
    """Read photos of people with two or more, of lines whose source begins with `source`; raises `CorpusError`.

    The manifest is a CSV with the columns path (relative to it) and subject, and source where one is asked for.
    """
    try:
        with manifest.open(newline="") as file:
            reader = csv.DictReader(file)
            columns = {"path", "subject"} | ({"source"} if source else set())
            missing = sorted(columns - set(reader.fieldnames or ()))
            if missing:
                raise CorpusError(f"{manifest.name} lacks the columns {', '.join(missing)}: its first line names them")
            rows = [row for row in reader if (row.get("source") or "").startswith(source)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{manifest} cannot be read as CSV ({error}): check the path") from None
    photos = [Photo(manifest.parent / r["path"], r["path"], r["subject"]) for r in rows if r["path"] and r["subject"]]
    counts: dict[str, int] = {}
    for entry in photos:
        counts[entry.subject] = counts.get(entry.subject, 0) + 1
    usable = [entry for entry in photos if counts[entry.subject] > 1]
    if len({entry.subject for entry in usable}) < 2:
        raise CorpusError(f"{manifest.name} has no two people with two photos each: pairs cannot be drawn from it")
    return usable


def measure(manifest: Path, out: Path, source: str = "", folder: Path = MODELS) -> dict[str, Any]:
    """Write pairs.csv, summary.json and pairs-det.png into `out` and return the summary.

    Raises `CorpusError` for a manifest that cannot be used and `EngineError` without the identity encoder.
    """
    photos = read_photos(manifest, source)
    tracking = (load_engine(DETECTOR), load_engine(LANDMARKS))
    encoder = load_engine(IDENTITY, models=home(IDENTITY, folder))
    with clip_progress("photos", len(photos)) as tick:
        encoded = encode(photos, tracking, encoder, tick)
    subjects = encoded.subjects
    pairs = draw_pairs(subjects, GENUINE_PAIRS, IMPOSTOR_PAIRS, SEED)
    recorded = encoded.rungs[RUNGS[0].name]
    pair_distances = distances(recorded, recorded, pairs)
    all_pairs = every_pair(subjects)
    errors = verify(pair_distances, pairs)
    if "eer" in errors:
        errors["eer_low"], errors["eer_high"] = eer_interval(pair_distances, pairs, subjects)
    all_distances = distances(recorded, recorded, all_pairs)
    summary = {
        "encoder": {"sha256": encoder.manifest.sha256, "licence": encoder.manifest.licence},
        "photos": len(photos),
        "people": len({entry.subject for entry in photos}),
        "refused": dict(encoded.refused),
        "seed": SEED,
        "pairs": rounded_summary(errors),
        "every_pair": rounded_summary(verify(all_distances, all_pairs)),
        "rungs": {name: rounded_summary(row) for name, row in _by_rung(encoded, all_pairs)},
    }
    out.mkdir(parents=True, exist_ok=True)
    _write_pairs(out / "pairs.csv", encoded.photos, pairs, pair_distances)
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    if "eer" in errors:
        sets = {
            f"{len(pairs)} drawn pairs": (pair_distances, pairs.same),
            "every pair": (all_distances, all_pairs.same),
        }
        draw_det(sets, out / "pairs-det.png")
    return summary


def encode(
    photos: Sequence[Photo], tracking: tuple[Engine, Engine], encoder: Engine, tick: Callable[[str | None], None]
) -> EncodedPhotos:
    """Bring every photo to vectors, one for each rung of the ladder."""
    encoded_photos: list[Photo] = []
    rows: dict[str, list[FloatArray]] = {step.name: [] for step in RUNGS}
    refused: dict[str, str] = {}
    for entry in photos:
        moment = look(entry.path, tracking)
        if isinstance(moment, str):
            refused[entry.name] = moment
            tick(f"{entry.name}: {moment}")
            continue
        encoded_photos.append(entry)
        for name, shots in make_rungs([moment]):
            rows[name].append(_vectors(encoder, shots))
        tick(None)
    empty = np.zeros((0, encoder.manifest.outputs[0].shape[-1]), np.float32)
    return EncodedPhotos(
        encoded_photos, {name: np.concatenate([empty, *parts]) for name, parts in rows.items()}, refused
    )


def look(path: Path, tracking: tuple[Engine, Engine]) -> Moment | str:
    """Find the face nearest to the middle of a photo; a string says why there is none fit to be judged."""
    try:
        still = photo(path)
    except SourceError as error:
        return str(error)
    tracker = FaceTracker(*tracking)
    views: list[FaceView] = []
    for number in range(FRAMES_PER_PHOTO):
        frame = replace(still, stamp=replace(still.stamp, media=number * SECONDS_BETWEEN_FRAMES))
        views = tracker(frame)
    if not views:
        return "no face found"
    view = min(views, key=lambda candidate: _off_centre(candidate, still))
    return moment_of(still, view) or f"face not good enough ({view.quality.problem})"


def _off_centre(view: FaceView, frame: VideoFrame) -> float:
    x, y = (float(n) for n in view.landmarks[:, :2].mean(0))
    return float(np.hypot(x - frame.width / 2, y - frame.height / 2))


def _vectors(encoder: Engine, shots: Sequence[FaceShot]) -> FloatArray:
    return encoder.run({"face": chips(shots)})["embedding"]


def _by_rung(encoded: EncodedPhotos, pairs: Pairs) -> Iterator[tuple[str, dict[str, Any]]]:
    recorded = encoded.rungs[RUNGS[0].name]
    for step in RUNGS[1:]:
        degraded = encoded.rungs[step.name]
        sides = {"against_as_recorded": recorded, "against_the_same_rung": degraded}
        yield step.name, {name: verify(distances(first, degraded, pairs), pairs) for name, first in sides.items()}


def _write_pairs(path: Path, photos: Sequence[Photo], pairs: Pairs, pair_distances: np.ndarray[Any, Any]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("first", "second", "same", "distance"))
        for a, b, same, distance in zip(pairs.first, pairs.second, pairs.same, pair_distances, strict=True):
            writer.writerow((photos[a].name, photos[b].name, "yes" if same else "no", f"{distance:.4f}"))
