"""`sidewitness train synthetic-voice`: whether speech made by machines is told from people's, makers left out."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.extras import require

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.lab.corpus.manifest import Row
    from monitor.lab.corpus.synthesisers import Utterance
    from monitor.lab.corpus.voice_windows import SpeechWindow
    from monitor.lab.studies.synthetic_voice import Confound, Fit, LeftOut

RESULTS = "results.json"
MIN_OF_A_KIND = 5


def command(
    data: Annotated[
        list[Path], typer.Argument(help="Manifests of genuine clips (path,label,method,subject), or folders.")
    ],
    out: Annotated[Path, typer.Option(help="Where results.json goes.")] = Path("runs/synthetic-voice"),
    recordings: Annotated[
        list[str] | None,
        typer.Option("--recordings", help="NAME=FOLDER: recordings of another synthesiser; once for each."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="A subject that is not one person; once for each.")
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option("--leave-out", help="Only this maker, and not each in turn; once for each.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="A split, or the name of a shipped one: its groups are kinds of recordings to leave out."),
    ] = None,
    people: Annotated[int, typer.Option(help="People at most, one clip of each.", min=8)] = 110,
    utterances: Annotated[int, typer.Option(help="Utterances of each synthesiser at most.", min=2)] = 10,
    steps: Annotated[int, typer.Option(help="Steps of each training of the net; 0: the simple model only.", min=0)] = 0,
    cache: Annotated[Path, typer.Option(help="Where what is heard of clips is kept.")] = Path(".cache"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the measures as JSON.")] = False,
) -> int:
    """Leave every synthesiser and every way of vocoding out in turn, with half of the people, and say how it is told.

    Uses the synthesisers that are installed (espeak-ng, flite, text2wave of Festival, and some packages), four ways of
    vocoding the genuine clips, and one line for everything. Nothing is shipped of it: see docs/synthetic-voice.md.

    With --split genuine people of each kind of recording are left out, too, and should not be taken for machines.

    Example: sidewitness train synthetic-voice clips.csv second.csv --split sources --steps 200
    """
    require("train synthetic-voice", "train", "sklearn", *(["torch"] if steps else []))
    import json

    from monitor.lab.studies.synthetic_voice import is_evidence

    clips = _rows(data, exclude or [], split, people)
    windows = _windows(clips, recordings or [], utterances, cache)
    told: dict[str, Any] = {}
    for model, fit in _models(steps).items():
        rows, lines = _measured(windows, fit, leave_out)
        kinds = _kinds(windows, clips, fit) if split else []
        told[model] = {
            "left_out": [_as_dict(row) for row in rows],
            "confounds": [_as_dict(line) for line in lines],
            "kinds": [_as_dict(kind) for kind in kinds],
            "is_evidence": is_evidence(rows, lines, kinds),
        }
        if not as_json:
            typer.echo("\n".join(lines_for(model, rows, lines, kinds)))
    out.mkdir(parents=True, exist_ok=True)
    (out / RESULTS).write_text(json.dumps(told, indent=1) + "\n")
    if as_json:
        typer.echo(json.dumps(told))
    return 0


def lines_for(
    model: str, rows: Sequence[LeftOut], lines: Sequence[Confound], kinds: Sequence[LeftOut] = ()
) -> list[str]:
    """Write the measures for people."""
    from monitor.lab.studies.synthetic_voice import ALLOWED, is_evidence

    said = [f"{model}, what is left out:"]
    said += [
        f"  {row.maker}: AUC {row.auc:.3f} [{row.low:.3f}-{row.high:.3f}]"
        f" ({row.windows} clips of {row.people} voices, {row.genuine} people)"
        for row in rows
    ]
    said.append(f"{model}, genuine speech on other lines ({ALLOWED:.0%} on drawn ones):")
    said += [
        f"  {line.line}: {line.suspicious:.1%} [{line.low:.1%}-{line.high:.1%}] suspicious, AUC against the plain line"
        f" {line.auc:.3f} ({line.windows} windows)"
        for line in lines
    ]
    if kinds:
        said.append(f"{model}, genuine people of a kind of recording that was left out, against other people:")
    said += [
        f"  {kind.maker}: AUC {kind.auc:.3f} [{kind.low:.3f}-{kind.high:.3f}]"
        f" ({kind.people} people, {kind.genuine} others)"
        for kind in kinds
    ]
    holds = is_evidence(rows, lines, kinds)
    said.append(f"{model}: {'holds on all of them' if holds else 'does not hold on all of them: it says nothing'}")
    return said


def _rows(data: Sequence[Path], exclude: Sequence[str], split: str | None, people: int) -> list[Row]:
    from monitor.lab.corpus.datasets import read_corpus
    from monitor.lab.corpus.manifest import apply_split
    from monitor.lab.corpus.voice_clips import chosen

    rows: list[Row] = []
    for path in data:
        found = read_corpus(path)
        rows += chosen(apply_split(found, Path(split)) if split else found, exclude, 1, path.stem)
    return sorted(rows, key=lambda row: zlib.crc32(row.name.encode()))[:people]


def _kinds(windows: Sequence[SpeechWindow], rows: Sequence[Row], fit: Fit) -> list[LeftOut]:
    """Leave out each group of enough people."""
    from monitor.lab.progress import clip_progress
    from monitor.lab.studies.synthetic_voice import kind_left_out

    heard = {window.person for window in windows if window.genuine}
    kinds: dict[str, set[str]] = {}
    for row in rows:
        if row.subject in heard:
            kinds.setdefault(row.group, set()).add(row.subject)
    kinds = {name: people for name, people in sorted(kinds.items()) if MIN_OF_A_KIND <= len(people) < len(heard)}
    found = []
    with clip_progress("leaving kinds of recordings out", len(kinds)) as done:
        for name, people in kinds.items():
            found.append(kind_left_out(windows, name, people, fit))
            done(None)
    return found


def _windows(rows: Sequence[Row], recordings: Sequence[str], most: int, cache: Path) -> list[SpeechWindow]:
    from monitor.lab.corpus.manifest import CorpusError
    from monitor.lab.corpus.synthesisers import installed
    from monitor.lab.corpus.voice_windows import genuine_windows, synthetic_windows
    from monitor.lab.progress import clip_progress

    spoken = [list(one.utterances(most)) for one in installed()] + [_recorded(one, most) for one in recordings]
    if not spoken:
        raise CorpusError("no synthesiser is here: install espeak-ng or flite, or name --recordings NAME=FOLDER")
    windows: list[SpeechWindow] = []
    with clip_progress("hearing people", len(rows)) as done:
        windows += genuine_windows(rows, cache, done)
    with clip_progress("making speech", sum(map(len, spoken))) as done:
        for of_one in spoken:
            windows += synthetic_windows(of_one, cache, done)
    if len({window.person for window in windows if window.genuine}) < 8:
        raise CorpusError("clips of at least 8 people with 3.2 s of speech in their first seconds are needed")
    return windows


def _recorded(option: str, most: int) -> list[Utterance]:
    from monitor.lab.corpus.synthesisers import recorded

    name, sign, folder = option.partition("=")
    found = list(recorded(name, Path(folder)))[:most] if sign and name else []
    if not found:
        raise typer.BadParameter(
            f"{option!r} is not NAME=FOLDER of a folder with recordings", param_hint="--recordings"
        )
    return found


def _measured(
    windows: Sequence[SpeechWindow], fit: Fit, only: Sequence[str] | None
) -> tuple[list[LeftOut], list[Confound]]:
    from monitor.lab.progress import clip_progress
    from monitor.lab.studies.synthetic_voice import confounds, left_out, makers_of

    rows, makers = [], makers_of(windows)
    unknown = [name for name in only or () if name not in makers]
    if unknown:
        raise typer.BadParameter(f"no maker {unknown[0]!r}: there is {'; '.join(makers)}", param_hint="--leave-out")
    makers = list(only or makers)
    with clip_progress("leaving makers out", len(makers)) as done:
        for maker in makers:
            rows.append(left_out(windows, maker, fit))
            done(None)
    return rows, confounds(windows, fit)


def _models(steps: int) -> dict[str, Fit]:
    return {"simple": simple} | ({"net": _net(steps)} if steps else {})


def simple(bands: Any, maker: Any) -> Callable[[Any], Any]:
    """Fit a logistic regression to how cepstral coefficients vary, every maker weighing the same."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from monitor.lab.studies.synthetic_voice import cepstral_statistics

    makers, counts = np.unique(maker, return_counts=True)
    weight = dict(zip(makers, 1 / counts, strict=True))
    weight[0] *= len(makers) - 1
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    shares = np.array([weight[number] for number in maker])
    model.fit(cepstral_statistics(bands), maker > 0, logisticregression__sample_weight=shares / shares.mean())
    return lambda found: np.asarray(model.decision_function(cepstral_statistics(found)), np.float64)


def _net(steps: int) -> Fit:
    def fit(bands: Any, maker: Any) -> Callable[[Any], Any]:
        from engines.training.voice_artefacts import VoiceExamples, VoiceRecipe, logits, train

        run = train(VoiceExamples(bands, maker), VoiceRecipe(minutes=60.0, max_steps=steps), lambda news: None)
        return lambda found: logits(run.mean, found)

    return fit


def _as_dict(row: Any) -> dict[str, Any]:
    from dataclasses import asdict

    from monitor.lab.metrics.numbers import rounded

    return {name: rounded(value) if isinstance(value, float) else value for name, value in asdict(row).items()}
