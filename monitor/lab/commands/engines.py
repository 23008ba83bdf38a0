"""`sidewitness engines`: which engines and packs there are, whether the engines agree on these, and compiling them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from engines.extras import require
from monitor.lab.commands import engines_build, engines_pool, engines_trust, engines_verify
from monitor.lab.commands.packs import AsJson, Models, names_in, plain, show

app = typer.Typer(
    help="List, verify, compile, import and trust model packs, and list what runs them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
app.command("verify")(engines_verify.command)
app.command("build")(engines_build.build)
app.command("float16")(engines_build.float16)
app.command("pool")(engines_pool.command)
app.command("trust")(engines_trust.trust)
app.command("sign")(engines_trust.sign)


@app.command("list")
def list_packs(models: Models = None, as_json: AsJson = False) -> None:
    """List the engines and the model packs, every file of them checked, and who vouches for each.

    \b
    Example:
      sidewitness engines list --json
    """  # noqa: D301
    from engines.base import MODELS
    from engines.packs import load_pack, read_manifest, vouched

    folder = models or MODELS
    rows = []
    for name in names_in(folder):
        manifest = load_pack(folder / name).manifest
        rows.append(
            {
                "name": manifest.name,
                "version": manifest.version,
                "vouched": vouched(folder / name, manifest.name, read_manifest(folder / name)),
                "licence": manifest.licence,
                "sha256": manifest.sha256,
                "inputs": {spec.name: list(spec.shape) for spec in manifest.inputs},
                "outputs": {spec.name: list(spec.shape) for spec in manifest.outputs},
                "source": manifest.source,
            }
        )
    if as_json:
        typer.echo(json.dumps({"engines": plain(_engines()), "packs": plain(rows)}))
    else:
        show("Engines", ("name", "device", "batched", "built in", "detail"), _engines())
        typer.echo()
        show("Model packs", ("name", "version", "vouched", "licence", "inputs", "outputs", "source"), rows)


def _engines() -> list[dict[str, Any]]:
    """Make a row for each engine; no runtime is imported."""
    from engines.base import EngineError
    from engines.registry import BUILT_IN, engine_names, find_engine

    rows = []
    for name in engine_names():
        row: dict[str, Any] = {"name": name, "device": None, "batched": None, "built in": False, "detail": ""}
        try:
            spec = find_engine(name)
        except EngineError as error:
            rows.append({**row, "detail": str(error)})
        else:
            rows.append({**row, "device": spec.device, "batched": spec.batched, "built in": spec in BUILT_IN})
    return rows


@app.command("import")
def import_packs(
    system: Annotated[
        Literal["avhubert", "braven", "lr-asd", "dlib-face", "silero-vad", "resemblyzer"],
        typer.Argument(help="What the checkpoint is of."),
    ],
    checkpoints: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[CHECKPOINT]...",
            help="Published files; BRAVEn has two, lips and voice; silero-vad and resemblyzer take their wheels; "
            "dlib-face finds its own where the extra `identity` is installed.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the packs go; for encoders of speech needed."),
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the licence and your use is allowed by it.")
    ] = False,
) -> int:
    """Convert published models to packs: lips and speech, faces and voices of enrolled identities, who speaks at all.

    Shows the licence first and stops there until it is accepted. Reads tensors only: a file that would run a program is
    refused. What is made here is trusted on this machine from then on, as `engines trust` would.

    \b
    Examples:
      sidewitness engines import lr-asd finetuning_TalkSet.model --out packs/lr-asd --accept-licence
      sidewitness engines import dlib-face --accept-licence
      sidewitness engines import silero-vad silero_vad-6.2.3-py3-none-any.whl --accept-licence
      sidewitness engines import resemblyzer Resemblyzer-0.1.4-py3-none-any.whl --accept-licence
    """  # noqa: D301
    from engines.base import MODELS
    from engines.convert.licences import LICENCES

    if system not in _INSTALLED and not (checkpoints and out):
        raise typer.BadParameter("name its files and --out FOLDER", param_hint=system)
    licence = LICENCES[system]
    typer.echo(f"{licence.system} ({licence.origin})\n\n{licence.words}\n", err=True)
    if not accept_licence:
        typer.echo("error: nothing was converted: if your use is allowed, add --accept-licence", err=True)
        return 2
    if system in _INSTALLED:
        return _INSTALLED[system](checkpoints or [], out or MODELS)
    return _import_speech(system, checkpoints or [], out or MODELS)


def _import_face(files: list[Path], out: Path) -> int:
    require("engines import dlib-face", "identity", "onnx", *(() if files else ("face_recognition_models",)))
    from engines.convert.dlib_face import convert

    return _made(convert(_one(files), out))


def _import_presence(files: list[Path], out: Path) -> int:
    require("engines import silero-vad", "speech", "onnx")
    from engines.convert.silero_vad import convert

    return _made(convert(_one(files), out))


def _import_voice(files: list[Path], out: Path) -> int:
    require("engines import resemblyzer", "speech", "onnx")
    from engines.convert.resemblyzer import convert

    return _made(convert(_one(files), out))


def _made(*folders: Path) -> int:
    """Trust packs that were converted because the user asked for it, and name them."""
    from engines.packs import read_manifest
    from engines.trust import trust

    for folder in folders:
        store = trust(folder.name, read_manifest(folder))
        typer.echo(str(folder))
    typer.echo(f"trusted on this machine, by {store}", err=True)
    return 0


def _one(files: list[Path]) -> Path | None:
    if len(files) > 1:
        raise typer.BadParameter(f"the network is in one file: name one, not {len(files)}", param_hint="CHECKPOINT")
    return files[0] if files else None


# What goes into the installation itself, and finds its own file where its package is installed.
_INSTALLED: dict[str, Callable[[list[Path], Path], int]] = {
    "dlib-face": _import_face,
    "silero-vad": _import_presence,
    "resemblyzer": _import_voice,
}


def _import_speech(system: str, checkpoints: list[Path], out: Path) -> int:
    require(f"engines import {system}", "train", "torch", "onnx", "onnxscript")
    from rich.console import Console

    from engines.convert.encoders import convert

    console = Console(stderr=True)
    with console.status("converting"):
        folders = convert(system, checkpoints, out, lambda name: console.print(f"{name}: converted and checked"))
    _made(*folders)
    if system != "avhubert":
        typer.echo(f"Lips and voice are not in one space yet: sidewitness train heads DATA --packs {out}", err=True)
    return 0
