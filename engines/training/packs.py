"""What a finished run leaves behind: two model packs with manifests and cards, and its history as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engines.convert.card_lines import bullets
from engines.nets.speech import LipsEnsemble, VoiceEnsemble
from engines.training.clips import Clip
from engines.training.export import PackDescription, export_lips, export_voice
from engines.training.plots import history_plot
from engines.training.speech_recipe import SpeechRun
from engines.training.validate import LipTower, VoiceTower, separation

VERSION = "3"
LICENCE = "Apache-2.0"
SOURCE = "trained by `sidewitness train speech`; research data: retrain for production"

CARD = """# {name}

{what} Trained by `sidewitness train speech` after SpeechForensics (Liang et al., NeurIPS 2024, section 3.1);
the weights are our own.

**Research data; retrain for production.** The clips came from public repositories with differing rights; none of them
is in this pack.

## Data
{data}

## Recipe
{recipe}

## Measured on speakers that training did not see
{metrics}

The command is `sidewitness train speech DATA` (it prints and logs these rows); intervals are 95 %, bootstrap over
speakers. Mismatched windows carry another speaker's voice (`other`) or the speaker's own voice shifted by one second
(`shift`).

## What it cannot do
Low agreement of lips and voice is evidence of a forgery. High agreement is **not** evidence of a genuine person: good
lip-sync forgeries agree as well as real speech. Silence, music, covered or turned mouths, faces under about 50 px and
fewer than 8 frames a second leave nothing to judge. Languages, microphones and codecs beyond those of the data were not
measured.
"""


def write_packs(
    runs: Sequence[SpeechRun],
    held_out: Sequence[Clip],
    folder: Path,
    recipes: Sequence[Mapping[str, Any]],
    data: Mapping[str, Any],
) -> list[Path]:
    """Write speech_lips and speech_voice under `folder`; several runs become one ensemble, measured on `held_out`.

    `recipes` are those of the runs; what differs between them is listed by run.

    Raises `TrainingError` when a pack does not match torch.
    """
    lips, voice = _towers(runs)
    recipe = {key: _one(key, recipes) for key in recipes[0]}
    windows = recipes[0].get("windows", ())
    rows = [row.as_dict() for row in separation(held_out, lips, voice, windows, recipes[0].get("seed", 0))]
    metrics = {
        "steps": sum(run.step for run in runs),
        "minutes": round(sum(run.spent for run in runs) / 60, 1),
        "members": len(runs),
        "held_out": rows,
    }
    folders = []
    for name, what in (
        ("speech_lips", "Lip landmarks and mouth pictures to 25 vectors a second in the space of speech."),
        ("speech_voice", "Log-mel frames of a voice to 25 vectors a second in the space of speech."),
    ):
        card = CARD.format(name=name, what=what, data=bullets(data), recipe=bullets(recipe), metrics=_metrics(rows))
        description = PackDescription(VERSION, LICENCE, SOURCE, recipe, data, metrics, card)
        target = folder / name
        if name == "speech_lips":
            export_lips(lips, target, description)
        else:
            export_voice(voice, target, description)
        folders.append(target)
    return folders


def _one(key: str, recipes: Sequence[Mapping[str, Any]]) -> Any:
    values = [recipe[key] for recipe in recipes]
    return values[0] if all(value == values[0] for value in values) else values


def _towers(runs: Sequence[SpeechRun]) -> tuple[LipTower, VoiceTower]:
    if len(runs) == 1:
        return runs[0].mean_lips.cpu(), runs[0].mean_voice.cpu()
    return LipsEnsemble([run.mean_lips.cpu() for run in runs]), VoiceEnsemble([run.mean_voice.cpu() for run in runs])


def draw_history(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Area under the curve against training time, as a picture; nothing where nothing was measured."""
    rows = [(entry["minutes"], row) for entry in history for row in entry["held_out"]]
    if not rows:
        return
    with history_plot(path) as (panel,):
        for seconds in sorted({row["seconds"] for _, row in rows}):
            for key, style in (("auc_other", "-o"), ("auc_shift", "--s")):
                points = [(at, row[key]) for at, row in rows if row["seconds"] == seconds and row[key] is not None]
                label = f"{seconds:g} s, {key.removeprefix('auc_')}"
                panel.plot([at for at, _ in points], [area for _, area in points], style, label=label, markersize=4)
        panel.set(ylabel="AUC on held-out speakers", ylim=(0.5, 1.0))
        panel.legend()


def _metrics(rows: Sequence[Mapping[str, float | None]]) -> str:
    if not rows:
        return "Not measured: no speakers were held out."
    names = ("window", "windows", "speakers", "AUC other [95 %]", "AUC shift", "EER other", "TPR at 1 %")
    head = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return "\n".join([*head, *(f"| {' | '.join(_cells(row))} |" for row in rows)])


def _cells(row: Mapping[str, float | None]) -> tuple[str, ...]:
    interval = f"[{decimals(row['auc_other_low'])}-{decimals(row['auc_other_high'])}]"
    return (
        f"{row['seconds']:g} s",
        f"{row['windows']:.0f}",
        f"{row['subjects']:.0f}",
        f"{decimals(row['auc_other'])} {interval}",
        decimals(row["auc_shift"]),
        decimals(row["eer_other"]),
        decimals(row["tpr_at_1_percent"]),
    )


def decimals(value: float | None) -> str:
    """Three decimals, or a dash for what could not be measured."""
    return "-" if value is None else f"{value:.3f}"
