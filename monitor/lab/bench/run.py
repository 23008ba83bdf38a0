"""The whole benchmark, part after part; a part that cannot run says why, and the others run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from engines.load import load_engine
from engines.registry import EngineName
from monitor.lab.bench import capacity, curve, growth, host_kill, live, overload, peer_cost, variants
from monitor.lab.bench import engine_speed as speeds
from monitor.lab.bench import enrolment as enrolling
from monitor.lab.bench import pairwise_cost as comparing
from monitor.lab.bench import persona_cost as moving
from monitor.lab.bench import scan_speed as scanning
from monitor.lab.bench import soak as soaking
from monitor.lab.bench import stage_times as stages
from monitor.lab.bench.budgets import (
    CAPACITY,
    GROWTH,
    KILL_AGAIN,
    KILL_TOLD,
    OVERLOAD_AGE,
    OVERLOAD_GROWTH,
    PAIRWISE,
    PERSONA,
    SCAN,
    SCAN_720,
    SCAN_ALL,
    SOAK,
    Measurement,
    measured,
)
from monitor.lab.bench.child import BenchError
from monitor.lab.bench.clip import Stream, choose, prepare
from monitor.lab.bench.peer import peer_notes, peer_rows
from monitor.lab.bench.process_usage import describe_machine
from monitor.lab.bench.processes import BenchSetup, Progress
from monitor.lab.bench.result import (
    LOADED_SHARE,
    REPEAT_WHEN_IDLE,
    BenchResult,
    capacity_notes,
    capacity_rows,
    curve_notes,
    curve_rows,
    growth_notes,
    growth_rows,
    kill_rows,
    live_notes,
    live_rows,
    missing_live_rows,
    overload_notes,
    overload_rows,
    scan_row,
    soak_row,
    stage_rows,
)
from monitor.lab.bench.variants import PLAIN, POSTGRESQL, LiveVariant, ray_name, variant_rows
from monitor.session.models import Models, load_models

COMPARING = {PAIRWISE: comparing.measure, PERSONA: moving.measure}


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured: `seconds` of a live call of `participants`, with the clip or what is found in its place.

    `cores` are how many the sidecar may use, all of them for None. `usual` are the parts of a default run; the others
    are asked for by name, `soak` in virtual minutes; `processes` are compared with one, and
    draw the `curve` up to so many participants. `peer` is compared with scans; `database` and `ray` set the live call
    up in another way, beside the one with default settings.
    """

    seconds: float = 20.0
    participants: int | None = None
    clip: Path | None = None
    engine: EngineName = "openvino"
    cores: int | None = None
    usual: bool = True
    engines: bool = False
    capacity: bool = False
    overload: bool = False
    soak: float | None = None
    processes: int | None = None
    curve: int | None = None
    peer: bool = False
    database: str | None = field(default=None, repr=False)
    ray: bool = False

    def people(self, cores: int) -> int:
        """Return how many participants: two a core by default, since the publishers need some of it too."""
        return self.participants or min(2 * cores, 8)


@dataclass(frozen=True, slots=True)
class Bench:
    """What the parts share."""

    options: Options
    stream: Stream
    webm: Path
    clip: Path | None
    setup: BenchSetup
    cores: int
    tell: Progress

    @property
    def enrolled_from(self) -> Path:
        """Where whom everybody claims to be is seen for the longest."""
        return self.clip or self.webm

    def telling(self, part: str) -> Callable[[float], None]:
        """Return the progress callback of a part."""
        return lambda done: self.tell(part, done)


def run(options: Options, folder: Path, tell: Progress) -> BenchResult:
    """Measure everything, in `folder` for what is written meanwhile; raises `SourceError` for a clip that is none.

    `tell` is called with the name of the part at work and the fraction of it that is done.
    """
    machine = describe_machine()
    clip = options.clip or choose()
    webm = folder / "stream.webm"
    stream = prepare(clip, webm, lambda done: tell("encoding the stream", done))
    available = sorted(os.sched_getaffinity(0))
    sidecar_cores = frozenset(available[: options.cores]) if options.cores and options.cores < len(available) else None
    setup = BenchSetup(folder, options.engine, None, sidecar_cores)
    bench = Bench(options, stream, webm, clip, setup, machine["cores"], tell)
    notes: list[str] = [*of_the_machine(machine), *_of_the_stream(clip, stream)]
    bench = _enrol(bench, notes)
    result = BenchResult(machine, _settings(bench), notes=notes)
    if options.usual:
        result = _usual(bench, result)
    if options.usual or options.engines:
        result = replace(result, speeds=_speeds(bench, notes))
    return loads(bench, result)


def _settings(bench: Bench) -> dict[str, object]:
    stream, options = bench.stream, bench.options
    return {
        "clip": bench.clip.name if bench.clip else "generated",
        "loop_seconds": stream.seconds,
        "kilobits_per_second": round(sum(map(len, stream.video)) * 8e-3 / stream.seconds),
        "seconds": options.seconds,
        "participants": options.people(bench.cores),
        "engine": options.engine,
        "cores": len(bench.setup.cores or ()) or bench.cores,
        "enrolled": bench.setup.identity is not None,
        "detectors": ["synchrony", "pairwise", "persona", "voiceprint"] if bench.setup.identity else ["synchrony"],
    }


def of_the_machine(machine: Mapping[str, Any]) -> list[str]:
    """Say when the machine is at work already: its load is that of a minute."""
    load, cores = machine["load_before"], machine["cores"]
    if load <= LOADED_SHARE * cores:
        return []
    return [f"The load of this machine was {load:g} of {cores} cores before it began: {REPEAT_WHEN_IDLE}."]


def _of_the_stream(clip: Path | None, stream: Stream) -> list[str]:
    if clip is not None:
        return []
    return [
        f"The stream is a generated pattern of {stream.seconds:g} s without a face: faces are searched for in "
        "every frame and nobody is scored. Give --clip, or set SIDEWITNESS_DATA."
    ]


def _enrol(bench: Bench, notes: list[str]) -> Bench:
    """Enrol the stream's person; without one the live parts run synchrony only, and a note says so."""
    bench.tell("enrolling the stream's person", 0.0)
    try:
        who = asyncio.run(enrolling.enrol_clip(bench.enrolled_from, bench.setup.folder, bench.options.engine))
    except BenchError as error:
        notes.append(
            f"Nobody could be enrolled ({error}): live parts and scans run synchrony only, the budgets are meant for "
            "every detector."
        )
        return bench
    if not who.movement:
        notes.append("The stream's person speaks too little to learn how they move: nothing is scored by persona.")
    if not who.voice:
        notes.append("The stream's person speaks too little to learn their voice: nothing is scored by voiceprint.")
    return replace(bench, setup=replace(bench.setup, identity=who.identity))


def _usual(bench: Bench, result: BenchResult) -> BenchResult:
    tell = bench.tell
    tell("stages", 0.0)
    models = load_models(bench.options.engine, load=partial(load_engine, wait=True))
    parts = stages.measure(bench.stream, models, bench.telling("stages"))
    tell("comparing", 0.0)
    rows = [_comparing(name, by, bench.stream, models) for name, by in COMPARING.items()]
    rows += _scans(bench)
    result.stages.extend(parts)
    result = _live(bench, result)
    result.rows.extend([*stage_rows(parts), *rows])
    return result


def _live(bench: Bench, result: BenchResult) -> BenchResult:
    options = bench.options
    try:
        measured_part = asyncio.run(
            live.measure(bench.webm, bench.setup, options.people(bench.cores), options.seconds, bench.tell)
        )
    except BenchError as error:
        result.notes.append(f"The live part could not run: {error}.")
        result.rows.extend(missing_live_rows(str(error)))
        return result
    result.rows.extend(live_rows(measured_part))
    result.notes.extend(live_notes(measured_part, bench.cores))
    result.verdicts.update(measured_part.verdicts)
    return replace(result, variants=(LiveVariant(PLAIN, measured_part),))


def _comparing(name: str, measure: Callable[[Stream, Models], float], stream: Stream, models: Models) -> Measurement:
    try:
        return measured(name, measure(stream, models))
    except comparing.CannotCompare as error:
        return measured(name, None, str(error))


def _scans(bench: Bench) -> list[Measurement]:
    nobody, clip = replace(bench.setup, identity=None), bench.clip
    what, stream = clip.name if clip else "", "the stream of the live part"
    named = [(SCAN, clip, nobody, what), (SCAN_ALL, clip, bench.setup, what), (SCAN_720, bench.webm, nobody, stream)]
    rows: list[Measurement] = []
    for name, path, setup, clip_name in named:
        bench.tell("scanning", len(rows) / len(named))
        if path is None:
            rows.append(scan_row(name, None, "there is no clip: give --clip, or set SIDEWITNESS_DATA"))
        elif name == SCAN_ALL and setup.identity is None:
            rows.append(scan_row(name, None, "nobody could be enrolled"))
        else:
            rows.append(_scan(name, path, setup, clip_name))
    return rows


def _scan(name: str, path: Path, setup: BenchSetup, what: str) -> Measurement:
    try:
        return scan_row(name, asyncio.run(scanning.measure(path, setup)), what)
    except BenchError as error:
        return scan_row(name, None, str(error))


def _speeds(bench: Bench, notes: list[str]) -> speeds.EngineSpeeds:
    """Time the encoders: those of the chosen engine at two batches, or everything where it is asked for."""
    tell = bench.telling("engines")
    if bench.options.engines:
        measured_part = speeds.measure_all(progress=tell)
    else:
        chosen = (bench.options.engine,)
        measured_part = speeds.measure_all(chosen, speeds.QUICK_BATCHES, speeds.QUICK_SECONDS, progress=tell)
    notes.extend(measured_part.notes)
    return measured_part


def loads(bench: Bench, result: BenchResult) -> BenchResult:
    """Find the capacity, load beyond it and soak, each where it is asked for."""
    options = bench.options
    sustainable = options.participants
    if options.capacity or (options.overload and sustainable is None):
        result = _capacity(bench, result)
        if result.capacity is not None:
            sustainable = result.capacity.largest_call
    if options.overload:
        result = _overload(bench, result, sustainable or 0)
    if options.processes is not None:
        result = _host_kill(bench, _growth(bench, result, options.processes), options.processes)
    if options.curve is not None:
        result = _curve(bench, result, options.curve)
    result = _variants(bench, result)
    if options.peer:
        result = _peer(bench, result)
    return _soak(bench, result, options.soak) if options.soak is not None else result


def _variants(bench: Bench, result: BenchResult) -> BenchResult:
    """Make the live call in other ways, each beside the one with default settings."""
    options = bench.options
    people = options.people(bench.cores)
    wanted: dict[str, Callable[[], Coroutine[Any, Any, LiveVariant]]] = {}
    if options.database is not None:
        sources = bench.webm, bench.enrolled_from
        wanted[POSTGRESQL] = partial(
            variants.on_database, *sources, bench.setup, options.database, people, options.seconds, bench.tell
        )
    if options.ray:
        hosts = options.processes or 1
        wanted[ray_name(hosts)] = partial(
            variants.on_ray, bench.webm, bench.setup, hosts, people, options.seconds, bench.tell
        )
    if wanted and not options.usual:
        result = _live(bench, result)
    plain = result.variants[0] if result.variants else None
    for name, measure in wanted.items():
        try:
            found = asyncio.run(measure())
        except BenchError as error:
            result.notes.append(f"The live call on {name} could not run: {error}.")
            continue
        result.rows.extend(variant_rows(found, plain))
        result.notes.extend(f"On {name}: {note}" for note in live_notes(found.call, bench.cores))
        result = replace(result, variants=(*result.variants, found))
    return result


def _peer(bench: Bench, result: BenchResult) -> BenchResult:
    try:
        found = asyncio.run(peer_cost.measure(bench.webm, bench.setup, peer_cost.FRAMES, bench.tell))
    except BenchError as error:
        return _missing(result, "peer", str(error))
    result.rows.extend(peer_rows(found))
    result.notes.extend(peer_notes(found))
    return replace(result, peer=found)


def _capacity(bench: Bench, result: BenchResult) -> BenchResult:
    first = bench.options.people(bench.cores)
    try:
        measured_part = asyncio.run(capacity.measure(bench.webm, bench.setup, first, progress=bench.tell))
    except BenchError as error:
        return _missing(result, "capacity", str(error), CAPACITY)
    result.rows.extend(capacity_rows(measured_part))
    result.notes.extend(capacity_notes(measured_part))
    return replace(result, capacity=measured_part)


def _overload(bench: Bench, result: BenchResult, sustainable: int) -> BenchResult:
    rows = (OVERLOAD_AGE, OVERLOAD_GROWTH)
    if not sustainable:
        return _missing(result, "overload", "it is not known how many hold: give --participants", *rows)
    try:
        measured_part = asyncio.run(
            overload.measure(bench.webm, bench.setup, sustainable, bench.options.seconds, bench.tell)
        )
    except BenchError as error:
        return _missing(result, "overload", str(error), *rows)
    result.rows.extend(overload_rows(measured_part))
    result.notes.extend(overload_notes(measured_part, bench.cores))
    return replace(result, overload=measured_part)


def _curve(bench: Bench, result: BenchResult, most: int) -> BenchResult:
    setup = replace(bench.setup, processes=bench.options.processes or 1)
    try:
        measured_part = asyncio.run(curve.measure(bench.webm, setup, most, bench.cores, progress=bench.tell))
    except BenchError as error:
        return _missing(result, "curve", str(error))
    result.rows.extend(curve_rows(measured_part))
    result.notes.extend(curve_notes(measured_part, bench.cores))
    return replace(result, curve=measured_part)


def _growth(bench: Bench, result: BenchResult, processes: int) -> BenchResult:
    first = bench.options.people(bench.cores)
    try:
        measured_part = asyncio.run(growth.measure(bench.webm, bench.setup, processes, first, progress=bench.tell))
    except BenchError as error:
        return _missing(result, "processes", str(error), GROWTH)
    result.rows.extend(growth_rows(measured_part))
    result.notes.extend(growth_notes(measured_part))
    return replace(result, growth=measured_part)


def _host_kill(bench: Bench, result: BenchResult, processes: int) -> BenchResult:
    setup = replace(bench.setup, processes=processes)
    try:
        measured_part = asyncio.run(host_kill.measure(bench.webm, setup, progress=bench.tell))
    except BenchError as error:
        return _missing(result, "killed host", str(error), KILL_TOLD, KILL_AGAIN)
    result.rows.extend(kill_rows(measured_part))
    return replace(result, host_kill=measured_part)


def _soak(bench: Bench, result: BenchResult, minutes: float) -> BenchResult:
    try:
        measured_part = asyncio.run(soaking.measure(bench.webm, bench.setup, minutes, bench.tell))
    except BenchError as error:
        return _missing(result, "soak", str(error), SOAK)
    result.rows.append(soak_row(measured_part))
    return replace(result, soak=measured_part)


def _missing(result: BenchResult, part: str, why: str, *names: str) -> BenchResult:
    result.notes.append(f"The part {part} could not run: {why}.")
    result.rows.extend(measured(name, None, why) for name in names)
    return result
