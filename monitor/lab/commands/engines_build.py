"""`sidewitness engines build` compiles packs for the GPU of this machine; `engines float16` writes smaller packs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.extras import require
from engines.option import engine_option
from engines.registry import EngineName, find_engine
from monitor.lab.commands.packs import AsJson, Models, names_in, plain, show

if TYPE_CHECKING:
    from engines.base import Compiler


def build(
    models: Models = None,
    engine: Annotated[EngineName, engine_option("The engine that is compiled for.")] = "tensorrt",
    again: Annotated[bool, typer.Option("--again", help="Compile also what was compiled before.")] = False,
    as_json: AsJson = False,
) -> int:
    """Compile the model packs ahead of time: for TensorRT, on the NVIDIA GPU of this machine.

    `serve` does the same in the background, with OpenVINO in its place meanwhile; what was compiled here before is
    found again. Takes minutes. A compiled engine fits this GPU, driver and version of TensorRT only.

    \b
    Example:
      sidewitness engines build
    """  # noqa: D301
    from rich.console import Console

    from engines.base import MODELS
    from engines.load import open_compiler

    folder, console, rows = models or MODELS, Console(stderr=True), []
    names, compiler = names_in(folder), open_compiler(find_engine(engine))
    for count, name in enumerate(names, 1):
        with console.status(f"compiling {name} ({count} of {len(names)})"):
            rows.append(_build(compiler, engine, folder / name, again))
    if as_json:
        typer.echo(json.dumps({**compiler.about(), "packs": plain(rows)}))
    else:
        show(compiler.title, ("name", "ok", "seconds", "MB", "detail"), rows)
    return 0 if all(row["ok"] for row in rows) else 1


def float16(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the packs go; none of them may be there.")],
    models: Models = None,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="PACK", help="Only this pack.")] = None,
) -> None:
    """Write the model packs with float16 inside, for GPUs; inputs and outputs stay float32.

    They are other models: hold them against the parity gate (engines verify --models FOLDER --clips DATA) before the
    setting `packs` names them, and enrol people again, whose references belong to a model.

    \b
    Example:
      sidewitness engines float16 packs-float16 --only speech_lips --only speech_voice
    """  # noqa: D301
    require("engines float16", "tensorrt", "onnx")
    from engines.base import MODELS
    from engines.convert.precision import float16_graph, write_variant
    from engines.packs import load_pack

    folder = models or MODELS
    names = names_in(folder)
    for name in only or names:
        if name not in names:
            raise typer.BadParameter(f"{name} is none of {', '.join(names)}", param_hint="--only")
        pack = load_pack(folder / name)
        typer.echo(str(write_variant(pack, float16_graph(pack), "float16", out)))


def _build(compiler: Compiler, engine: EngineName, folder: Path, again: bool) -> dict[str, Any]:
    from engines.base import EngineError
    from engines.packs import load_pack

    row = {"name": folder.name, "ok": False, "seconds": None, "MB": None, "detail": ""}
    began = time.monotonic()
    try:
        pack = load_pack(folder)
        required = pack.manifest.preprocessing.get("engine", engine)
        if required != engine:
            return {**row, "ok": True, "detail": f"runs in {required} whatever is asked for"}
        found = None if again else compiler.stored(pack)
        plan = found if found is not None else compiler.build(pack, again)
    except EngineError as error:
        return {**row, "detail": str(error)}
    done = "compiled before" if found is not None else "compiled"
    return {**row, "ok": True, "seconds": round(time.monotonic() - began, 1), "MB": len(plan) / 1e6, "detail": done}
