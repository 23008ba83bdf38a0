"""`sidewitness train persona`: how people move when they speak, learnt from your own recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.base import MODELS
from engines.extras import require
from monitor.lab.commands.packs import tell_to_trust

if TYPE_CHECKING:
    from rich.console import Console

    from engines.training.motion import MotionRecipe
    from engines.training.persona_recipe import PersonaRecipe
    from monitor.lab.corpus.manifest import Row
    from monitor.lab.training.movement_data import MovingPeople

SMOKE_CLIPS = 20
# Everything runs and nothing is learnt.
SMOKE = {"width": 32, "depth": 1, "heads": 2, "batch": 8, "max_steps": 12, "fit_steps": 4, "timesteps": (0.3, 0.7)}


def command(
    data: Annotated[
        Path,
        typer.Argument(
            help="A manifest.csv, or a folder of genuine clips, a folder a person; coefficients beside them."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where checkpoints, logs, the basis and the packs go.")] = Path(
        "runs/persona"
    ),
    split: Annotated[
        Path | None, typer.Option(help="CSV with path,subject,group,fold; `persona` names the shipped one.")
    ] = None,
    hold_out: Annotated[str, typer.Option(help="The fold whose people training does not see.")] = "a",
    minutes: Annotated[float, typer.Option(help="Time to train the diffusion model.", min=0.01)] = 12.0,
    companion_minutes: Annotated[
        float, typer.Option(help="Time to train its light companion; 0 leaves it out.", min=0.0)
    ] = 5.0,
    components: Annotated[int, typer.Option(help="Numbers that an expression is told in.", min=2, max=128)] = 24,
    several: Annotated[
        list[str] | None,
        typer.Option("--several", help="A subject that stands for several people: their clips teach no tokens."),
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Anything else of the recipe, such as depth=6 or drop=0.3.")
    ] = None,
    packs: Annotated[Path, typer.Option(help="Folder with the voice encoder.")] = MODELS,
    cache: Annotated[Path, typer.Option(help="Where what is found of clips is kept.")] = Path(".cache/motion"),
    smoke: Annotated[bool, typer.Option("--smoke", help="A few steps on twenty clips, to see that all runs.")] = False,
) -> int:
    """Train the models of how people move when they speak and write them as model packs.

    First the basis that expressions are told in, then the diffusion model with the tokens of each person, then its
    companion. Goes on from the checkpoints under OUT when there are any.

    Example: sidewitness train persona clips.csv --split persona --hold-out a --minutes 12
    """
    require("train persona", "train", "torch", "onnx", "onnxscript", "matplotlib")
    from dataclasses import replace

    from engines.training.motion import MotionRecipe
    from engines.training.persona_recipe import PersonaRecipe
    from monitor.lab.training.movement_data import SHARED_SUBJECTS, SPLITS, moving_rows

    recipe = replace(PersonaRecipe(minutes=minutes), **settings(PersonaRecipe(), setting or []))
    companion = MotionRecipe(minutes=companion_minutes)
    if smoke:
        recipe = replace(recipe, **SMOKE)  # type: ignore[arg-type]
        companion = replace(companion, max_steps=4)
    rows = moving_rows(data, split, hold_out, SMOKE_CLIPS if smoke else 0)
    alike = frozenset(several or ()) | (SHARED_SUBJECTS if str(split) in SPLITS else frozenset())
    out.mkdir(parents=True, exist_ok=True)
    people = _people(rows, out, hold_out, components, alike, packs, cache)
    _train(people, rows, out, recipe, companion, packs)
    return 0


def settings(recipe: PersonaRecipe, given: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE as fields of the recipe; raises `typer.BadParameter`."""
    import json
    from dataclasses import fields

    defaults = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    found: dict[str, Any] = {}
    for assignment in given:
        name, _, text = assignment.partition("=")
        if name not in defaults:
            raise typer.BadParameter(f"no {name!r} in the recipe: there is {', '.join(defaults)}", param_hint="--set")
        default = defaults[name]
        try:
            value = text if isinstance(default, str) else json.loads(text)
            found[name] = tuple(map(float, value)) if isinstance(default, tuple) else type(default)(value)
        except (TypeError, ValueError):
            raise typer.BadParameter(
                f"{name} is not {text!r}: it is {default!r} by default", param_hint="--set"
            ) from None
    return found


def _people(
    rows: Sequence[Row], out: Path, hold_out: str, components: int, several: frozenset[str], packs: Path, cache: Path
) -> MovingPeople:
    from monitor.lab.progress import clip_progress
    from monitor.lab.training.movement_data import moving_people, read_motions

    with clip_progress("reading clips", len(rows)) as tick:
        found = read_motions(rows, cache, packs, tick)
    return moving_people(found, hold_out, components, several, out / "basis.npz")


def _train(
    people: MovingPeople, rows: Sequence[Row], out: Path, recipe: PersonaRecipe, companion: MotionRecipe, packs: Path
) -> None:
    from dataclasses import asdict

    from rich.console import Console

    from engines.packs import load_pack
    from engines.training.persona import train
    from engines.training.persona_pack import draw_history, write_persona_packs
    from monitor.detectors.packs import home
    from monitor.detectors.persona.entry import BASIS
    from monitor.detectors.synchrony.entry import VOICE
    from monitor.window.grid import GRID_HZ

    console = Console(stderr=True)
    count, names = len(people.training), {clip.person for clip in people.training} - {""}
    console.print(f"{count} clips of {len(names)} known people to train on, {len(people.held_out)} held out")
    with _reported(console, "training") as report:
        run = train(people.training, people.held_out, recipe, out / "persona", report)
    draw_history(run.history, out / "history.png")
    data = {
        "clips": count,
        "people": len(names),
        "clips of unknown people": sum(not clip.person for clip in people.training),
        "minutes": round(sum(map(len, people.training)) / GRID_HZ / 60, 1),
        "sources": ", ".join(sorted({row.source for row in rows if row.source})) or "not named",
    }
    voice = load_pack(home(VOICE, packs) / VOICE).manifest
    about = {
        "recipe": asdict(recipe) | {"steps": run.step},
        "data": data,
        "metrics": run.history[-1],
        "preprocessing": {"voice": voice.sha256, "basis": people.basis.key, "expressions": people.basis.name},
    }
    files = {BASIS: people.basis.to_bytes()}
    made = write_persona_packs(run.shipped(recipe), out / "packs", recipe, about, files)
    if companion.minutes > 0:
        made.append(_companion(people, out, companion, data, console))
    console.print(f"packs: {', '.join(map(str, made))}")
    tell_to_trust(*made)
    console.print("next: `sidewitness train people`, which says what genuine people score by them")


def _companion(
    people: MovingPeople, out: Path, recipe: MotionRecipe, data: Mapping[str, Any], console: Console
) -> Path:
    from engines.load import load_engine
    from engines.seal import write_beside
    from engines.training.motion import train
    from engines.training.motion_pack import write_motion_pack
    from monitor.detectors.persona.companion import FILE
    from monitor.lab.training.movement_data import motion_population

    folder = out / "motion"
    folder.mkdir(exist_ok=True)
    with _reported(console, "training the companion") as report:
        run = train(people.companion, people.companion_held_out, recipe, folder, report)
    preprocessing = {"basis": people.basis.key, "expressions": people.basis.name}
    companion_data = {"clips": len(people.companion), "people": len({clip.person for clip in people.companion})}
    pack = write_motion_pack(run, out / "packs", recipe, {**data, **companion_data}, preprocessing)
    # Not of those held out: they are measured against it.
    population = motion_population(people.companion, load_engine(pack.name, "onnx", pack.parent))
    write_beside(pack / FILE, population.to_bytes())
    return pack


@contextmanager
def _reported(console: Console, what: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Show how far a training is, and a line for each measurement."""
    from rich.progress import Progress

    with Progress(console=console) as progress:
        task = progress.add_task(what, total=1.0)

        def report(news: dict[str, Any]) -> None:
            if "measured" in news:
                progress.console.print(line(news["measured"]), markup=False, highlight=False, soft_wrap=True)
            else:
                loss = "" if news["loss"] is None else f", loss {news['loss']:.3f}"
                progress.update(task, completed=news["done"], description=f"{what}, step {news['step']}{loss}")

        yield report
        progress.update(task, completed=1.0)


def line(row: Mapping[str, Any]) -> str:
    """Tell a row of measurements in one line."""
    parts = [f"{key} {value}" for key, value in row.items() if not isinstance(value, Mapping | list)]
    for key, inner in row.items():
        if isinstance(inner, Mapping):
            parts.append(f"{key}: " + ", ".join(f"{name} {value}" for name, value in inner.items()))
    return "; ".join(parts)
