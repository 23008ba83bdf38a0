"""The conversion's own code: what it refuses, and the graph edits on a small model shaped like tf2onnx's output."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines.base import MODELS, EngineError, TensorSpec
from engines.convert import graph, mediapipe
from engines.convert.mediapipe import DETECTOR, LANDMARKS, main, read_member, shape_up
from engines.load import load_engine
from engines.packs import load_pack

SMALL = replace(
    DETECTOR,
    pack="small",
    names={"in": "image", "middle": "boxes", "last": "logits"},
    inputs=(TensorSpec("image", (2, 3)),),
    outputs=(TensorSpec("boxes", (6,)), TensorSpec("logits", (3, 2))),
)


def small(*, shuffled: bool = False) -> onnx.ModelProto:
    """Batch fixed to 1; `middle` ends in a plain node, `last` in a reshape; a dead constant and a dead node to drop."""
    nodes = [
        helper.make_node("Mul", ["in", "two"], ["middle"], name="first"),
        helper.make_node("Add", ["middle", "middle"], ["more"], name="second"),
        helper.make_node("Reshape", ["more", "flat"], ["last"], name="third"),
        helper.make_node("Neg", ["in"], ["unused"], name="dead"),
    ]
    constants = [
        numpy_helper.from_array(np.array([2], np.float32), "two"),
        numpy_helper.from_array(np.array([1, 6, 1], np.int64), "flat"),
        numpy_helper.from_array(np.array([9], np.float32), "dead_constant"),
    ]
    if shuffled:
        constants.reverse()
        for node in nodes:
            node.name += "_again"

    def value(name: str, shape: list[int]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    body = helper.make_graph(
        nodes, "tf2onnx", [value("in", [1, 2, 3])], [value("middle", [1, 2, 3]), value("last", [1, 6, 1])], constants
    )
    body.value_info.append(value("more", [1, 2, 3]))
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_shaped_model_takes_any_batch_and_keeps_its_numbers() -> None:
    session = onnxruntime.InferenceSession(shape_up(small(), SMALL), providers=["CPUExecutionProvider"])
    image = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
    boxes, logits = session.run(["boxes", "logits"], {"image": image})
    np.testing.assert_array_equal(boxes, (image * 2).reshape(3, 6))
    np.testing.assert_array_equal(logits, (image * 4).reshape(3, 3, 2))


def test_the_bytes_do_not_depend_on_names_or_order() -> None:
    assert shape_up(small(), SMALL) == shape_up(small(shuffled=True), SMALL)


def test_what_leads_nowhere_is_dropped() -> None:
    model = onnx.load_from_string(shape_up(small(), SMALL))
    assert "Neg" not in {node.op_type for node in model.graph.node}
    assert 9.0 not in [numpy_helper.to_array(constant).flat[0] for constant in model.graph.initializer]
    assert not model.graph.value_info


def test_a_shared_tensor_is_placed_once() -> None:
    model = small()
    graph.canonical(model)
    assert [node.op_type for node in model.graph.node] == ["Mul", "Add", "Reshape"]
    assert [node.name for node in model.graph.node] == ["n0", "n1", "n2"]


def test_a_tensor_that_is_read_twice_is_placed_once() -> None:
    value = helper.make_tensor_value_info("in", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])
    body = helper.make_graph([helper.make_node("Mul", ["in", "in"], ["out"])], "square", [value], [result])
    model = helper.make_model(body)
    graph.canonical(model)
    assert [list(node.input) for node in model.graph.node] == [["in", "in"]]


def wheel(folder: Path, **members: bytes) -> Path:
    path = folder / "mediapipe.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for conversion in (DETECTOR, LANDMARKS):
            if conversion.pack in members:
                archive.writestr(conversion.member, members[conversion.pack])
    return path


def test_a_member_is_read_when_its_hash_is_right(tmp_path: Path) -> None:
    recorded = replace(DETECTOR, sha256=hashlib.sha256(b"model").hexdigest())
    assert read_member(wheel(tmp_path, face_detector=b"model"), recorded) == b"model"


def test_another_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"is not the file of mediapipe 0\.10\.21"):
        read_member(wheel(tmp_path, face_detector=b"model"), DETECTOR)


def test_a_wheel_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot read mediapipe/modules/face_landmark"):
        read_member(wheel(tmp_path, face_detector=b"model"), LANDMARKS)


def test_a_conversion_is_a_pack_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command but for TensorFlow, whose part a small model takes."""
    recorded = replace(SMALL, sha256=hashlib.sha256(b"model").hexdigest())
    monkeypatch.setattr(mediapipe, "to_onnx", lambda _: small())
    monkeypatch.setattr(mediapipe, "CONVERSIONS", (recorded,))
    path = wheel(tmp_path, face_detector=b"model")
    assert main([str(path), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'small'}\n"
    manifest = load_pack(tmp_path / "out" / "small").manifest
    assert manifest.licence == "Apache-2.0"
    assert manifest.recipe["tflite_sha256"] == recorded.sha256
    engine = load_engine("small", "openvino", tmp_path / "out")
    assert engine.run({"image": np.ones((2, 2, 3), np.float32)})["boxes"].tolist() == [[2.0] * 6] * 2


def test_a_converter_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = replace(SMALL, sha256=hashlib.sha256(b"model").hexdigest())
    monkeypatch.setattr(mediapipe, "CONVERSIONS", (recorded,))
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    assert main([str(wheel(tmp_path, face_detector=b"model")), str(tmp_path / "out")]) == 1
    assert "tf2onnx" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_the_command_fails_in_one_line(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.whl"
    if content is not None:
        path.write_bytes(content)
    assert main([str(path), str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: cannot read mediapipe/")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("conversion", [DETECTOR, LANDMARKS])
def test_the_committed_packs_are_those_of_the_script(conversion: mediapipe.Conversion) -> None:
    """Everything but the model itself can be made here: a manifest or card edited by hand is found."""
    folder = MODELS / conversion.pack
    manifest = load_pack(folder).manifest
    assert manifest.inputs == conversion.inputs
    assert manifest.outputs == conversion.outputs
    assert manifest.preprocessing == conversion.preprocessing
    assert manifest.recipe["tflite_sha256"] == conversion.sha256
    assert (folder / "card.md").read_text() == conversion.card.strip() + "\n"
    assert manifest.name in (folder / "card.md").read_text()
    assert f"engines/models/{manifest.name}" in (Path(__file__).parents[3] / "NOTICE").read_text()
