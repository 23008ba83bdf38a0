"""The pack `voice_identity`: its graph against a forward pass in numpy alone, and files that are something else.

Weights are of a seed, in a file as it is published, so that nothing is downloaded; where the pack is installed, its
hash says which file it was made of.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="building the pack needs onnx: install the extra `speech`")

from engines.base import MODELS, EngineError
from engines.convert.resemblyzer import LAYERS, MEMBER, SHA256, convert, published, shapes
from engines.load import load_engine
from engines.registry import EngineName
from monitor import cli
from tests.engines.convert.torch_file import torch_file

TOLERANCE = 1e-5

Doubles = NDArray[np.float64]


def seeded(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights as large as those of the published network, by the names in its file."""
    random = np.random.default_rng(seed)
    return {
        name: random.normal(0, 1.5 / np.sqrt(shape[-1]), shape).astype(np.float32) for name, shape in shapes().items()
    }


def sigmoid(values: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-values)))


def forward(weights: dict[str, NDArray[np.float32]], frames: NDArray[np.float32]) -> Doubles:
    """The network as GE2E describes it: gates in torch's order, the last state of the last layer, unit length."""
    steps = frames.astype(np.float64)
    for n in range(LAYERS):
        enter, again = (weights[f"lstm.weight_{part}_l{n}"].astype(np.float64) for part in ("ih", "hh"))
        bias = weights[f"lstm.bias_ih_l{n}"].astype(np.float64) + weights[f"lstm.bias_hh_l{n}"]
        hidden = cell = np.zeros((len(steps), again.shape[1]))
        said = []
        for step in steps.transpose(1, 0, 2):
            i, f, g, o = np.split(step @ enter.T + hidden @ again.T + bias, 4, axis=1)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            hidden = sigmoid(o) * np.tanh(cell)
            said.append(hidden)
        steps = np.stack(said, axis=1)
    raw = np.maximum(steps[:, -1] @ weights["linear.weight"].T + weights["linear.bias"], 0)
    return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("resemblyzer") / MEMBER
    path.write_bytes(torch_file(seeded()))
    return path


@pytest.mark.parametrize("name", ["openvino", "onnx"])
def test_the_pack_computes_what_the_network_is(file: Path, tmp_path: Path, name: EngineName) -> None:
    engine = load_engine("voice_identity", name, convert(file, tmp_path).parent)
    frames = np.abs(np.random.default_rng(1).normal(0, 0.3, (3, 160, 40))).astype(np.float32)
    wanted = forward(seeded(), frames)
    # Three pieces of sound, three different voices: else nothing would be compared.
    assert np.ptp(wanted, axis=0).max() > 1e-3
    assert engine.run({"frames": frames})["embedding"] == pytest.approx(wanted, abs=TOLERANCE)
    assert engine.run({"frames": frames[1:2]})["embedding"] == pytest.approx(wanted[1:2], abs=TOLERANCE)


def test_the_installed_pack_computes_what_its_published_weights_say() -> None:
    path = MODELS / "voice_identity" / "manifest.json"
    if not path.exists():
        pytest.skip("the pack voice_identity was not built: make voiceprint")
    manifest = json.loads(path.read_text())
    assert (manifest["recipe"]["file_sha256"], manifest["licence"]) == (SHA256, "Apache-2.0 (Resemblyzer)")


def test_a_conversion_can_be_repeated_to_the_byte_from_file_or_wheel(file: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "Resemblyzer-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(file, f"resemblyzer/{MEMBER}")
    packs = [convert(source, tmp_path / name) for source, name in ((file, "a"), (wheel, "b"))]
    for part in ("model.onnx", "manifest.json"):
        one, other = ((pack / part).read_bytes() for pack in packs)
        # Of a file that is not the published one, its name is the source.
        assert one.replace(file.name.encode(), b"") == other.replace(wheel.name.encode(), b"")
    manifest = json.loads((packs[0] / "manifest.json").read_text())
    assert manifest["licence"] == "not known: this is not the published file"


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    smaller = {name: array[:8] for name, array in seeded().items()}
    undefined = seeded() | {"linear.bias": np.full(256, np.nan, np.float32)}
    files = {
        "empty.whl": "holds no pretrained.pt",
        "damaged.pt": "download it again",
        "smaller.pt": "another network",
        "elsewhere.pt": "another network",
        "undefined.pt": "not finite",
    }
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as archive:
        archive.writestr("resemblyzer/audio.py", "")
    (tmp_path / "damaged.pt").write_bytes(torch_file(seeded())[:5000])
    (tmp_path / "smaller.pt").write_bytes(torch_file(smaller))
    (tmp_path / "elsewhere.pt").write_bytes(torch_file(seeded(), "optimizer_state"))
    (tmp_path / "undefined.pt").write_bytes(torch_file(undefined))
    for name, said in {"absent.pt": "cannot be read", **files}.items():
        with pytest.raises(EngineError, match=said) as refusal:
            convert(tmp_path / name, tmp_path / "out")
        assert "\n" not in str(refusal.value)
        assert ": " in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.convert.resemblyzer.PACKAGE", "no-such-distribution-here")
    with pytest.raises(EngineError, match="pip download --no-deps"):
        published()


def test_the_command_shows_the_licence_first(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["engines", "import", "resemblyzer", str(file), "--out", str(tmp_path / "packs")]
    assert cli.run(command) == 2
    assert "Apache License 2.0" in capsys.readouterr().err
    assert not (tmp_path / "packs").exists()
    assert cli.run([*command, "--accept-licence"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "packs" / "voice_identity")
