"""The process that attacks one target until its time is over or something is found."""

from __future__ import annotations

import sys
import time
from pathlib import Path

# What is watched for new branches: what parses, ours and others'. All of the product would take minutes to prepare.
WATCHED = (
    *(
        "monitor.tap.rtp",
        "monitor.tap.media",
        "monitor.tap.clip_file",
        "monitor.tap.clip_wire",
        "monitor.api.hosts",
        "monitor.api.access",
    ),
    *(
        "monitor.api.form",
        "monitor.api.forwarded",
        "monitor.alerts.push",
        "monitor.alerts.policy",
        "monitor.alerts.report",
        "monitor.api.body",
        "monitor.config",
        "monitor.face.coefficients",
    ),
    *("monitor.identity.vault.consent", "monitor.decision.calibration", "monitor.detectors"),
    *("monitor.lab.corpus", "monitor.lab.evaluate.resume_log", "engines.base", "engines.convert.dlib_format"),
    "engines.convert.torch_numbers",
    *(
        "aiortc.rtp",
        "h11",
        "aioice.stun",
        "aioice.candidate",
        "yaml",
        "python_multipart",
        "csv",
        "json",
        "numpy.lib.format",
    ),
)
# Where the inputs begin that are made without coverage: other ones than `make test` tries.
BLIND_START = 1


def blindly(name: str, seconds: float, found: Path) -> int:
    """Change seeds without regard to coverage; 1 where something was found, which is kept."""
    from tests.fuzz.table import TARGETS

    target = next(target for target in TARGETS if target.name == name)
    end, tried = time.monotonic() + seconds, 0
    for data in target.inputs(BLIND_START):
        if time.monotonic() > end:
            break
        tried += 1
        try:
            target.accepts(data)
        except BaseException:
            found.mkdir(parents=True, exist_ok=True)
            (found / "input.bin").write_bytes(data)
            raise
    sys.stdout.write(f"number_of_executed_units: {tried}\n")
    return 0


def by_coverage(name: str, options: list[str]) -> None:
    """Hand the target to libFuzzer, which ends this process: status 0, or another where something was found."""
    import atheris

    with atheris.instrument_imports(include=list(WATCHED), enable_loader_override=False):
        from tests.fuzz.table import TARGETS

    target = next(target for target in TARGETS if target.name == name)

    def try_one(data: bytes) -> None:
        target.accepts(data)

    atheris.Setup([sys.argv[0], *options], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[2].startswith("-"):
        by_coverage(sys.argv[1], sys.argv[2:])
    else:
        sys.exit(blindly(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])))
