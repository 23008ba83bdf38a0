"""The recipe runs, learns, resumes and leaves packs behind that both engines take."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

import numpy as np
import torch

from engines.load import load_engine
from engines.packs import load_pack
from engines.registry import EngineName
from engines.training import speech
from engines.training.clips import TrainingError
from engines.training.packs import draw_history, write_packs
from engines.training.speech import centre, gains, late_clips, train
from engines.training.speech_recipe import SpeechRecipe, SpeechRun
from engines.training.validate import encode, separation
from tests.engines.towers import clip, untrained

TINY = SpeechRecipe(minutes=60.0, batch=4, length=20, max_steps=3, windows=(2.0,), align_at=0.3, masked_weight=0.3)
ENGINES: tuple[EngineName, ...] = ("openvino", "onnx")
CLIPS = [clip(f"p{n}", n, steps=60) for n in range(6)]
HELD_OUT = [clip(f"q{n}", 90 + n, steps=60) for n in range(2)]


def run(folder: Path, recipe: SpeechRecipe = TINY, **more: Any) -> tuple[SpeechRun, list[dict[str, Any]]]:
    news: list[dict[str, Any]] = []
    folder.mkdir(exist_ok=True)
    return train(CLIPS, HELD_OUT, recipe, folder, news.append, **more), news


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SpeechRun, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("run")
    return folder, *run(folder)


def test_a_run_reports_its_steps_and_writes_what_it_measured(
    done: tuple[Path, SpeechRun, list[dict[str, Any]]],
) -> None:
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


def test_a_run_resumes_where_it_stopped(done: tuple[Path, SpeechRun, list[dict[str, Any]]], tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((done[0] / "checkpoint.pt").read_bytes())
    resumed, news = run(tmp_path, replace(TINY, max_steps=5))
    assert [item["step"] for item in news] == [4, 5, 5]
    assert len(resumed.history) == 2
    assert resumed.spent > done[1].spent
    over, news = run(tmp_path, replace(TINY, max_steps=5))
    assert [item["step"] for item in news] == [5]
    for one, other in zip(over.lips.parameters(), resumed.lips.parameters(), strict=True):
        assert bool((one == other).all())


def test_a_run_can_start_anew_and_starts_the_same(
    done: tuple[Path, SpeechRun, list[dict[str, Any]]], tmp_path: Path
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((done[0] / "checkpoint.pt").read_bytes())
    _, news = run(tmp_path, resume=False)
    assert [item["loss"] for item in news[:3]] == pytest.approx([item["loss"] for item in done[2][:3]], rel=0.02)


def test_the_shipped_towers_follow_the_trained_ones_slowly(done: tuple[Path, SpeechRun, list[dict[str, Any]]]) -> None:
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


@pytest.mark.parametrize("is_exported", [False, pytest.param(True, marks=pytest.mark.long)])
def test_packs_load_in_both_engines(
    is_exported: bool,
    done: tuple[Path, SpeechRun, list[dict[str, Any]]],
    untrained_packs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, folder = done[1], tmp_path / "packs"
    if not is_exported:
        # The graphs of towers that were exported before; that they are these towers' is looked at as ever.
        made = replace(made, mean_lips=untrained()[0], mean_voice=untrained()[1])
        monkeypatch.setattr(
            "engines.training.export.save_graph",
            lambda *given: shutil.copy(untrained_packs / f"speech_{given[3][0]}" / "model.onnx", given[4]),
        )
    write_packs([made], HELD_OUT, folder, [asdict(TINY)], {"clips": 6})
    for name in ("speech_lips", "speech_voice"):
        for engine in ENGINES:
            load_engine(name, engine, folder)
        manifest = load_pack(folder / name).manifest
        assert manifest.metrics["steps"] == 3
        assert manifest.data == {"clips": 6}
        card = (folder / name / "card.md").read_text()
        assert "| 2 s | 2 | 2 |" in card
        assert "not** evidence of a genuine person" in card


def test_without_masked_prediction_nothing_is_hidden(tmp_path: Path) -> None:
    made, news = run(tmp_path, replace(TINY, masked_weight=0.0))
    assert all(np.isfinite(item["loss"]) for item in news[:3])
    fresh = run(tmp_path / "fresh", replace(TINY, max_steps=0), resume=False)[0]
    same = zip(made.context.parameters(), fresh.context.parameters(), strict=True)
    assert all(bool((one == other).all()) for one, other in same)


def test_masked_prediction_teaches_the_towers_too(
    done: tuple[Path, SpeechRun, list[dict[str, Any]]], tmp_path: Path
) -> None:
    fresh = run(tmp_path, replace(TINY, max_steps=0))[0]
    pairs = zip(done[1].context.parameters(), fresh.context.parameters(), strict=True)
    assert any(bool((one != other).any()) for one, other in pairs)


def measured(*areas: float | None) -> list[dict[str, Any]]:
    return [{"held_out": [] if area is None else [{"auc_other": area, "auc_shift": area}]} for area in areas]


def test_a_gain_is_the_mean_area_of_a_measurement() -> None:
    assert gains(measured(0.5, 0.7)) == [0.5, 0.7]
    both = [{"held_out": [{"auc_other": 0.5, "auc_shift": None}, {"auc_other": 0.7, "auc_shift": 0.9}]}]
    assert gains(both) == [pytest.approx(0.7)]
    assert np.isnan(gains(measured(None))).all()


@pytest.mark.parametrize(
    ("areas", "patience", "steps"),
    [((0.9, 0.8, 0.7), 2, 0), ((0.9, 0.8, 0.7), 3, 2), ((0.8, 0.9, 0.7), 2, 2), ((0.9, 0.1), 0, 2), ((None,), 1, 2)],
)
def test_a_run_stops_when_held_out_speakers_gain_no_more(
    areas: tuple[float | None, ...], patience: int, steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = speech._start

    def experienced(training: Any, recipe: SpeechRecipe) -> SpeechRun:
        made = start(training, recipe)
        made.history.extend(measured(*areas))
        return made

    monkeypatch.setattr(speech, "_start", experienced)
    _, news = run(tmp_path, replace(TINY, max_steps=2, patience=patience, windows=()))
    assert len([item for item in news if "loss" in item]) == steps


def test_a_run_with_patience_gives_the_best_towers_it_measured(tmp_path: Path) -> None:
    made, _ = run(tmp_path, replace(TINY, max_steps=4, measure_every=0.0, patience=9))
    best = int(np.nanargmax(gains(made.history)))
    assert made.best is not None
    assert all(bool((made.best[0][name] == value).all()) for name, value in made.mean_lips.state_dict().items())
    rows = separation(HELD_OUT, made.mean_lips, made.mean_voice, TINY.windows)
    assert rows[0].as_dict()["auc_other"] == made.history[best]["held_out"][0]["auc_other"]


def test_history_becomes_a_picture_where_there_is_one(
    done: tuple[Path, SpeechRun, list[dict[str, Any]]], tmp_path: Path
) -> None:
    draw_history([{"minutes": 1.0, "held_out": []}], tmp_path / "none.png")
    draw_history(done[1].history, tmp_path / "some.png")
    assert [path.name for path in tmp_path.iterdir()] == ["some.png"]


def test_a_card_without_measurements_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engines.training import packs

    cards: list[str] = []
    for name in ("export_lips", "export_voice"):
        monkeypatch.setattr(packs, name, lambda _tower, _folder, about: cards.append(about.card))
    bare = train(CLIPS, [], replace(TINY, max_steps=0), tmp_path, lambda _: None)
    write_packs([bare, bare], [], tmp_path, [{"seed": 0, "rate": 1}, {"seed": 1, "rate": 1}], {})
    assert len(cards) == 2
    assert all("- seed: [0, 1]\n- rate: 1\n" in card for card in cards)
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
    found = late_clips([clip("a", 1, 80), clip("b", 2, 80), clip("c", 3, 30)], lips, voice)
    assert set(found) <= {"a", "b"}
    assert all(0 < abs(offset) <= 8 for offset in found.values())
    assert late_clips([], lips, voice) == {}
