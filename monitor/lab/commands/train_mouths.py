"""`sidewitness train mouths`: whether pasted-back mouths are told from the rest of a face, by method."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.lab.corpus.manifest import Row
    from monitor.lab.studies.mouth_region import MethodRow

RESULTS = "results.json"
# Their pictures are as they were.
_OF_SOUND_ONLY = frozenset({"audio offset"})


def command(
    data: Annotated[list[Path], typer.Argument(help="Manifests with genuine and forged clips of people.")],
    split: Annotated[
        str | None, typer.Option(help="CSV with path,subject,group,fold that says who is who; those it names.")
    ] = "matched",
    out: Annotated[Path, typer.Option(help="Where results.json goes.")] = Path("runs/mouths"),
    per_method: Annotated[int, typer.Option(help="Forged clips of one method at most.", min=1)] = 8,
    people: Annotated[int, typer.Option(help="People of whom nothing is forged at most, one clip each.", min=4)] = 40,
    cache: Annotated[Path, typer.Option(help="Where moments of faces are kept.")] = Path(".cache"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the measures as JSON.")] = False,
) -> int:
    """Paste mouths of people over their own faces, learn from that, and measure forgeries of every method by it.

    Against the rest of the same face, and against the same person's genuine mouths. Nothing is shipped of it.

    Example: sidewitness train mouths clips.csv second.csv
    """
    require("train mouths", "train", "sklearn")
    import json
    from dataclasses import asdict

    from monitor.lab.corpus.manifest import CorpusError
    from monitor.lab.corpus.mouth_moments import load_moments
    from monitor.lab.metrics.numbers import rounded
    from monitor.lab.progress import clip_progress
    from monitor.lab.studies.mouth_region import by_method, see

    rows = mouth_rows(data, split, per_method, people)
    with clip_progress("looking at mouths", len(rows)) as done:
        clips = [see(row, moments) for row, moments in load_moments(rows, cache, done)]
    if len({clip.row.subject for clip in clips if clip.genuine}) < 4:
        raise CorpusError("genuine clips of at least 4 people with a face of 60 pixels are needed: name more")
    measured = by_method(clips, logistic)
    told = [
        {name: rounded(value) if isinstance(value, float) else value for name, value in asdict(row).items()}
        for row in measured
    ]
    if not as_json:
        typer.echo("\n".join(lines_for(measured)))
    out.mkdir(parents=True, exist_ok=True)
    (out / RESULTS).write_text(json.dumps(told, indent=1) + "\n")
    if as_json:
        typer.echo(json.dumps(told))
    return 0


def mouth_rows(data: Sequence[Path], split: str | None, per_method: int, people: int) -> list[Row]:
    """Choose clips: forged ones by method, genuine ones of the same people, and one of each of some others."""
    from dataclasses import replace

    from monitor.lab.corpus.datasets import read_corpus
    from monitor.lab.corpus.manifest import RESEARCH_SPLIT, read_csv

    shipped = RESEARCH_SPLIT.with_name("matched.csv") if split == "matched" else None
    named = read_csv(shipped or Path(split), ("path", "subject", "group", "fold")) if split else ()
    subjects = {raw["path"]: raw["subject"] for raw in named}
    rows = [row for path in data for row in read_corpus(path) if row.method not in _OF_SOUND_ONLY]
    # Panels that were cut from one picture say so before the method.
    methods = [row.method.rpartition(": ")[2] for row in rows]
    rows = [
        replace(row, subject=subjects.get(row.name, row.subject), method=method)
        for row, method in zip(rows, methods, strict=True)
    ]
    rows.sort(key=lambda row: zlib.crc32(row.name.encode()))
    forged = _at_most(per_method, [row for row in rows if row.label == "fake"], "method")
    of = {row.subject for row in forged}
    own = _at_most(3, [row for row in rows if row.label == "real" and row.subject in of], "subject")
    others = _at_most(1, [row for row in rows if row.label == "real" and row.subject not in of], "subject")
    return [*forged, *own, *others[:people]]


def lines_for(rows: Sequence[MethodRow]) -> list[str]:
    """Write the measures for people."""
    said = ["AUC against the rest of the face, the same knowing other methods, against the person's own"]
    for row in rows:
        parts = [
            f"{value:.2f} [{low:.2f}-{high:.2f}]"
            for value, low, high in (
                (row.auc, row.low, row.high),
                (row.known, row.known_low, row.known_high),
                (row.own, row.own_low, row.own_high),
            )
        ]
        said.append(f"  {row.method} ({row.clips} clips of {row.people}, own {row.own_clips}): {', '.join(parts)}")
    return said


def logistic(rows: Any, pasted: Any) -> Any:
    """Fit a logistic regression."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=2000, class_weight="balanced"))
    model.fit(rows, pasted)
    return lambda found: np.asarray(model.decision_function(found), np.float64)


def _at_most(most: int, rows: Sequence[Row], of: str) -> list[Row]:
    taken: dict[str, int] = {}
    kept = []
    for row in rows:
        key = getattr(row, of)
        taken[key] = taken.get(key, 0) + 1
        if taken[key] <= most:
            kept.append(row)
    return kept
