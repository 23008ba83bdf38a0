"""Scores of 40 research clips by every way in: scan, enrolment, a claimed identity, evaluation and live replay.

Only the command line is used, so that the same file can be run beside any version of the code:

    python -m tests.golden.scores --write    # with the code whose scores are to be kept
    python -m tests.golden.scores --check    # with the code that must give the same
    python -m tests.golden.scores --write --part scan    # where one way in has changed on purpose

Scores are compared to the last digit that the commands print. That holds on one kind of processor: runtimes choose
their kernels by it, so `--tolerance` says how far another machine's may differ.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("scores.json")
DATA = Path(os.environ.get("SIDEWITNESS_DATA", ROOT.parent / "shared" / "data")).resolve()
CLIPS = 40
SECONDS = (5.0, 21.0)
# Many short clips teach a face, one long one teaches how somebody moves as well.
PEOPLE = {"GRID_s1": 40, "DFRF_cnn2": 1}
CLAIMED = 3
# What differs from run to run.
PASSING = frozenset({"id", "made"})
PARTS = ("scan", "enroll", "claimed", "evaluate", "live")
LIVE_PEOPLE, LIVE_MINUTES = 4, 1.0


def chosen() -> list[dict[str, str]]:
    """Twenty genuine and twenty forged clips, of as many people and methods as there are, in a fixed order."""
    with (DATA / "clips.csv").open() as file:
        rows = [
            r for r in csv.DictReader(file) if r["audio"] == "yes" and SECONDS[0] <= float(r["seconds"]) < SECONDS[1]
        ]
    found: list[dict[str, str]] = []
    for label, key in (("real", "subject"), ("fake", "method")):
        turns: dict[str, list[dict[str, str]]] = {}
        for row in sorted((r for r in rows if r["label"] == label), key=lambda r: r["path"]):
            turns.setdefault(row[key], []).append(row)
        queue = [own[n] for n in range(max(map(len, turns.values()))) for own in turns.values() if n < len(own)]
        found += queue[: CLIPS // 2]
    return found


def of_person(subject: str) -> tuple[list[Path], list[Path]]:
    """Clips that enrol a person, and clips of the same one that are judged by it."""
    with (DATA / "clips.csv").open() as file:
        paths = sorted(DATA / r["path"] for r in csv.DictReader(file) if r["subject"] == subject)
    return paths[: PEOPLE[subject]], paths[-CLAIMED:]


def command(*words: str | Path, state: Path) -> str:
    """Run one command of this checkout."""
    environ = {**os.environ, "SIDEWITNESS_STATE_DIR": str(state)}
    done = subprocess.run(
        [sys.executable, "-m", "monitor.cli", *map(str, words)], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))[:200]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def measured(parts: Collection[str] = PARTS) -> dict[str, Any]:
    """Every score, by the way in and by clip; of these `parts` alone, where not all are asked for."""
    return {way: _lasting(scores) for way, scores in _measured(set(parts)) if way in parts}


def _measured(parts: set[str]) -> Iterator[tuple[str, Any]]:
    clips = chosen()
    paths = [DATA / row["path"] for row in clips]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "scan" in parts:
            yield "scan", _by_clip(command("scan", *paths, "--json", state=folder))
        if parts & {"enroll", "claimed"}:
            made: dict[str, Any] = {}
            claimed: dict[str, Any] = {}
            for person in PEOPLE:
                enrolled, others = of_person(person)
                words: tuple[str | Path, ...] = ("enroll", person, *enrolled, "--consent-by", "nobody", "--json")
                made[person] = json.loads(command(*words, state=folder))
                claims = command("scan", *others, *paths[::8], "--identity", person, "--json", state=folder)
                claimed[person] = _by_clip(claims)
            yield from (("enroll", made), ("claimed", claimed))
        if parts & {"evaluate", "live"}:
            yield from _evaluated(clips, folder)


def _lasting(value: Any) -> Any:
    """Leave out what differs from run to run."""
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in PASSING}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def _by_clip(text: str) -> dict[str, Any]:
    rows = [json.loads(line) for line in text.splitlines()]
    return {Path(row["clip"]).name: {k: row[k] for k in ("verdict", "reason", "scores")} for row in rows}


def _evaluated(clips: list[dict[str, str]], folder: Path) -> Iterator[tuple[str, Any]]:
    manifest = folder / "clips.csv"
    same = {row["subject"]: str(DATA / row["path"]) for row in clips if row["label"] == "real"}
    with manifest.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["path", "label", "method", "subject", "reference"])
        for row in clips:
            reference = same.get(row["subject"], str(DATA / clips[0]["path"]))
            out.writerow([DATA / row["path"], row["label"], row["method"], row["subject"], reference])
    detectors = ("--detector", "synchrony", "--detector", "pairwise", "--detector", "persona")
    command("evaluate", manifest, "--out", folder / "e", *detectors, "--cache", folder / "c", state=folder)
    with (folder / "e" / "results.csv").open() as file:
        yield "evaluate", [{**row, "path": Path(row["path"]).name} for row in csv.DictReader(file)]
    live = folder / "live.csv"
    genuine = [row for row in clips if row["label"] == "real"][:LIVE_PEOPLE]
    with live.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["path", "label", "method", "subject"])
        out.writerows([DATA / r["path"], r["label"], r["method"], r["subject"]] for r in genuine)
    replay = ("--live", "--live-minutes", str(LIVE_MINUTES), "--mismatch")
    command("evaluate", live, "--out", folder / "l", *replay, "--cache", folder / "c", state=folder)
    calls = (folder / "l" / "live.jsonl").read_text().splitlines()
    yield "live", sorted((json.loads(line) for line in calls), key=lambda call: json.dumps(call, sort_keys=True))


def differences(want: Any, got: Any, tolerance: float, where: str = "") -> Iterator[str]:
    """Say where two results differ."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted({*want, *got}):
            yield from differences(want.get(key), got.get(key), tolerance, f"{where}/{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for n, (a, b) in enumerate(zip(want, got, strict=True)):
            yield from differences(a, b, tolerance, f"{where}/{n}")
    elif isinstance(want, int | float) and isinstance(got, int | float) and tolerance:
        if not math.isclose(want, got, rel_tol=tolerance, abs_tol=tolerance):
            yield f"{where}: {want} became {got}"
    elif want != got:
        yield f"{where}: {want} became {got}"


def main() -> int:
    """Write the scores, or compare with those that were written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tolerance", type=float, default=0.0)
    parser.add_argument("--part", action="append", choices=PARTS, help="Only this way in; the others stay as written.")
    asked = parser.parse_args()
    parts = asked.part or PARTS
    got = json.loads(json.dumps(measured(parts)))
    stored = json.loads(FILE.read_text()) if FILE.exists() else {}
    if asked.write:
        FILE.write_text(json.dumps(stored | got, indent=1, sort_keys=True) + "\n")
        return 0
    found = list(differences({way: stored.get(way) for way in parts}, got, asked.tolerance))
    sys.stdout.write("\n".join([*found[:50], f"{len(found)} differences in {', '.join(parts)}"]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
