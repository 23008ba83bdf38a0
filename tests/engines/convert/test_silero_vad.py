"""The pack `speech_presence`: its graph against one of the published layout, and files that are something else.

The published graph is written again here with weights of a seed, so that nothing is downloaded; where the pack is
installed, its hash says which file it was made of.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("onnx", reason="building the pack needs onnx: install the extra `speech`")

from onnx import TensorProto, helper, numpy_helper

from engines.base import MODELS, EngineError
from engines.convert.silero_vad import MEMBER, SHA256, convert, published
from engines.load import load_engine
from monitor import cli

TOLERANCE = 1e-5


def published_nodes(width: int) -> list[Any]:
    """The computation of the published file, node by node."""
    nodes = [
        helper.make_node("Pad", ["input", "pads"], ["padded"], mode="reflect"),
        helper.make_node("Unsqueeze", ["padded", "one"], ["waves"]),
        helper.make_node("Conv", ["waves", "stft.forward_basis_buffer"], ["bins"], strides=[128]),
    ]
    for name, begin, end in (("real", "zero", "half"), ("imaginary", "half", "all")):
        nodes += [
            helper.make_node("Slice", ["bins", begin, end, "one"], [f"{name} bins"]),
            helper.make_node("Slice", [f"{name} bins", "one", "end", "two"], [name]),
            helper.make_node("Mul", [name, name], [f"{name} power"]),
        ]
    nodes += [
        helper.make_node("Add", ["real power", "imaginary power"], ["power"]),
        helper.make_node("Sqrt", ["power"], ["x0"]),
    ]
    for n, stride in enumerate((1, 2, 2, 1)):
        inputs = [f"x{n}", f"encoder.{n}.weight", f"encoder.{n}.bias"]
        nodes += [
            helper.make_node("Conv", inputs, [f"c{n}"], strides=[stride], pads=[1, 1]),
            helper.make_node("Relu", [f"c{n}"], [f"x{n + 1}"]),
        ]
    lstm = [f"onnx::LSTM_{n}" for n in (209, 210, 211)]
    nodes += [
        helper.make_node("Transpose", ["x4"], ["steps"], perm=[0, 2, 1]),
        helper.make_node("LSTM", ["steps", *lstm, "", "h", "c"], ["y", "hn", "cn"], hidden_size=width),
        helper.make_node("Squeeze", ["y", "one"], ["said"]),
        helper.make_node("Relu", ["said"], ["kept"]),
        helper.make_node("Transpose", ["kept"], ["columns"], perm=[1, 2, 0]),
        helper.make_node("Conv", ["columns", "output.weight", "output.bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["odds"]),
        helper.make_node("Reshape", ["odds", "flat"], ["speech_probs"]),
    ]
    return nodes


def published_like(seed: int = 0, width: int = 128) -> bytes:
    """A network as the published file lays it out: frame after frame of one sound, memory in two vectors."""
    random = np.random.default_rng(seed)
    shapes = {
        "stft.forward_basis_buffer": (258, 1, 256),
        "output.weight": (1, 128, 1),
        "output.bias": (1,),
        "onnx::LSTM_209": (1, 4 * width, 128),
        "onnx::LSTM_210": (1, 4 * width, width),
        "onnx::LSTM_211": (1, 8 * width),
        "pads": (4,),
        "one": (1,),
        **{
            f"encoder.{n}.{part}": (*size, 3) if part == "weight" else size[:1]
            for n, size in enumerate(((128, 129), (64, 128), (64, 64), (128, 64)))
            for part in ("weight", "bias")
        },
    }
    values: dict[str, Any] = {
        name: random.normal(0, 2.0 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    values["pads"], values["one"] = np.array([0, 128, 0, 128]), np.array([1])
    whole = np.array([0]), np.array([129]), np.array([258]), np.array([1 << 30]), np.array([2]), np.array([-1])
    values |= dict(zip(("zero", "half", "all", "end", "two", "flat"), whole, strict=True))
    nodes = published_nodes(width)
    memory = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, width]) for name in ("h", "c")]
    graph = helper.make_graph(
        nodes,
        "published",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["t", 576]), *memory],
        [helper.make_tensor_value_info("speech_probs", TensorProto.FLOAT, ["t"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("silero") / MEMBER
    path.write_bytes(published_like())
    return path


def test_the_pack_computes_what_the_published_graph_does(file: Path, tmp_path: Path) -> None:
    convert(file, tmp_path)
    pack = load_engine("speech_presence", "openvino", tmp_path)
    frames = np.random.default_rng(1).normal(0, 0.1, (2, 9, 576)).astype(np.float32)
    begun = pack.run({"frames": frames[:, :4], "state": np.zeros((2, 256), np.float32)})
    ended = pack.run({"frames": frames[:, 4:], "state": begun["state_out"]})
    found = np.concatenate([begun["presence"], ended["presence"]], axis=1)[:, :, 0]
    original = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    empty = np.zeros((1, 1, 128), np.float32)
    for sound, said in zip(frames, found, strict=True):
        (wanted,) = original.run(["speech_probs"], {"input": sound, "h": empty, "c": empty})
        assert np.ptp(wanted) > 1e-3
        assert said == pytest.approx(wanted, abs=TOLERANCE)


def test_a_conversion_can_be_repeated_to_the_byte_from_file_or_wheel(file: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "silero_vad-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(file, f"silero_vad/data/{MEMBER}")
    packs = [convert(source, tmp_path / name) for source, name in ((file, "a"), (wheel, "b"))]
    for part in ("model.onnx", "manifest.json"):
        one, other = ((pack / part).read_bytes() for pack in packs)
        # Of a file that is not the published one, its name is the source.
        assert one.replace(file.name.encode(), b"") == other.replace(wheel.name.encode(), b"")
    manifest = json.loads((packs[0] / "manifest.json").read_text())
    assert manifest["licence"] == "not known: this is not the published file"
    assert manifest["preprocessing"]["engine"] == "onnx"


def test_the_installed_pack_is_of_the_published_file() -> None:
    path = MODELS / "speech_presence" / "manifest.json"
    if not path.exists():
        pytest.skip("the pack speech_presence was not built: make speech")
    manifest = json.loads(path.read_text())
    assert (manifest["recipe"]["file_sha256"], manifest["licence"]) == (SHA256, "MIT (Silero Team)")


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    empty, damaged, smaller = tmp_path / "empty.whl", tmp_path / "damaged.onnx", tmp_path / "smaller.onnx"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("silero_vad/model.py", "")
    damaged.write_bytes(published_like()[:5000])
    smaller.write_bytes(published_like(width=64))
    for path, said in (
        (tmp_path / "absent.whl", "cannot be read"),
        (empty, f"holds no {MEMBER}"),
        (damaged, "is not Silero's network"),
        (smaller, "of another size"),
    ):
        with pytest.raises(EngineError, match=said) as refusal:
            convert(path, tmp_path / "out")
        assert "\n" not in str(refusal.value)
        assert ": " in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.convert.silero_vad.PACKAGE", "no-such-distribution-here")
    with pytest.raises(EngineError, match="pip download --no-deps"):
        published()


def test_the_command_shows_the_licence_first(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["engines", "import", "silero-vad", str(file), "--out", str(tmp_path / "packs")]
    assert cli.run(command) == 2
    assert "MIT" in capsys.readouterr().err
    assert not (tmp_path / "packs").exists()
    assert cli.run([*command, "--accept-licence"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "packs" / "speech_presence")
    assert cli.run([*command[:3], "a", "b", "--accept-licence"]) == 2
    assert "name one, not 2" in capsys.readouterr().err
