"""Every sink measured: `python -m tests.monitor.alerts.sinks.measure delay|flood [--findings N] [--faults SHARE]`.

`delay` commits findings at an even rate (`--per-second`) and prints a line of JSON a sink: the seconds from a finding's
time, which is when it was decided, to the sink having accepted it. `flood` commits them as fast as they can be, kills
the process `--kills` times, and prints what came of it; it fails where a finding is lost, out of order, or renamed.
The receivers are those of the tests, on this machine; a share of `--faults` of the requests fail.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tests.monitor.alerts.build import ready_journal
from tests.monitor.alerts.sinks.certificates import issue
from tests.monitor.alerts.sinks.every_sink import every_sink, flood, run


async def delay(folder: Path, findings: int, faults: float, per_second: float) -> list[dict[str, Any]]:
    """Give the quantiles of each sink, and of all of them together."""
    ready_journal(folder).close()
    async with every_sink(folder, issue(folder), faults):
        ran = await run(folder, findings, per_second=per_second)
    assert ran.delays is not None
    rows = {**ran.delays, "all": [seconds for delays in ran.delays.values() for seconds in delays]}
    return [_row(sink, seconds) for sink, seconds in rows.items()]


def _row(sink: str, seconds: list[float]) -> dict[str, Any]:
    middle, high = (round(float(value), 3) for value in np.quantile(seconds, (0.5, 0.95)))
    return {"sink": sink, "n": len(seconds), "p50_s": middle, "p95_s": high, "max_s": round(max(seconds), 3)}


def main() -> None:
    """Measure, and print lines of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("delay", "flood"))
    parser.add_argument("--findings", type=int, default=300)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--per-second", type=float, default=5.0)
    parser.add_argument("--kills", type=int, default=9)
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.what == "delay":
            rows = asyncio.run(delay(folder, chosen.findings, chosen.faults, chosen.per_second))
        else:
            flooded = asyncio.run(flood(folder, chosen.findings, chosen.kills, chosen.faults))
            rows = [{**asdict(flooded), "seconds": round(time.monotonic() - began, 1)}]
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
