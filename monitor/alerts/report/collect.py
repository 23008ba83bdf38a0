"""Everything that a report of a finding is made of, from the journal, the casework and the model packs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from engines.base import EngineError, ModelPack
from engines.packs import installed
from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Entry, Journal, JournalError, Tampered
from monitor.alerts.report.content import CalibrationNote, ChainNote, PackNote, Source
from monitor.decision.words import REASONS
from monitor.detectors import registry

# Where a detector's scores of genuine people are: detector, pack, file.
CALIBRATIONS = (
    ("synchrony", "speech_lips", "calibration.json"),
    ("pairwise", "face_artefacts", "population.npz"),
    ("persona", "persona", "people.npz"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which finding, for whom, when, by which version, over which windows, and of which tenant of several."""

    finding: str
    made: datetime
    version: str
    window_seconds: float
    shows_names: bool = True
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """What a report is made of: its `source`, the chained rows for whoever checks it, and its place in the logs."""

    source: Source
    data: Mapping[str, Any]
    place: Mapping[str, Any]


def collect(
    wanted: Wanted, journal: Journal, casework: Casework, packs: Path, audit: Sequence[ChainNote] = ()
) -> Collected:
    """Return what a report of a finding is made of; raises `JournalError` where there is none."""
    rows = journal.changes(wanted.finding)
    changes = [row.finding for row in rows if isinstance(row, Entry)]
    if not changes:
        raise JournalError("there is no such finding, or it is no longer kept: see `sidewitness findings list`")
    log = casework.of(wanted.finding)
    own, cases = journal.verify(), casework.verify()
    chains = [ChainNote("findings", own.rows, own.head, own.faults)]
    chains += [ChainNote("casework", cases.rows, cases.head, cases.faults), *audit]
    have = installed(packs)
    source = Source(
        changes,
        log.case,
        {info.name: info.label for info in registry.infos()},
        {**registry.phrases(), **REASONS},
        _packs(changes[0].conditions.get("packs") or {}, have),
        [note for known in CALIBRATIONS if (note := _calibration(*known, have)) is not None],
        chains,
        wanted.made,
        wanted.version,
        wanted.window_seconds,
        [row.seq for row in rows if isinstance(row, Tampered)],
        wanted.shows_names,
        wanted.tenant,
    )
    links = journal.links(wanted.finding)
    last = links[-1]
    place = {"finding": wanted.finding, "seq": last["seq"], "hash": last["hash"], "casework": cases.head}
    # With names left out nobody can recompute a row; its link can still be held against the journal.
    shown = (
        links if wanted.shows_names else [{name: link[name] for name in ("seq", "previous", "hash")} for link in links]
    )
    data = {"place": place, "rows": shown, "heads": {note.log: note.head for note in chains}}
    return Collected(source, data, place)


def _packs(kept: Mapping[str, str], have: Sequence[ModelPack]) -> list[PackNote]:
    """Return the packs that judged, with what is known of those that are installed still; without any, these."""
    by_name = {pack.manifest.name: pack.manifest for pack in have}
    notes = []
    for name, sha256 in (kept or {name: manifest.sha256 for name, manifest in by_name.items()}).items():
        manifest = by_name.get(name)
        if manifest is not None and manifest.sha256 == sha256:
            notes.append(PackNote(name, sha256, manifest.version, manifest.licence))
        else:
            notes.append(PackNote(name, sha256, is_installed=False))
    return notes


def _calibration(detector: str, pack: str, file: str, have: Sequence[ModelPack]) -> CalibrationNote | None:
    found = next((each for each in have if each.manifest.name == pack), None)
    if found is None:
        return None
    try:
        people = _people(found.read(file), file)
    except (EngineError, OSError, ValueError, KeyError, TypeError):
        people = None
    return CalibrationNote(detector, people, pack, found.manifest.version)


def _people(content: bytes, file: str) -> int:
    """Count the genuine people whose scores a file holds."""
    if file.endswith(".json"):
        tables = json.loads(content)["tables"]
        return 1 + max(int(max(table["subjects"])) for table in tables)
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return len(np.unique(arrays["person"]))
