"""`sidewitness train voices`: what genuine speech sounds like, outside of which nothing is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engines.seal import write_beside
from monitor.lab.commands.packs import tell_to_trust


def command(
    data: Annotated[
        Path, typer.Argument(help="A manifest.csv, or a folder of genuine clips, of people the encoders never saw.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write familiar.npz; it belongs beside speech_voice/model.onnx.")],
    packs: Annotated[Path | None, typer.Option(help="Folder with speech_voice.")] = None,
) -> int:
    """Describe windows of genuine speech by the voice encoder, and write the table that tells unusual sound.

    Example: sidewitness train voices clips.csv --out familiar.npz
    """
    import numpy as np
    from rich.console import Console
    from rich.progress import track

    from engines.base import MODELS
    from engines.load import load_engine
    from monitor.detectors.packs import home
    from monitor.detectors.synchrony.entry import VOICE
    from monitor.lab.corpus.manifest import read_folder, read_manifest
    from monitor.lab.corpus.separate_tracks import read_media
    from monitor.lab.training.familiar_speech import describe_clip, fit_familiar
    from monitor.session.models import load_presence
    from monitor.tap.media.source import SourceError
    from monitor.types import AudioBlock

    found = read_folder(data) if data.is_dir() else read_manifest(data)
    voice, presence = load_engine(VOICE, models=home(VOICE, packs or MODELS)), load_presence()
    rows, people = [], list[str]()
    genuine = [row for row in found if row.label == "real"]
    for row in track(genuine, "describing clips", console=Console(stderr=True)):
        try:
            blocks = (item for item in read_media(row.path, row.sound) if isinstance(item, AudioBlock))
            described = list(describe_clip(blocks, voice, presence))
        except SourceError as error:
            typer.echo(f"note: {error}", err=True)
            continue
        rows += described
        people += [row.subject] * len(described)
    table = fit_familiar(np.array(rows, np.float32), people, voice.manifest.sha256)
    if write_beside(out, table.to_bytes()):
        tell_to_trust(out.parent)
    typer.echo(f"{len(rows)} windows of {len(set(people))} people; further than {table.limit:.0f} is unusual")
    return 0
