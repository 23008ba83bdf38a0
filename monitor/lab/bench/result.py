"""From what was measured to rows beside their budgets, and to what a reader must know before believing them. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import linear_regression, median
from typing import Any

from monitor.lab.bench.budgets import (
    AGE,
    CAPACITY,
    CORES,
    FACE,
    FIRST_STATE,
    FIRST_VERDICT,
    GROWTH,
    KILL_AGAIN,
    KILL_TOLD,
    LIVE,
    LOOP,
    MEMORY,
    OVERLOAD_AGE,
    OVERLOAD_GROWTH,
    READY,
    SOAK,
    SOCKET,
    Measurement,
    measured,
)
from monitor.lab.bench.capacity import OVERLOADED, Capacity
from monitor.lab.bench.curve import Curve
from monitor.lab.bench.engine_speed import EngineSpeeds
from monitor.lab.bench.growth import Growth
from monitor.lab.bench.host_kill import HostKill
from monitor.lab.bench.live import LiveCall
from monitor.lab.bench.overload import Overload
from monitor.lab.bench.peer import PeerComparison
from monitor.lab.bench.scan_speed import ScanSpeed
from monitor.lab.bench.soak import Soak
from monitor.lab.bench.stage_times import Stage, face_milliseconds
from monitor.lab.bench.variants import LiveVariant

BUSY_SHARE = 0.1
# Of the load average, which is slow to fall and counts what waits.
LOADED_SHARE = 0.25
REPEAT_WHEN_IDLE = "conclude nothing from this run, repeat it on an idle machine"
LATE_SECONDS = 0.1
MIN_FRAMES_PER_SECOND = 28.0
DETECTORS = ("synchrony", "pairwise", "persona", "voiceprint")
# A detector that scores at fewer hops than this is not what the budgets speak of.
MIN_SCORED_SHARE = 0.5
# Of hops that were overloaded: who is not judged costs nothing, and makes the others look cheap.
MAX_OVERLOADED_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class BenchResult:
    """One benchmark; parts that were not asked for are None, or empty.

    `notes` are sentences; `verdicts` counts what the participants of the live call were told in its span.
    """

    machine: dict[str, Any]
    settings: dict[str, Any]
    stages: list[Stage] = field(default_factory=list)
    rows: list[Measurement] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    speeds: EngineSpeeds | None = None
    capacity: Capacity | None = None
    overload: Overload | None = None
    soak: Soak | None = None
    growth: Growth | None = None
    host_kill: HostKill | None = None
    curve: Curve | None = None
    peer: PeerComparison | None = None
    variants: tuple[LiveVariant, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the object that `sidewitness bench --json` prints."""
        return {
            "machine": self.machine,
            "settings": self.settings,
            "rows": [item.as_json() for item in self.rows],
            "stages": [asdict(item) for item in self.stages],
            "engines": self.speeds.as_json() if self.speeds else [],
            "capacity": self.capacity.as_json() if self.capacity else None,
            "overload": self.overload.as_json() if self.overload else None,
            "growth": self.growth.as_json() if self.growth else None,
            "host_kill": self.host_kill.as_json() if self.host_kill else None,
            "curve": self.curve.as_json() if self.curve else None,
            "soak": self.soak.as_json() if self.soak else None,
            "peer": self.peer.as_json() if self.peer else None,
            "variants": [item.as_json() for item in self.variants],
            "verdicts": self.verdicts,
            "notes": self.notes,
        }


def live_rows(live: LiveCall) -> list[Measurement]:
    """Make the rows of a live call; of several starts the median counts, of several participants the slowest."""
    all_states, all_verdicts = (len(moments) == live.participants for moments in (live.first_state, live.first_verdict))
    working = "every detector" if live.enrolled else "synchrony only"
    who = f"{live.participants} participants, {live.span:.0f} s, {working}"
    silent = "" if all_verdicts else "not everybody was scored: no face or too little speech in the clip"
    overloaded_share = overloaded(live)
    shed_note = (
        f"{100 * overloaded_share:.0f} % of the hops were overloaded: fewer were judged than came"
        if overloaded_share > MAX_OVERLOADED_SHARE
        else ""
    )
    over_what = "over that of one" if live.participants > 1 else "over that of none"
    rows = [
        measured(
            CORES, None if shed_note else live.cores_per_participant, shed_note or f"process of the sidecar, {who}"
        ),
        measured(LOOP, None if shed_note else live.loop_cores, shed_note or "main thread"),
        *[Measurement(f"hops with a score of {name}", 100 * share, "%") for name, share in live.scored.items()],
        Measurement("sidecar without participants", live.idle_cores, "cores"),
        Measurement("score age p50", live.age_p50, "s", note="from arrival of the newest judged media"),
        measured(AGE, live.age_p95, _age_note(live, shed_note)),
        measured(SOCKET, _ms(live.socket_p95), "from the histogram of /metrics"),
        Measurement("decision to subscriber p95", _ms(live.received_p95), "ms", note="as received in another process"),
        measured(FIRST_STATE, max(live.first_state) if all_states else None, "the slowest participant"),
        measured(FIRST_VERDICT, max(live.first_verdict) if all_verdicts else None, silent or "the slowest participant"),
        measured(READY, median(live.ready), f"median of {len(live.ready)} starts, {_list(live.ready)} s"),
        measured(MEMORY, live.memory_mb, f"resident, of each more, {over_what}"),
        Measurement(
            "memory of the first participant", live.first_mb, "MB", note="with what only those who are judged need"
        ),
        Measurement("memory without participants", live.baseline_mb, "MB"),
        Measurement("bytes of a state message", live.state_bytes, "bytes", note="to each subscriber, every hop"),
    ]
    if live.slope_mb_per_hour is not None:
        rows.append(Measurement("memory slope per participant", live.slope_mb_per_hour, "MB/h"))
    return rows


def _age_note(live: LiveCall, fewer: str) -> str:
    if live.age_p95 is None:
        return "no clock was mapped"
    return f"of those who were judged: {fewer}" if fewer else "from the histogram of /metrics"


def overloaded(live: LiveCall) -> float:
    """Return the share of hops at which somebody was not judged, for want of time."""
    return live.verdicts.get(OVERLOADED, 0) / max(sum(live.verdicts.values()), 1)


def missing_live_rows(why: str) -> list[Measurement]:
    """Make the rows of a live call that could not be made."""
    return [measured(name, None, why) for name in LIVE]


def stage_rows(stages: list[Stage]) -> list[Measurement]:
    """Make the rows that the stages give."""
    whole, face = sum(stage.per_frame for stage in stages), face_milliseconds(stages)
    return [
        measured(FACE, face, "in this process, one thread" if face is not None else "there is no face in the clip"),
        Measurement("all stages per frame", whole, "ms", note="sum of the table of stages"),
    ]


def scan_row(name: str, speed: ScanSpeed | None, why: str) -> Measurement:
    """Make a row of a scan; `why` says what is wrong where there is no speed, else what the clip is."""
    if speed is None:
        return measured(name, None, why)
    return measured(name, speed.times_real, f"{why}; loading the models took {speed.load_seconds:.1f} s more")


def live_notes(live: LiveCall, cores: int) -> list[str]:
    """Say what makes the numbers of a live call doubtful."""
    notes = []
    if live.others_cores > BUSY_SHARE * cores:
        notes.append(busy(live.others_cores, cores))
    idle = [name for name in DETECTORS if live.scored.get(name, 0.0) < MIN_SCORED_SHARE] if live.enrolled else []
    if idle:
        notes.append(f"At most hops there was no score of {', '.join(idle)}: the live rows cost less than they should.")
    if live.publisher_late > LATE_SECONDS:
        notes.append(
            f"The publisher was late by up to {1000 * live.publisher_late:.0f} ms: use fewer --participants here."
        )
    if live.frames_per_second is None or live.frames_per_second < MIN_FRAMES_PER_SECOND:
        frames = "none" if live.frames_per_second is None else f"{live.frames_per_second:.0f}"
        notes.append(f"Of 30 pictures a second {frames} arrived: what is measured is less than a 720p30 participant.")
    if live.dropped:
        notes.append(f"{live.dropped} frames or blocks were dropped: this machine cannot judge {live.participants}.")
    if live.late_hops:
        notes.append(f"{live.late_hops} hops were skipped because the one before was not finished.")
    notes.append(f"The publisher took {live.publisher_cores:.2f} cores, which are not in the sidecar's share.")
    return notes


def busy(others: float, cores: int) -> str:
    """Say that other processes were at work."""
    return f"Other processes took {others:.2f} of {cores} cores meanwhile: {REPEAT_WHEN_IDLE}."


def capacity_rows(capacity: Capacity) -> list[Measurement]:
    """Make the rows of how many participants hold."""
    best = next((step for step in capacity.steps if step.held and step.participants == capacity.largest_call), None)
    where = (
        f"{capacity.cores} cores"
        if capacity.cores == capacity.machine
        else f"{capacity.cores} of {capacity.machine} cores"
    )
    working = "every detector" if capacity.enrolled else "synchrony only"
    sent = (
        f", of which the publisher took {best.publisher_cores:.2f}"
        if best and capacity.cores == capacity.machine
        else ""
    )
    beyond = (
        f"; {capacity.first_failed.participants} do not: {capacity.first_failed.why}"
        if capacity.first_failed
        else "; more were not tried"
    )
    return [
        measured(
            CAPACITY,
            capacity.largest_call / capacity.cores,
            f"{capacity.largest_call} hold on {where}{sent}, {working}{beyond}",
        ),
        Measurement(
            "live participants that hold",
            capacity.largest_call,
            "participants",
            note=f"{capacity.seconds:.0f} s each, {where}",
        ),
        Measurement(
            "score age p95 at that many", best.age_p95 if best else None, "s", note="" if best else "not even one held"
        ),
    ]


def capacity_notes(capacity: Capacity) -> list[str]:
    """Say what makes a capacity doubtful."""
    notes = []
    worst = max((step.others_cores for step in capacity.steps), default=0.0)
    if worst > BUSY_SHARE * capacity.machine:
        notes.append(f"Capacity: {busy(worst, capacity.machine)}")
    larger = [
        s.participants
        for s in capacity.steps
        if s.held and capacity.first_failed and s.participants > capacity.first_failed.participants
    ]
    if larger:
        notes.append(f"Capacity: {max(larger)} held though a smaller call did not: the machine is not steady.")
    return notes


def overload_rows(overload: Overload) -> list[Measurement]:
    """Make the rows of a call of twice the size that holds."""
    size = f"{overload.admitted} of {2 * overload.sustainable} were taken in, twice {overload.sustainable}"
    return [
        measured(OVERLOAD_AGE, overload.age_p95, f"{size}; p95 {_seconds(overload.age_before)} before"),
        Measurement(
            "shed while overloaded", len(overload.shed), "people", note=f"joined as number {_numbers(overload.shed)}"
        ),
        Measurement("judged while overloaded", len(overload.kept), "people", note=f"number {_numbers(overload.kept)}"),
        Measurement(
            "neither, while overloaded", len(overload.between), "people", note="judged and overloaded by turns"
        ),
        measured(OVERLOAD_GROWTH, overload.growth_mb, "last third of the span over the one before"),
        Measurement(
            "judged again afterwards",
            len(overload.recovered),
            "people",
            note=f"of {overload.sustainable}, {overload.recovery_seconds:.0f} s after the others left",
        ),
    ]


def overload_notes(overload: Overload, cores: int) -> list[str]:
    """Say what went wrong under overload, and what makes the numbers doubtful."""
    notes = []
    if overload.failures:
        notes.append(f"Overload: {overload.failures} sessions FAILED and were begun anew; none should.")
    if overload.silent:
        notes.append(f"Overload: NOTHING was said of number {_numbers(overload.silent)}; they should be inconclusive.")
    if overload.refused:
        notes.append(f"Overload: {overload.refused} were refused at the door, so the load was less than twice.")
    if not overload.shed:
        notes.append("Overload: nobody was shed.")
    if overload.others_cores > BUSY_SHARE * cores:
        notes.append(f"Overload: {busy(overload.others_cores, cores)}")
    return notes


def growth_rows(growth: Growth) -> list[Measurement]:
    """Make the rows of what several processes hold beside one."""
    held = f"{growth.several.largest_call} with {growth.processes}, {growth.one.largest_call} with one, in this run"
    memory = growth.memory_of_each_more()
    return [
        measured(GROWTH, growth.ratio, held if growth.ratio is not None else "one process held nobody"),
        Measurement("participants that several processes hold", growth.several.largest_call, "participants", note=held),
        *[
            Measurement(f"memory of each more, {count} judging", value, "MB", note="from the smallest call tried")
            for count, value in memory.items()
        ],
    ]


def kill_rows(kill: HostKill) -> list[Measurement]:
    """Make the rows of a host that was killed under a call."""
    who = f"the slowest of {kill.participants} who were on it"
    published = _seconds(kill.published_seconds)
    return [
        measured(KILL_TOLD, kill.told_seconds, who),
        measured(KILL_AGAIN, kill.again_seconds, f"{who}, of which publishing again took {published}"),
    ]


def growth_notes(growth: Growth) -> list[str]:
    """Say what makes a comparison of processes doubtful."""
    return [f"Processes: {note}" for found in (growth.one, growth.several) for note in capacity_notes(found)]


def curve_rows(curve: Curve) -> list[Measurement]:
    """Make the rows of a growth curve: what each more participant adds, over the calls that held."""
    held = [point for point in curve.points if point.held]
    sizes, calls = [float(point.participants) for point in held], _numbers(tuple(p.participants for p in held))
    where = f"{curve.processes} judging on {curve.cores} cores, {curve.seconds:.0f} s each; over calls of {calls}"
    return [
        Measurement("cores of each more participant", _slope(sizes, [p.cores for p in held]), "cores", note=where),
        Measurement("memory of each more participant", _slope(sizes, [p.memory_mb for p in held]), "MB", note=where),
    ]


def curve_notes(curve: Curve, cores: int) -> list[str]:
    """Say what makes a growth curve doubtful."""
    notes = [f"Curve, {point.participants} at once: {point.why}." for point in curve.points if point.why]
    if curve.refused_at is not None:
        notes.append(f"Curve: at {curve.refused_at} somebody was refused, it ends before that.")
    if curve.publisher_late > LATE_SECONDS:
        notes.append(f"Curve: the publisher was late by up to {1000 * curve.publisher_late:.0f} ms at some time.")
    worst = max((point.others_cores for point in curve.points), default=0.0)
    if worst > BUSY_SHARE * cores:
        notes.append(f"Curve: {busy(worst, cores)}")
    return notes


def _slope(sizes: list[float], values: list[float]) -> float | None:
    """Return the slope of a straight line by least squares; None through less than two sizes."""
    return linear_regression(sizes, values).slope if len(sizes) > 1 else None


def soak_row(soak: Soak) -> Measurement:
    """Make the row of memory over virtual time."""
    note = f"{soak.minutes:.0f} virtual minutes, {soak.times_real:.1f} x real time; {soak.verdict}"
    return measured(SOAK, soak.slope[1] if soak.slope else None, note)


def _numbers(people: tuple[int, ...]) -> str:
    return ", ".join(map(str, people)) or "none"


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f} s"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
