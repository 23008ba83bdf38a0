"""What SpeechForensics' way costs beside a scan of the same stream, both on one core: rows, ratio and notes. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from monitor.lab.bench.budgets import Measurement
from monitor.lab.bench.scan_speed import ScanSpeed

UNIT: Final = "core s per s"
PEER: Final = "SpeechForensics' way, one core"
ALONE: Final = "scan of the stream, synchrony alone"
EVERY: Final = "scan of the stream, every detector"


@dataclass(frozen=True, slots=True)
class PeerStage:
    """A part of its way: processor time of so many frames of 25 a second, in passes of `batch` frames."""

    name: str
    frames: int
    batch: int
    cpu_seconds: float
    media_seconds: float

    @property
    def per_second(self) -> float:
        """Processor seconds of a second of media."""
        return self.cpu_seconds / self.media_seconds


@dataclass(frozen=True, slots=True)
class PeerCost:
    """Its stages, how long making the networks took, what they hold (by name) and the most memory that was resident."""

    stages: tuple[PeerStage, ...]
    load_seconds: float
    parameters: dict[str, int]
    memory_mb: float
    threads: int

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> PeerCost:
        """Read what `asdict` made of one."""
        return cls(**{**values, "stages": tuple(PeerStage(**stage) for stage in values["stages"])})

    @property
    def per_second(self) -> float:
        """Processor seconds of a second of media, all stages together."""
        return sum(stage.per_second for stage in self.stages)


@dataclass(frozen=True, slots=True)
class PeerComparison:
    """Its cost, and that of our scans; `every` is None where nobody could be enrolled. `load` is the machine's."""

    peer: PeerCost
    alone: ScanSpeed
    every: ScanSpeed | None
    load: float

    def scans(self) -> dict[str, ScanSpeed | None]:
        """Return our scans by the names of their rows."""
        return {ALONE: self.alone, EVERY: self.every}

    def times(self, scan: ScanSpeed | None) -> float | None:
        """Return how many times as much it costs as a scan of ours."""
        return self.peer.per_second / scan.cpu_seconds if scan is not None and scan.cpu_seconds > 0 else None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        stages = [{**asdict(stage), "per_second": stage.per_second} for stage in self.peer.stages]
        times = {name: self.times(scan) for name, scan in self.scans().items()}
        return {**asdict(self), "peer": {**asdict(self.peer), "stages": stages}, "times": times}


def over(scan: str) -> str:
    """Name the row that says how many times a scan of ours it costs."""
    return f"SpeechForensics' way over {scan}"


def measured_frames(peer: PeerCost) -> str:
    """Say of how many frames each pass was measured, those of the same number together."""
    by_frames: dict[int, list[str]] = {}
    for stage in peer.stages:
        by_frames.setdefault(stage.frames, []).append(stage.name)
    return "; ".join(f"{frames} frames of {', '.join(names)}" for frames, names in sorted(by_frames.items()))


def peer_rows(found: PeerComparison) -> list[Measurement]:
    """Make the rows: its cost, ours, how many times ours it is, and the memory of each."""
    peer = found.peer
    millions = ", ".join(f"{name} {count / 1e6:.0f} M" for name, count in peer.parameters.items())
    rows = [Measurement(PEER, peer.per_second, UNIT, note=f"random weights ({millions}): what it costs, no scores")]
    absent = "nobody could be enrolled"
    for name, scan in found.scans().items():
        cpu = None if scan is None else scan.cpu_seconds
        rows.append(Measurement(name, cpu, UNIT, note=absent if scan is None else "decoding included"))
    for name, scan in found.scans().items():
        rows.append(Measurement(over(name), found.times(scan), "times", note="in this run"))
    rows.append(Measurement(f"memory, {PEER}", peer.memory_mb, "MB", note="the most, everything in one process"))
    for name, scan in found.scans().items():
        rows.append(Measurement(f"memory, {name}", None if scan is None else scan.memory_mb, "MB", note="the most"))
    return rows


def peer_notes(found: PeerComparison) -> list[str]:
    """Say how it was measured, and what of it was not."""
    threads = "one thread" if found.peer.threads == 1 else f"{found.peer.threads} threads"
    return [
        "SpeechForensics' way has random weights, which cost what trained ones do and find nothing: "
        f"{threads} of torch, float32, measured over {measured_frames(found.peer)}, and told for each second of media "
        "at 25 frames. Suppressing boxes that overlap, and writing frames and mouths to files between its programs, "
        f"are not in it: it costs a little more. Load of the machine then: {found.load:g}."
    ]
