"""How fast a recorded clip is judged on one core, in a process of its own that may use no other.

python -m monitor.lab.bench.scan_speed CLIP ENGINE [IDENTITY]
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from engines.base import EngineError
from engines.registry import EngineName
from monitor.lab.bench.child import BenchError, die_with_parent, environment, last_line, spawn, stop
from monitor.lab.bench.enrolment import enrolled, state_of
from monitor.lab.bench.processes import BenchSetup
from monitor.tap.media.source import SourceError

MIN_SCAN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ScanSpeed:
    """Seconds of media judged a second, and the seconds that loading the models took before.

    `cpu_seconds` is the processor time of a second of media, what decodes it included; `memory_mb` the most that was
    resident, models included.
    """

    times_real: float
    load_seconds: float
    clip_seconds: float
    cpu_seconds: float
    memory_mb: float


async def measure(clip: Path, setup: BenchSetup) -> ScanSpeed:
    """Scan a clip in a child that is held to one core, for whoever is claimed; raises `BenchError`."""
    errors = setup.folder / "scan.log"
    claimed = [setup.identity] if setup.identity else []
    env = environment(SIDEWITNESS_STATE_DIR=str(state_of(setup.folder)))
    child = await spawn("monitor.lab.bench.scan_speed", str(clip), setup.engine, *claimed, errors=errors, env=env)
    try:
        output, _ = await child.communicate()
    finally:
        await stop(child)
    if child.returncode != 0:
        raise BenchError(f"the scan failed: {last_line(errors)}")
    return ScanSpeed(**json.loads(output))


def scan_once(clip: Path, engine: EngineName, identity: str | None = None) -> ScanSpeed:
    """Scan until three seconds have passed, on one of the cores that this process may use from now on.

    `identity` is compared with what the vault of this process's settings holds of it.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # Only now: a runtime counts its cores when it is loaded.
    from engines.load import load_engine
    from monitor.session.clip import scan
    from monitor.session.models import load_models

    began = time.perf_counter()
    models = load_models(engine, load=partial(load_engine, wait=True))
    reference = enrolled(identity)()
    loaded = time.perf_counter()
    media, cpu_before = 0.0, cpu_seconds()
    while not media or time.perf_counter() - loaded < MIN_SCAN_SECONDS:
        verdict = scan(clip, models, identity=identity, reference=reference)
        if verdict.seconds <= 0:
            raise SourceError(f"{clip.name} has no length: give another --clip")
        media += verdict.seconds
    wall_seconds, cpu = time.perf_counter() - loaded, cpu_seconds() - cpu_before
    return ScanSpeed(media / wall_seconds, loaded - began, verdict.seconds, cpu / media, peak_mb())


def cpu_seconds() -> float:
    """Read the processor time of this process and of those that it started and that have ended."""
    return sum(used.ru_utime + used.ru_stime for used in _used())


def peak_mb() -> float:
    """Read the most memory that was resident in this process and in the largest that it started and that has ended."""
    return sum(used.ru_maxrss for used in _used()) * 1024 / 1e6


def _used() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def main() -> int:
    """Scan as the arguments say."""
    die_with_parent()
    clip, engine, *claimed = sys.argv[1:]
    try:
        speed = scan_once(Path(clip), engine, *claimed)
    except (SourceError, EngineError) as error:
        raise SystemExit(f"error: {error}") from None
    sys.stdout.write(json.dumps(asdict(speed)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
