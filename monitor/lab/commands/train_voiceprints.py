"""`sidewitness train voiceprints`: what is known of voices in general, and how well they are told apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from monitor.detectors.voiceprint.encoder import VoiceEncoder


def command(
    data: Annotated[
        list[Path], typer.Argument(help="Manifests of genuine clips (path,label,method,subject), or folders.")
    ],
    out: Annotated[Path | None, typer.Option(help="Where people.npz goes, of which p-values are read.")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="A subject that is not one person; once for each.")
    ] = None,
    clips: Annotated[int, typer.Option(help="Clips of one person at most.", min=1)] = 3,
    cache: Annotated[Path, typer.Option(help="Where what is found of clips is kept.")] = Path(".cache"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the measures as JSON.")] = False,
) -> int:
    """Enrol everybody by voice, hear everybody through Opus at 16 kbit/s against them, and write down what is usual.

    Windows of 4.8 s of speech; the cohort that scores are normalised by is drawn from the spread of the people's voices
    and is nobody's. Read it to see whether voices of your own people are told apart before relying on `voiceprint`.

    Example: sidewitness train voiceprints clips.csv --out people.npz
    """
    import json

    from rich.console import Console

    from engines.base import EngineError
    from monitor.detectors.voiceprint.entry import load_encoder
    from monitor.lab.corpus.datasets import read_corpus
    from monitor.lab.corpus.manifest import CorpusError
    from monitor.lab.corpus.voice_clips import chosen, voice_clips
    from monitor.lab.metrics.verification import rounded_summary
    from monitor.lab.progress import clip_progress
    from monitor.lab.studies.voices import known_voices, summary

    encode = load_encoder()
    if encode is None:
        raise EngineError("the voice encoder is not installed: run make voiceprint")
    rows = [row for path in data for row in chosen(read_corpus(path), exclude or (), clips, path.stem)]
    with clip_progress("hearing clips", len(rows)) as done:
        found = list(voice_clips(rows, encode, cache, done))
    try:
        people, trials = known_voices(found, encode.key)
    except ValueError:
        raise CorpusError("voices of at least 5 people with 14 s of speech each are needed: name more clips") from None
    told = {name: rounded_summary(part) for name, part in summary(trials).items()}
    share = core_share(encode)
    if out is not None:
        out.write_bytes(people.to_bytes())
        Console(stderr=True).print(f"{out}: {people.people} people")
    about = {"people": people.people, "core_share": round(share, 4), **told}
    said = [*lines(told), f"A second of speech costs {share:.3f} of a core."]
    typer.echo(json.dumps(about) if as_json else "\n".join(said))
    return 0


def core_share(encode: VoiceEncoder, pieces: int = 20) -> float:
    """Measure the share of one core that comparing takes while somebody speaks without a pause."""
    import time

    import numpy as np

    from monitor.detectors.voiceprint.pieces import HOP_STEPS
    from monitor.voice.mel40 import PIECE_SAMPLES
    from monitor.window.grid import GRID_HZ

    sound = np.random.default_rng(0).normal(0, 0.1, PIECE_SAMPLES).astype(np.float32)
    encode([sound])
    # All threads of the process: what an engine does beside counts.
    began = time.process_time()
    for _ in range(pieces):
        encode([sound])
    return (time.process_time() - began) / pieces * GRID_HZ / HOP_STEPS


def lines(told: dict[str, dict[str, Any]]) -> list[str]:
    """Write the measures for people."""
    said = []
    for name, part in told.items():
        head = f"{name}: {part['people']} people, {part['same']} windows, {part['different']} of others"
        if "eer" not in part:
            said.append(head)
            continue
        said.append(f"{head}; EER {part['eer']:.1%} [{part['eer_low']:.1%}-{part['eer_high']:.1%}]")
        for point in ("0.01", "0.001"):
            rate = part[f"fnmr_at_fmr_{point}"]
            said.append(f"  FNMR at FMR {float(point):.1%}: {rate['fnmr']:.1%} [{rate['low']:.1%}-{rate['high']:.1%}]")
    return said
