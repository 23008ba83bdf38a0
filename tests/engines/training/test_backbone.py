from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engines.nets.efficientnet import EfficientNetB4, load_published
from engines.nets.mobilenet import MobileNetV2, load_gluon
from engines.packs import load_pack
from engines.runtimes.onnx import OnnxEngine
from engines.training.backbone import PAPER, Backbone, FaceRecipe, answers, begin, losses, separation, train
from engines.training.blends import BlendStream, BlendTrial, loader, make_trial, one_pair, prepare, weights_of
from engines.training.clips import TrainingError
from engines.training.face_pack import draw_history, measure_backbone, write_face_pack
from engines.training.face_start import load_start
from engines.training.sam import SharpnessAware
from engines.training.sheet import contact_sheet
from tests.engines.face_pictures import face, fewer_blocks

SMALL = FaceRecipe(size=64, batch=2, minutes=5, max_steps=3, measure_faces=3, workers=0, threads=1)


def quiet(_: dict[str, Any]) -> None:
    pass


def test_the_light_trunk_takes_the_published_weights() -> None:
    net: Any = MobileNetV2()
    arrays = gluon(net)
    load_gluon(net, arrays)
    assert torch.equal(net.last[0].weight, torch.from_numpy(arrays["mobilenetv20_features_conv1_weight"]))
    dense, features = net.eval()(torch.zeros(2, 3, 64, 64))
    assert dense.shape == (2, net.dense_channels, 4, 4)
    assert features.shape == (2, net.features_size)
    del arrays["mobilenetv20_features_conv1_weight"]
    with pytest.raises(KeyError):
        load_gluon(net, arrays)


def gluon(net: Any) -> dict[str, Any]:
    """Made weights under the published names, in the published shapes."""
    random = np.random.default_rng(0)
    names = [("conv0", "batchnorm0", net.stem), ("conv1", "batchnorm1", net.last)]
    for number, block in enumerate(net.blocks):
        for part, unit in enumerate((block.widen, block.filter, block.narrow)):
            names.append((f"linearbottleneck{number}_conv{part}", f"linearbottleneck{number}_batchnorm{part}", unit))
    arrays = {}
    for convolution, norm, unit in names:
        weight = unit[0].weight
        arrays[f"mobilenetv20_features_{convolution}_weight"] = random.normal(0, 0.05, weight.shape).astype(np.float32)
        for key in ("gamma", "beta", "running_mean", "running_var"):
            value = np.abs(random.normal(1, 0.1, len(weight))).astype(np.float32)
            arrays[f"mobilenetv20_features_{norm}_{key}"] = value
    return arrays


def test_the_papers_trunk_has_its_sizes_and_takes_published_states() -> None:
    net: Any = EfficientNetB4()
    # 19.3 million with the classifier of a thousand classes (Tan & Le, table 2), 17.5 without.
    assert abs(sum(p.numel() for p in net.parameters()) / 1e6 - 17.55) < 0.05
    state = {**net.state_dict(), "classifier.1.weight": torch.zeros(1000, 1792)}
    other: Any = EfficientNetB4()
    load_published(other, state)
    assert torch.equal(other.features[8][0].weight, net.features[8][0].weight)
    dense, features = net.eval()(torch.zeros(1, 3, 64, 64))
    assert dense.shape == (1, 160, 4, 4)
    assert features.shape == (1, 1792)
    net.train()(torch.rand(2, 3, 64, 64))[1].sum().backward()
    with pytest.raises(RuntimeError):
        load_published(other, {"features.0.0.weight": torch.zeros(1)})


def test_sharpness_aware_steps_find_the_gradient_uphill() -> None:
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    base = torch.optim.SGD([weight], lr=0.1)
    sharp = SharpnessAware([weight], base, rho=0.5)
    torch.autograd.backward((weight**2).sum())
    sharp.ascend()
    # The gradient (6, 8) has norm 10: a step of 0.5 along it.
    assert torch.allclose(weight, torch.tensor([3.3, 4.4]))
    assert weight.grad is None or not weight.grad.any()
    torch.autograd.backward((weight**2).sum())
    sharp.descend()
    assert torch.allclose(weight, torch.tensor([3.0 - 0.66, 4.0 - 0.88]))


def test_each_term_of_the_loss_asks_for_what_it_is_there_for() -> None:
    torch.manual_seed(0)
    net = Backbone("mobilenetv2").eval()
    real, fake = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    mask = torch.ones(2, 4, 4)
    plain, ranked, dense = (
        float(losses(net, real, fake, mask, replace(SMALL, rank_weight=rank, dense_weight=where)).detach())
        for rank, where in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    )
    assert plain < ranked
    assert plain < dense


@pytest.mark.parametrize("optimiser", ["adamw", "sam"])
def test_training_goes_on_where_it_stopped(tmp_path: Path, optimiser: str) -> None:
    faces, held = [face(n) for n in range(6)], [face(n, "held") for n in range(20, 23)]
    recipe = replace(SMALL, optimiser=optimiser, freeze_at=0.5)
    news: list[dict[str, Any]] = []
    first = train(faces, held, recipe, tmp_path, news.append)
    assert first.step == 3
    assert [row["step"] for row in first.history] == [3]
    again = train(faces, held, replace(recipe, max_steps=5), tmp_path, news.append)
    assert again.step == 5
    assert [row["step"] for row in again.history] == [3, 5]
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in logged] == [3, 5]
    assert {"clean", "degraded"} <= set(logged[0])
    assert [set(part) for part in news] == [{"measured"}, {"measured"}]
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="move it away"):
        train(faces, held, recipe, tmp_path, quiet)
    with pytest.raises(TrainingError, match="no faces"):
        train([], held, recipe, tmp_path, quiet)


@pytest.mark.long
def test_learning_lowers_the_loss_on_what_it_sees(tmp_path: Path) -> None:
    losses_seen: list[float] = []

    def report(news: dict[str, Any]) -> None:
        if "loss" in news:
            losses_seen.append(news["loss"])

    recipe = replace(SMALL, batch=6, max_steps=60, clean=1.0, rate=2e-3)
    train([face(n) for n in range(4)], [], recipe, tmp_path, report)
    assert np.mean(losses_seen[-2:]) < np.mean(losses_seen[:2])


def test_a_frozen_stem_stays_as_it_is() -> None:
    net: Any = MobileNetV2().train()
    net.freeze(2)
    before = net.stem[1].running_mean.clone()
    net(torch.rand(2, 3, 64, 64))[1].sum().backward()
    assert torch.equal(net.stem[1].running_mean, before)
    assert net.stem[0].weight.grad is None
    assert net.blocks[3].narrow[0].weight.grad is not None


def test_pairs_go_over_one_line_and_batches_have_their_shapes() -> None:
    real, fake, mask = one_pair(face(1), 64, np.random.default_rng(0), 0.0)
    assert real.shape == fake.shape == (64, 64, 3)
    assert mask.shape == (64, 64)
    stream = BlendStream([face(n) for n in range(3)], 64, 4, 0.5, 0.5, 0)
    batch = next(iter(loader(stream, 0)))
    assert [tuple(part.shape) for part in batch] == [(4, 3, 64, 64), (4, 3, 64, 64), (4, 4, 4)]
    assert float(batch[0].min()) >= -1
    assert prepare(np.full((1, 2, 2, 3), 255, np.uint8)).max() == 1


def test_photos_and_clips_are_drawn_in_their_shares() -> None:
    faces = [face(n) for n in range(3)] + [replace_subject(face(n, still=False), "one") for n in range(9)]
    chance = weights_of(faces, 0.6)
    assert np.isclose(chance.sum(), 1)
    assert np.isclose(chance[:3].sum(), 0.6)
    assert np.isclose(weights_of(faces[:3], 0.6).sum(), 1)


def replace_subject(one: Any, subject: str) -> Any:
    return replace(one, subject=subject)


def test_separation_is_by_scheme_and_in_the_papers_shares() -> None:
    flat = np.zeros((4, 2, 2, 3), np.uint8)
    fakes = {"whole": flat + 9, "eyes": flat, "lower": flat + 9, "jawline": flat + 9}
    row = separation(BlendTrial(flat + 3, fakes, ("a",) * 4), lambda pictures: pictures.mean((1, 2, 3)))
    assert row["auc_whole"] == 1
    assert row["auc_eyes"] == 0
    assert np.isclose(row["auc"], 5 / 6, atol=1e-3)
    assert np.isclose(row["within_pair"], 5 / 6, atol=1e-3)


def test_a_trial_is_the_same_each_time_and_degrades_both_sides() -> None:
    faces = [face(n) for n in range(2)]
    first, again = make_trial(faces, 64, True), make_trial(faces, 64, True)
    assert np.array_equal(first.fake["eyes"], again.fake["eyes"])
    assert not np.array_equal(first.real, make_trial(faces, 64, False).real)


@pytest.mark.parametrize("is_whole", [False, pytest.param(True, marks=pytest.mark.long)])
def test_the_pack_answers_as_torch_does(is_whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_whole:
        fewer_blocks(monkeypatch)
    net = begin(SMALL).mean
    faces = [face(n) for n in range(3)]
    metrics = measure_backbone(net, faces, 64)
    folder = write_face_pack(net, 64, tmp_path, {"start": "", "size": 64}, {"people": 3}, metrics)
    engine = OnnxEngine(load_pack(folder))
    pictures = make_trial(faces, 64, False).real
    features, wanted = answers(net, pictures)
    got = engine.run({"face": prepare(pictures)})
    assert np.allclose(got["logit"][:, 0], wanted, atol=1e-3)
    assert np.allclose(got["embedding"], features, atol=1e-2)
    card = (folder / "card.md").read_text()
    assert "retrain for production" in card
    assert "| degraded | 3 |" in card
    assert "JPEG 30" in card


def test_what_is_no_published_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(b"nothing")
    for trunk in ("mobilenetv2", "efficientnet-b4"):
        with pytest.raises(TrainingError, match="holds no published weights"):
            load_start(Backbone(trunk), trunk, path)
    net = Backbone("mobilenetv2")
    np.savez(path, **gluon(net.trunk))
    load_start(net, "mobilenetv2", path)
    b4 = Backbone("efficientnet-b4")
    torch.save(b4.trunk.state_dict(), tmp_path / "b4.pth")
    load_start(b4, "efficientnet-b4", tmp_path / "b4.pth")


def test_sheet_and_history_are_pictures(tmp_path: Path) -> None:
    sheet = contact_sheet([face(n) for n in range(8)], rows=2)
    assert sheet.width > sheet.height > 300
    row = separation(make_trial([face(1), face(2)], 64, False), lambda pictures: pictures.mean((1, 2, 3)))
    draw_history([{"minutes": 1.0, "clean": row, "degraded": row}, {"minutes": 2.0, "clean": row}], tmp_path / "h.png")
    assert (tmp_path / "h.png").stat().st_size > 1000
    assert PAPER.optimiser == "sam"
