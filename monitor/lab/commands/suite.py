"""`sidewitness evaluate --suite`: everything that docs/results.md states, with one command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engines.extras import require

if TYPE_CHECKING:
    from monitor.lab.suite.parts import Part


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What the command line asks for; `folds` and `packs` go together."""

    data: Path
    out: Path
    cache: Path
    workers: int | None
    parts: Sequence[str]
    folds: Sequence[str]
    packs: Sequence[Path]
    limit: int | None
    write: Path | None
    as_json: bool


def run(options: SuiteOptions) -> int:
    """Measure the parts, print their tables, and write the document; 1 where a part that was asked for by name failed.

    Without names, only what can be measured here is asked for: 1 means that nothing could be.
    """
    require("evaluate --suite", "evaluate", "matplotlib")
    from monitor.lab.corpus.manifest import workers_here
    from monitor.lab.evaluate.worker_pool import WorkerOptions
    from monitor.lab.suite.document import renew
    from monitor.lab.suite.measures import MEASURES
    from monitor.lab.suite.runner import run_parts
    from monitor.lab.suite.setting import Setting

    chosen = _chosen(options.parts)
    if len(options.folds) != len(options.packs):
        raise typer.BadParameter("give one --packs for each --fold", param_hint="--packs")
    if not options.data.is_dir():
        raise typer.BadParameter(f"{options.data} is no folder of clips.csv, second.csv, photos.csv", param_hint="DATA")
    out = options.out / "suite"
    effort = WorkerOptions(options.cache, out / "partial.jsonl", options.workers or workers_here())
    across = tuple(zip(options.folds, options.packs, strict=True))
    setting = Setting(options.data, out, effort, across, options.limit)
    ran = run_parts(chosen, MEASURES, setting, lambda line: typer.echo(line, err=True))
    if options.as_json:
        typer.echo(json.dumps({"results": [asdict(result) for result in ran.results], "failed": ran.failures}))
    else:
        for result in ran.results:
            typer.echo(f"\n{result.part}\n\n{(out / f'{result.part}.md').read_text()}", nl=False)
    if options.write is not None and ran.results:
        for line in renew(options.write, ran.results):
            typer.echo(f"note: {line}", err=True)
    return int(bool(ran.failures) if options.parts else not ran.results)


def _chosen(names: Sequence[str]) -> list[Part]:
    from monitor.lab.suite.parts import NAMES, PARTS

    if unknown := [name for name in names if name not in NAMES]:
        raise typer.BadParameter(f"no part {unknown[0]!r}: there is {', '.join(NAMES)}", param_hint="--part")
    return [part for part in PARTS if not names or part.name in names]
