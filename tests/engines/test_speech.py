"""The recipe runs, learns, resumes and leaves packs behind that both engines take."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

import numpy as np
import torch

from engines.base import load_pack
from engines.load import EngineName, load_engine
from engines.training.clips import TrainingError
from engines.training.packs import draw_history, write_packs
from engines.training.speech import Recipe, Run, centre, source_offsets, train
from engines.training.validate import encode
from tests.engines.towers import clip, untrained

TINY = Recipe(minutes=60.0, batch=4, length=20, max_steps=3, windows=(2.0,), align_at=0.3)
CLIPS = [clip(f"p{n}", n, steps=60) for n in range(6)]
HELD_OUT = [clip(f"q{n}", 90 + n, steps=60) for n in range(2)]


def run(folder: Path, recipe: Recipe = TINY, **more: Any) -> tuple[Run, list[dict[str, Any]]]:
    news: list[dict[str, Any]] = []
    return train(CLIPS, HELD_OUT, recipe, folder, news.append, **more), news


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("run")
    return folder, *run(folder)


def test_a_run_reports_its_steps_and_writes_what_it_measured(done: tuple[Path, Run, list[dict[str, Any]]]) -> None:
    folder, made, news = done
    assert [item["step"] for item in news] == [1, 2, 3, 3]
    assert all(np.isfinite(item["loss"]) for item in news[:3])
    assert made.aligned
    (entry,) = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert entry == made.history[0] == news[-1]["measured"]
    assert entry["step"] == 3
    assert entry["loss"] == pytest.approx(news[2]["loss"], abs=1e-4)
    assert entry["held_out"][0]["subjects"] == 2
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.pt", "log.jsonl"]


def test_a_run_resumes_where_it_stopped(done: tuple[Path, Run, list[dict[str, Any]]], tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((done[0] / "checkpoint.pt").read_bytes())
    resumed, news = run(tmp_path, replace(TINY, max_steps=5))
    assert [item["step"] for item in news] == [4, 5, 5]
    assert len(resumed.history) == 2
    assert resumed.spent > done[1].spent
    over, news = run(tmp_path, replace(TINY, max_steps=5))
    assert [item["step"] for item in news] == [5]
    for one, other in zip(over.lips.parameters(), resumed.lips.parameters(), strict=True):
        assert bool((one == other).all())


def test_a_run_can_start_anew_and_starts_the_same(done: tuple[Path, Run, list[dict[str, Any]]], tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((done[0] / "checkpoint.pt").read_bytes())
    _, news = run(tmp_path, resume=False)
    assert [item["loss"] for item in news[:3]] == pytest.approx([item["loss"] for item in done[2][:3]], rel=0.02)


def test_the_shipped_towers_follow_the_trained_ones_slowly(done: tuple[Path, Run, list[dict[str, Any]]]) -> None:
    made = done[1]
    both = zip(made.mean_lips.parameters(), made.lips.parameters(), strict=True)
    pairs = [(mean, latest) for mean, latest in both if latest.requires_grad]
    assert any(bool((mean != latest).any()) for mean, latest in pairs)
    assert max(float((mean - latest).detach().abs().max()) for mean, latest in pairs) < 0.1


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", "other"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes | str) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    if isinstance(content, bytes):
        checkpoint.write_bytes(content)
    else:
        torch.save({"lips": {}}, checkpoint)
    with pytest.raises(TrainingError, match="is not a checkpoint of this recipe: move it away"):
        run(tmp_path)


def test_measurements_come_in_between(tmp_path: Path) -> None:
    made, news = run(tmp_path, replace(TINY, max_steps=2, measure_every=0.0, windows=()))
    assert [sorted(item) for item in news] == [
        ["done", "loss", "step"],
        ["measured", "step"],
        ["done", "loss", "step"],
        ["measured", "step"],
        ["measured", "step"],
    ]
    assert [entry["held_out"] for entry in made.history] == [[], [], []]


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_packs_load_in_both_engines(
    done: tuple[Path, Run, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory, engine: EngineName
) -> None:
    folder = tmp_path_factory.getbasetemp() / "made-packs"
    if not folder.exists():
        write_packs(done[1], folder, asdict(TINY), {"clips": 6})
    for name in ("speech_lips", "speech_voice"):
        load_engine(name, engine, folder)
        manifest = load_pack(folder / name).manifest
        assert manifest.metrics["steps"] == 3
        assert manifest.data == {"clips": 6}
        card = (folder / name / "card.md").read_text()
        assert "| 2 s | 2 | 2 |" in card
        assert "not** evidence of a genuine person" in card


def test_history_becomes_a_picture_where_there_is_one(
    done: tuple[Path, Run, list[dict[str, Any]]], tmp_path: Path
) -> None:
    draw_history([{"minutes": 1.0, "held_out": []}], tmp_path / "none.png")
    draw_history(done[1].history, tmp_path / "some.png")
    assert [path.name for path in tmp_path.iterdir()] == ["some.png"]


def test_a_card_without_measurements_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engines.training import packs

    cards: list[str] = []
    for name in ("export_lips", "export_voice"):
        monkeypatch.setattr(packs, name, lambda _tower, _folder, about: cards.append(about.card))
    lips, voice = untrained()
    bare = Run(lips, voice, torch.nn.Parameter(torch.zeros(2)), lips, voice, torch.optim.SGD(lips.parameters()))
    write_packs(bare, tmp_path, {}, {})
    assert len(cards) == 2
    assert all("Not measured: no speakers were held out." in card for card in cards)


def test_the_centre_is_the_mean_of_what_is_spoken() -> None:
    lips, voice = untrained()
    clips = [clip("a", 1, 40), clip("b", 2, 60)]
    clips[0].good[:20] = False
    centre(lips, voice, clips)
    middle = voice.centre.clone()
    voice.centre.data.zero_()
    heard = torch.cat([encode(one, lips, voice)[1][torch.from_numpy(one.good)] for one in clips])
    assert (heard.mean(0) - middle).abs().max() < 1e-5
    assert float(lips.centre.norm()) > 0


def test_offsets_of_sources_are_small_and_of_known_subjects() -> None:
    lips, voice = untrained()
    found = source_offsets([clip("a", 1, 80), clip("b", 2, 80), clip("c", 3, 30)], lips, voice)
    assert set(found) <= {"a", "b"}
    assert all(0 < abs(offset) <= 8 for offset in found.values())
    assert source_offsets([], lips, voice) == {}
