"""The whole benchmark, part after part; a part that cannot run says why, and the others run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engines.load import EngineName
from monitor.bench import comparing, live, moving, scanning, stages
from monitor.bench.budgets import PAIRWISE, PERSONA, SCAN, SCAN_720, Row, row
from monitor.bench.child import BenchError
from monitor.bench.clip import Stream, choose, prepare
from monitor.bench.procfs import describe_machine
from monitor.bench.result import Result, live_notes, live_rows, missing_live_rows, scan_row, stage_rows
from monitor.models import Models, load_models

Tell = Callable[[str, float], None]
COMPARING = {PAIRWISE: comparing.measure, PERSONA: moving.measure}


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured: `seconds` of a live call of `participants`, with the clip or what is found in its place."""

    seconds: float = 20.0
    participants: int | None = None
    clip: Path | None = None
    engine: EngineName = "openvino"

    def people(self, cores: int) -> int:
        """Return how many participants: two a core unless told, since the publishers need some of it too."""
        return self.participants or min(2 * cores, 8)


def run(options: Options, folder: Path, tell: Tell) -> Result:
    """Measure everything, in `folder` for what is written meanwhile; raises `SourceError` for a clip that is none.

    `tell` is called with the name of the part at work and the fraction of it that is done.
    """
    machine = describe_machine()
    clip = options.clip or choose()
    webm, people = folder / "stream.webm", options.people(machine["cores"])
    stream = prepare(clip, webm, lambda done: tell("encoding the stream", done))
    settings = {
        "clip": clip.name if clip else "generated",
        "loop_seconds": stream.seconds,
        "kilobits_per_second": round(sum(map(len, stream.video)) * 8e-3 / stream.seconds),
        "seconds": options.seconds,
        "participants": people,
        "engine": options.engine,
        "detectors": ["synchrony", "pairwise", "persona"],
    }
    tell("stages", 0.0)
    models = load_models(options.engine)
    parts = stages.measure(stream, models, lambda done: tell("stages", done))
    tell("comparing", 0.0)
    rows = [_comparing(name, by, stream, models) for name, by in COMPARING.items()]
    rows += _scans(clip, webm, options.engine, folder, tell)
    notes, verdicts = _notes(clip, stream), {}
    try:
        found = asyncio.run(live.measure(webm, folder, people, options.seconds, options.engine, tell))
    except BenchError as error:
        notes.append(f"The live part could not run: {error}.")
        told = missing_live_rows(str(error))
    else:
        told, verdicts = live_rows(found), found.verdicts
        notes += live_notes(found, machine["cores"])
    return Result(machine, settings, parts, [*told, *stage_rows(parts), *rows], verdicts, notes)


def _comparing(name: str, measure: Callable[[Stream, Models], float], stream: Stream, models: Models) -> Row:
    try:
        return row(name, measure(stream, models))
    except comparing.CannotCompare as error:
        return row(name, None, str(error))


def _scans(clip: Path | None, webm: Path, engine: EngineName, folder: Path, tell: Tell) -> list[Row]:
    named = [(SCAN, clip, clip.name if clip else ""), (SCAN_720, webm, "the stream of the live part")]
    rows: list[Row] = []
    for name, path, what in named:
        tell("scanning", len(rows) / len(named))
        if path is None:
            rows.append(scan_row(name, None, "there is no clip: give --clip, or set SIDEWITNESS_DATA"))
            continue
        try:
            speed = asyncio.run(scanning.measure(path, engine, folder))
        except BenchError as error:
            rows.append(scan_row(name, None, str(error)))
        else:
            rows.append(scan_row(name, speed, what))
    return rows


def _notes(clip: Path | None, stream: Stream) -> list[str]:
    notes = [
        "The live part runs synchrony only: nobody is claimed there. What an enrolled participant costs besides are "
        "rows of their own; the budgets are meant for three detectors."
    ]
    if clip is None:
        notes.append(
            f"The stream is a generated pattern of {stream.seconds:g} s without a face: faces are searched for in "
            "every frame and nobody is scored. Give --clip, or set SIDEWITNESS_DATA."
        )
    return notes
