"""From what was measured to rows beside their budgets, and to what a reader must know before believing them. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from monitor.bench.budgets import (
    AGE,
    CORES,
    FACE,
    FIRST_STATE,
    FIRST_VERDICT,
    LIVE,
    LOOP,
    MEMORY,
    READY,
    SOCKET,
    Row,
    row,
)
from monitor.bench.live import Live
from monitor.bench.scanning import ScanSpeed
from monitor.bench.stages import Stage, face_milliseconds

BUSY = 0.1
LATE = 0.1
LEAST_RATE = 28.0


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark. `notes` are sentences; `verdicts` counts what the participants were told in the span."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    stages: list[Stage]
    rows: list[Row]
    verdicts: dict[str, int]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the object that `sidewitness bench --json` prints."""
        return {
            "machine": self.machine,
            "settings": self.settings,
            "rows": [one.as_json() for one in self.rows],
            "stages": [asdict(one) for one in self.stages],
            "verdicts": self.verdicts,
            "notes": self.notes,
        }


def live_rows(live: Live) -> list[Row]:
    """Make the rows of a live call; of several starts the median counts, of several participants the slowest."""
    all_states, all_verdicts = (len(each) == live.participants for each in (live.first_state, live.first_verdict))
    who = f"{live.participants} participants, {live.span:.0f} s"
    silent = "" if all_verdicts else "not everybody was scored: no face or too little speech in the clip"
    rows = [
        row(CORES, live.cores, f"process of the sidecar, {who}"),
        row(LOOP, live.loop_cores, "main thread"),
        Row("sidecar without participants", live.idle_cores, "cores"),
        Row("score age p50", live.age_p50, "s", note="from arrival of the newest judged media"),
        row(AGE, live.age_p95, "from the histogram of /metrics" if live.age_p95 is not None else "no clock was mapped"),
        row(SOCKET, _ms(live.socket_p95), "from the histogram of /metrics"),
        Row("decision to subscriber p95", _ms(live.received_p95), "ms", note="as received in another process"),
        row(FIRST_STATE, max(live.first_state) if all_states else None, "the slowest participant"),
        row(FIRST_VERDICT, max(live.first_verdict) if all_verdicts else None, silent or "the slowest participant"),
        row(READY, median(live.ready), f"median of {len(live.ready)} starts, {_list(live.ready)} s"),
        row(MEMORY, live.memory_mb, f"resident, over {live.baseline_mb:.0f} MB without participants"),
    ]
    if live.slope_mb_per_hour is not None:
        rows.append(Row("memory slope per participant", live.slope_mb_per_hour, "MB/h"))
    return rows


def missing_live_rows(why: str) -> list[Row]:
    """Make the rows of a live call that could not be made."""
    return [row(name, None, why) for name in LIVE]


def stage_rows(stages: list[Stage]) -> list[Row]:
    """Make the rows that the stages give."""
    whole, face = sum(stage.per_frame for stage in stages), face_milliseconds(stages)
    return [
        row(FACE, face, "in this process, one thread" if face is not None else "there is no face in the clip"),
        Row("all stages per frame", whole, "ms", note="sum of the table of stages"),
    ]


def scan_row(name: str, speed: ScanSpeed | None, why: str) -> Row:
    """Make a row of a scan; `why` says what is wrong where there is no speed, else what the clip is."""
    if speed is None:
        return row(name, None, why)
    return row(name, speed.times_real, f"{why}; loading the models took {speed.load_seconds:.1f} s more")


def live_notes(live: Live, cores: int) -> list[str]:
    """Say what makes the numbers of a live call doubtful."""
    notes = []
    if live.others_cores > BUSY * cores:
        notes.append(
            f"Other processes took {live.others_cores:.2f} of {cores} cores meanwhile: "
            "conclude nothing from this run, repeat it on an idle machine."
        )
    if live.publisher_late > LATE:
        notes.append(
            f"The publisher was late by up to {1000 * live.publisher_late:.0f} ms: use fewer --participants here."
        )
    if live.frames_per_second is None or live.frames_per_second < LEAST_RATE:
        told = "none" if live.frames_per_second is None else f"{live.frames_per_second:.0f}"
        notes.append(f"Of 30 pictures a second {told} arrived: what is measured is less than a 720p30 participant.")
    if live.dropped:
        notes.append(f"{live.dropped} frames or blocks were dropped: this machine cannot judge {live.participants}.")
    if live.late_hops:
        notes.append(f"{live.late_hops} hops were skipped because the one before was not finished.")
    notes.append(f"The publisher took {live.publisher_cores:.2f} cores, which are not in the sidecar's share.")
    return notes


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
