"""`train persona` as a person runs it, on a few clips of real people."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import typer

from engines.base import MODELS
from engines.packs import load_pack
from engines.training.persona_recipe import PersonaRecipe
from monitor import cli
from monitor.detectors.packs import PackLoader
from monitor.detectors.persona.entry import load_persona
from monitor.detectors.persona.reconstruction import Plan
from monitor.detectors.persona.windows import windows_of
from monitor.face.expression import HEAD_SIZE
from monitor.lab.commands.train_persona import line, settings
from monitor.lab.corpus.manifest import CorpusError, Row
from monitor.lab.corpus.motion_features import ClipMotion
from monitor.lab.training.movement_data import moving_people, moving_rows, read_motions

# Recordings of three seconds of one subject of the research clips, and one of five seconds each of three others: one of
# them is held out by its name, and teaches nothing; one stands for several people.
GRID, OTHERS = 3, ("video-retalking__2.mp4", "video-retalking__3.mp4", "video-retalking__5.mp4")
CLIPS = GRID + len(OTHERS)


@pytest.fixture(scope="module")
def manifest(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six genuine clips of four people."""
    with (data_dir / "clips.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] == "real"]
    chosen = [row for row in rows if row["subject"] == "GRID_s1"][:GRID]
    chosen += [row for row in rows if Path(row["path"]).name in OTHERS]
    path = tmp_path_factory.mktemp("persona") / "clips.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("path", "label", "method", "subject", "source"))
        out.writerows((data_dir / r["path"], "real", "real", r["subject"], r["source"]) for r in chosen)
    return path


@pytest.mark.data
def test_the_recipe_runs_on_a_few_clips_and_leaves_packs_that_engines_take(manifest: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="training needs torch: install the extra `train`")
    out, cache = tmp_path / "out", manifest.parent / "cache"
    command = ["train", "persona", str(manifest), "--smoke", "--out", str(out), "--cache", str(cache)]
    assert cli.run([*command, "--several", "VRT_demo_5", "--set", "tokens=4"]) == 0
    packs = out / "packs"
    manifest_of = load_pack(packs / "persona").manifest
    assert manifest_of.preprocessing["voice"] == load_pack(MODELS / "speech_voice").manifest.sha256
    assert manifest_of.recipe["tokens"] == 4
    assert manifest_of.recipe["steps"] == 12
    assert (manifest_of.data["clips"], json_of(out / "persona" / "log.jsonl")[0]["step"]) == (CLIPS - 1, 12)
    assert (out / "history.png").exists()
    engines = load_persona(PackLoader(packs))
    assert engines is not None
    assert engines.basis.key == manifest_of.preprocessing["basis"]
    assert engines.tokens.start.shape == (4, PersonaRecipe().token_size)
    assert engines.fit is not None
    motion = np.zeros((100, engines.basis.width), np.float32)
    windows = windows_of(motion, np.ones(100, bool), np.zeros((100, 128), np.float32), np.ones(100, bool), 25)
    assert engines.distances(windows, engines.tokens.start).gap.shape == (2,)
    assert len(Plan.from_preprocessing(manifest_of.preprocessing)) == 2


def json_of(path: Path) -> list[dict[str, float]]:
    return [json.loads(text) for text in path.read_text().splitlines()]


@pytest.mark.data
def test_the_shipped_split_and_few_clips_of_many_people(data_dir: Path) -> None:
    rows = moving_rows(data_dir / "clips.csv", Path("persona"), "a")
    assert {row.label for row in rows} == {"real"}
    assert {"a", "b"} <= {row.fold for row in rows}
    few = moving_rows(data_dir / "clips.csv", Path("persona"), "a", 20)
    assert len(few) == 20
    assert max(sum(row.subject == name for row in few) for name in {row.subject for row in few}) == 2


def moved(seconds: float, seed: int = 0, faces: int = 1) -> ClipMotion:
    random, steps = np.random.default_rng(seed), round(25 * seconds)
    shape, head = random.standard_normal((steps, 9)).astype(np.float16), random.standard_normal((steps, HEAD_SIZE))
    every = np.ones(steps, np.bool_)
    voice = np.zeros((steps, 128), np.float32)
    return ClipMotion(shape, head.astype(np.float32), every, voice, every, 100.0, 1.0, faces, "made-up")


def row(name: str, subject: str, fold: str = "") -> Row:
    return Row(Path(name), name, "real", "real", subject, fold=fold)


def test_people_who_cannot_be_told_apart_teach_no_tokens(tmp_path: Path) -> None:
    found = [(row("1", "ann"), moved(4)), (row("2", "crowd"), moved(4, 1)), (row("3", "eve", "held"), moved(4, 2))]
    people = moving_people(found, "held", 4, {"crowd"}, tmp_path / "basis.npz")
    assert [clip.person for clip in people.training] == ["ann", ""]
    assert [clip.person for clip in people.held_out] == ["eve"]
    assert [clip.person for clip in people.companion] == ["ann"]
    assert people.companion_held_out[0].motion.shape == (100, 4 + 2 * HEAD_SIZE)
    assert np.abs(np.median(people.training[0].motion, axis=0)).max() < 1e-5
    again = moving_people(found[::-1], "held", 7, (), tmp_path / "basis.npz")
    assert again.basis.key == people.basis.key
    with pytest.raises(CorpusError, match="every clip is in the fold 'held'"):
        moving_people(found[2:], "held", 4, (), tmp_path / "basis.npz")


def test_clips_that_leave_open_who_speaks_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row("one.mp4", "ann"), row("two.mp4", "ann"), row("short.mp4", "ann"), row("gone.mp4", "ann")]
    results = [moved(2), moved(2, faces=2), moved(0.4), "gone.mp4: No such file"]
    monkeypatch.setattr(
        "monitor.lab.training.movement_data.load_motions", lambda *_, **__: iter(zip(rows, results, strict=True))
    )
    notes: list[str | None] = []
    assert [each.name for each, _ in read_motions(rows, tmp_path, MODELS, notes.append)] == ["one.mp4"]
    assert notes == [
        None,
        "two.mp4: several faces leave open who speaks",
        "short.mp4: too little of one speaking face",
        "gone.mp4: No such file",
    ]
    rows, results = rows[1:], results[1:]
    with pytest.raises(CorpusError, match="no clip shows one speaking face"):
        read_motions(rows, tmp_path, MODELS, notes.append)


def test_anything_of_the_recipe_can_be_set() -> None:
    given = ["depth=6", "drop=0.3", "target=x0", "pooled=false", "timesteps=[0.5]"]
    assert settings(PersonaRecipe(), given) == {
        "depth": 6,
        "drop": 0.3,
        "target": "x0",
        "pooled": False,
        "timesteps": (0.5,),
    }
    for wrong, words in (("size=3", "no 'size' in the recipe: there is width"), ("depth=deep", "depth is not 'deep'")):
        with pytest.raises(typer.BadParameter, match=words):
            settings(PersonaRecipe(), [wrong])


def test_measurements_are_told_in_a_line() -> None:
    assert line({"step": 3, "known": {"error": 0.5}, "list": []}) == "step 3; known: error 0.5"
