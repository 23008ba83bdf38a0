"""How fast a recorded clip is judged on one core, in a process of its own that may use no other.

python -m monitor.bench.scanning CLIP ENGINE
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from engines.base import EngineError
from engines.load import EngineName
from monitor.bench.child import BenchError, die_with_parent, environment, last_line, spawn, stop
from monitor.tap.source import SourceError

LEAST_SCANS = 3.0


@dataclass(frozen=True, slots=True)
class ScanSpeed:
    """Seconds of media judged a second, and the seconds that loading the models took before."""

    times_real: float
    load_seconds: float
    clip_seconds: float


async def measure(clip: Path, engine: str, folder: Path) -> ScanSpeed:
    """Scan a clip in a child that is held to one core; raises `BenchError`."""
    errors = folder / "scan.log"
    child = await spawn("monitor.bench.scanning", str(clip), engine, errors=errors, env=environment())
    try:
        said, _ = await child.communicate()
    finally:
        await stop(child)
    if child.returncode != 0:
        raise BenchError(f"the scan failed: {last_line(errors)}")
    return ScanSpeed(**json.loads(said))


def scan_once(clip: Path, engine: EngineName) -> ScanSpeed:
    """Scan until three seconds have passed, on one of the cores that this process may use from now on."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # Only now: a runtime counts its cores when it is loaded.
    from monitor.models import load_models
    from monitor.scan import scan

    began = time.perf_counter()
    models = load_models(engine)
    loaded = time.perf_counter()
    media = 0.0
    while not media or time.perf_counter() - loaded < LEAST_SCANS:
        verdict = scan(clip, models)
        if verdict.seconds <= 0:
            raise SourceError(f"{clip.name} has no length: give another --clip")
        media += verdict.seconds
    return ScanSpeed(media / (time.perf_counter() - loaded), loaded - began, verdict.seconds)


def main() -> int:
    """Scan as the arguments say."""
    die_with_parent()
    clip, engine = sys.argv[1:]
    try:
        speed = scan_once(Path(clip), cast("EngineName", engine))
    except (SourceError, EngineError) as error:
        raise SystemExit(f"error: {error}") from None
    sys.stdout.write(json.dumps(asdict(speed)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
