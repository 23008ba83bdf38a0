from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engines.base import MODELS, MOTION_WINDOW_STEPS, EngineError
from engines.load import load_engine
from engines.nets.persona import CLAMP_DEVIATIONS, VOICE, PersonaShape, Reconstruction, schedule, window_loss
from engines.nets.persona_gradient import TokenGradient, weight_of
from engines.training.persona_pack import draw_history, example, write_persona_packs
from engines.training.persona_recipe import PeopleModel, PersonaRecipe

SMALL: dict[str, Any] = {"width": 16, "depth": 2, "heads": 2, "tokens": 3, "token_size": 8}


def model(shape: PersonaShape, seed: int = 0) -> Reconstruction:
    """A model in which every weight says something."""
    torch.manual_seed(seed)
    made = Reconstruction(shape, torch.rand(shape.features) + 0.5, torch.rand(shape.features) + 0.5)
    for parameter in made.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
        parameter.requires_grad_(False)
    return made.eval()


def run(made: Reconstruction, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    error, denoised = made(**inputs)
    return error, denoised


def test_the_schedule_keeps_the_variance() -> None:
    keep, noise = schedule(torch.tensor([[0.0], [0.3], [1.0]]))
    assert torch.allclose(keep.square() + noise.square(), torch.ones(3, 1, 1))
    assert keep[0].item() == 1
    assert abs(keep[2].item()) < 1e-6


def test_before_it_has_learnt_it_keeps_what_is_known_of_the_window() -> None:
    made = Reconstruction(PersonaShape(features=5, **SMALL)).eval()
    inputs = example(made, 2) | {"timestep": torch.zeros(2, 1), "mask": torch.ones(2, MOTION_WINDOW_STEPS)}
    error, denoised = run(made, inputs)
    assert error.shape == (2, MOTION_WINDOW_STEPS)
    assert torch.allclose(denoised, inputs["motion"], atol=1e-6)
    inputs["timestep"] = torch.ones(2, 1)
    assert run(made, inputs)[1].abs().max() < 1e-5
    other = Reconstruction(PersonaShape(features=5, target="x0", **SMALL)).eval()
    assert not run(other, inputs)[1].any()


@pytest.mark.parametrize("options", [{}, {"target": "x0", "pooled": False, "patch": 5}])
def test_what_is_masked_has_no_say(options: dict[str, Any]) -> None:
    made = model(PersonaShape(features=5, **{**SMALL, **options}))
    inputs = example(made, 3)
    error, denoised = run(made, inputs)
    hidden = inputs["mask"] == 0
    assert not error[hidden].any()
    changed = dict(inputs)
    for name in ("motion", "voice", "noise"):
        changed[name] = inputs[name] + 7.0 * hidden[:, :, None]
    again, denoised_again = run(made, changed)
    assert torch.allclose(error, again, atol=1e-6)
    assert torch.allclose(denoised[~hidden], denoised_again[~hidden], atol=1e-5)


def test_tokens_voice_and_timestep_have_a_say() -> None:
    made = model(PersonaShape(features=5, **SMALL))
    inputs = example(made, 2)
    error = run(made, inputs)[0]
    for name in ("tokens", "voice", "timestep"):
        assert (run(made, inputs | {name: inputs[name].flip(0)})[0] - error).abs().max() > 1e-4


def test_a_tracker_that_slips_for_a_moment_is_no_more_than_far() -> None:
    made = model(PersonaShape(features=5, **SMALL))
    inputs = example(made, 1)
    far, farther = (inputs["motion"].clone() for _ in range(2))
    far[0, 40], farther[0, 40] = CLAMP_DEVIATIONS * made.scale, 1000 * made.scale
    assert torch.equal(run(made, inputs | {"motion": far})[0], run(made, inputs | {"motion": farther})[0])


@pytest.mark.parametrize("wrong", [{"patch": 4}, {"heads": 3}, {"target": "noise"}])
def test_shapes_that_do_not_divide_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"divide|unknown target"):
        PersonaShape(features=5, **{**SMALL, **wrong})


@pytest.mark.parametrize("options", [{}, {"target": "x0", "pooled": False, "patch": 5}])
def test_the_written_out_gradient_is_that_of_autograd(options: dict[str, Any]) -> None:
    made = model(PersonaShape(features=5, **{**SMALL, **options})).double()
    inputs = {key: value.double() for key, value in example(made, 3).items()}
    inputs["tokens"].requires_grad_(True)
    error, _ = run(made, inputs)
    wanted = window_loss(error, inputs["mask"])
    (slope,) = torch.autograd.grad(wanted.sum(), inputs["tokens"])
    loss, gradient = TokenGradient(made)(**inputs)
    assert torch.allclose(loss, wanted)
    assert slope.abs().max() > 1e-6
    assert torch.allclose(gradient, slope, rtol=1e-9, atol=1e-14)


def test_only_layers_have_weights() -> None:
    with pytest.raises(TypeError, match="GELU"):
        weight_of(nn.GELU())


def peopled(**options: Any) -> PeopleModel:
    recipe = PersonaRecipe(**{**SMALL, **options}, timesteps=(0.3, 0.7))
    net = PeopleModel(recipe.shape(5), 2, torch.rand(5) + 0.5)
    net.model.load_state_dict(model(recipe.shape(5)).state_dict())
    return net


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PeopleModel]:
    folder, net = tmp_path_factory.mktemp("packs"), peopled(depth=1)
    about: dict[str, dict[str, Any]] = {
        "preprocessing": {"voice": "v", "basis": "b"},
        "data": {"clips": 2},
        "metrics": {"step": 3, "known": {"auc": 0.5}},
    }
    recipe = PersonaRecipe(**SMALL, timesteps=(0.3, 0.7))
    made = write_persona_packs(net, folder, recipe, about, {"basis.npz": b"basis"})
    assert made == [folder / "persona", folder / "persona_tokens"]
    return folder, net


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_every_engine_gives_what_torch_gives(packs: tuple[Path, PeopleModel], engine: Any) -> None:
    folder, net = packs
    measure, fit = (load_engine(name, engine, folder) for name in ("persona", "persona_tokens"))
    inputs = example(net.model, 7)
    arrays = {key: value.numpy() for key, value in inputs.items()}
    error, denoised = run(net.model, inputs)
    found = measure.run(arrays)
    assert np.allclose(found["error"], error.numpy(), atol=1e-4)
    assert np.allclose(found["denoised"], denoised.numpy(), atol=1e-4)
    loss, gradient = TokenGradient(net.model)(**inputs)
    found = fit.run(arrays)
    assert np.allclose(found["loss"], loss.numpy(), atol=1e-4)
    assert np.allclose(found["gradient"], gradient.numpy(), atol=1e-3 * float(gradient.abs().max()))
    assert found["gradient"].shape == (7, 3, 8)


def test_a_pack_does_not_tell_on_whose_machine_it_was_made(packs: tuple[Path, PeopleModel]) -> None:
    here = str(Path(__file__).parents[3]).encode()
    assert not any(here in path.read_bytes() for path in packs[0].rglob("model.onnx"))
    assert not any(here in (MODELS / name / "model.onnx").read_bytes() for name in ("persona", "persona_tokens"))


def test_a_pack_says_what_its_distance_is_taken_at(packs: tuple[Path, PeopleModel]) -> None:
    folder, net = packs
    manifest = load_engine("persona", "onnx", folder).manifest
    assert manifest.preprocessing == {
        "features": 5,
        "steps": MOTION_WINDOW_STEPS,
        "rate": 25,
        "timesteps": [0.3, 0.7],
        "noises": 1,
        "noise_seed": 5,
        "voice": "v",
        "basis": "b",
    }
    assert manifest.metrics == {"step": 3, "known": {"auc": 0.5}}
    assert (folder / "persona" / "basis.npz").read_bytes() == b"basis"
    with np.load(folder / "persona" / "tokens.npz") as tokens:
        assert np.array_equal(tokens["null"], net.null.numpy())
        assert np.array_equal(tokens["start"], net.start.numpy())
    assert "known auc: 0.5" in (folder / "persona" / "card.md").read_text()
    assert VOICE == 128


def test_a_graph_that_differs_is_not_written(
    packs: tuple[Path, PeopleModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported, net = packs[0] / "persona" / "model.onnx", deepcopy(packs[1])
    monkeypatch.setattr("engines.training.persona_pack.save_graph", lambda *given: shutil.copy(exported, given[4]))
    for parameter in net.model.parameters():
        parameter.data += 0.1
    with pytest.raises(EngineError, match="differs from torch"):
        write_persona_packs(net, tmp_path, PersonaRecipe(**SMALL), {})
    assert not list(tmp_path.iterdir())


def test_a_history_can_be_looked_at(tmp_path: Path) -> None:
    draw_history([], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    rows = [{"minutes": n, "known": {"error": 1 / n}, "held_out": {"error": 1.0}} for n in (1, 2)]
    draw_history(rows, tmp_path / "some.png")
    assert (tmp_path / "some.png").stat().st_size > 5000
