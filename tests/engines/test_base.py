from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.base import (
    InputError,
    Manifest,
    ModelPackError,
    TensorSpec,
    check_inputs,
    check_interface,
    example_length,
    zeros,
)
from engines.packs import load_pack, parse_manifest
from tests.engines import packs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return packs.write(tmp_path)


@pytest.fixture
def manifest(folder: Path) -> Manifest:
    return load_pack(folder).manifest


def test_a_whole_pack_is_read(folder: Path) -> None:
    pack = load_pack(folder)
    assert pack.model == folder / "model.onnx"
    assert pack.manifest.name == "adder"
    assert pack.manifest.licence == "Apache-2.0"
    assert pack.manifest.inputs == packs.IN
    assert pack.manifest.outputs == packs.OUT


def test_an_absent_pack_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelPackError, match=r"no model pack in .*: reinstall"):
        load_pack(tmp_path / "absent")


@pytest.mark.parametrize("text", [b"{", b"\xff\xfe{}", b""])
def test_a_manifest_that_is_not_json_is_refused(folder: Path, text: bytes) -> None:
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(ModelPackError, match="cannot be read as JSON"):
        load_pack(folder)


def test_a_manifest_that_is_a_folder_is_refused(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()
    with pytest.raises(ModelPackError, match="cannot be read"):
        load_pack(folder)


@pytest.mark.parametrize("raw", [[], {}, {"schema": 2}, "adder", None])
def test_another_schema_is_refused(raw: Any) -> None:
    with pytest.raises(ModelPackError, match="not a manifest of schema 1"):
        parse_manifest(raw, Path("manifest.json"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": None}, "name"),
        ({"sha256": None}, "sha256"),
        ({"inputs": None}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": "abc"}, "get"),
        ({"inputs": 3}, "int"),
        ({"outputs": [{"name": "x", "shape": ["wide"]}]}, "wide"),
        ({"outputs": [{"name": "x", "shape": [0]}]}, "shape of x"),
        ({"outputs": [{"name": "x", "shape": [-2]}]}, "shape of x"),
        ({"outputs": [{"name": "x", "shape": [1], "dtype": "int8"}]}, "dtype of x"),
        ({"outputs": [{"name": "x", "shape": [1]}, {"name": "x", "shape": [2]}]}, "outputs"),
        ({"preprocessing": 7}, "int"),
    ],
)
def test_a_garbled_field_is_named(folder: Path, changes: dict[str, Any], named: str) -> None:
    packs.edit(folder, **changes)
    with pytest.raises(ModelPackError, match=f"lacks or garbles the field .*{named}") as error:
        load_pack(folder)
    assert "\n" not in str(error.value)


def test_a_missing_model_is_named(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelPackError, match=r"model\.onnx is missing"):
        load_pack(folder)


def test_an_altered_model_is_refused(folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelPackError, match="does not match the sha256"):
        load_pack(folder)


def test_inputs_that_fit_pass(manifest: Manifest) -> None:
    check_inputs(manifest, zeros(manifest, batch=4, length=7))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"c": np.zeros((1, 3, 2), np.float32)}, r"takes the inputs \['a', 'b'\]"),
        ({"b": np.zeros((1, 3, 2), np.float64)}, "is float64, not float32"),
        ({"b": np.zeros((1, 3, 2), ">f4")}, "not float32"),
        ({"b": [[[0.0, 0.0]]]}, "is list, not a numpy array"),
        ({"b": np.zeros((1, 3, 4), np.float32)}, r"has shape \(1, 3, 4\), not \(batch, -1, 2\)"),
        ({"b": np.zeros((3, 2), np.float32)}, "has shape"),
        ({"b": np.zeros((0, 3, 2), np.float32)}, "has shape"),
        ({"b": np.zeros((1, 4, 2), np.float32)}, r"have the lengths \[3, 4\]: make them equal"),
        ({"b": np.zeros((2, 3, 2), np.float32)}, "has batch 2, the other inputs 1"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(manifest: Manifest, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_inputs(manifest, {**zeros(manifest), **changes})


def test_a_missing_input_is_refused(manifest: Manifest) -> None:
    with pytest.raises(InputError, match="takes the inputs"):
        check_inputs(manifest, {"a": zeros(manifest)["a"]})


def test_zeros_take_the_example_length_unless_told(manifest: Manifest) -> None:
    assert zeros(manifest, batch=2)["a"].shape == (2, 3, 2)
    assert zeros(manifest, length=5)["a"].shape == (1, 5, 2)
    assert example_length(replace(manifest, preprocessing={})) == 1


GRAPH_IN = {"a": [-1, -1, 2], "b": [-1, -1, 2]}


@pytest.mark.parametrize("found", [[-1, -1, 2], [-1, -1, -1], []])
def test_a_graph_that_matches_its_manifest_passes(manifest: Manifest, found: list[int]) -> None:
    check_interface(manifest, GRAPH_IN, {"sum": found, "by_the_way": [1]})


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({"a": [-1, -1, 2]}, {"sum": [-1, -1, 2]}, r"has inputs \['a'\], its manifest says \['a', 'b'\]"),
        ({**GRAPH_IN, "c": [-1]}, {"sum": [-1, -1, 2]}, "has inputs"),
        (GRAPH_IN, {"total": [-1, -1, 2]}, "has outputs"),
        (GRAPH_IN, {"sum": [1, -1, 2]}, r"has 'sum' of shape \(1, -1, 2\), its manifest says \(batch, -1, 2\)"),
        (GRAPH_IN, {"sum": [-1, -1, 3]}, "has 'sum' of shape"),
        (GRAPH_IN, {"sum": [-1, 2]}, "has 'sum' of shape"),
    ],
)
def test_a_graph_that_does_not_is_refused(
    manifest: Manifest, inputs: dict[str, list[int]], outputs: dict[str, list[int]], message: str
) -> None:
    with pytest.raises(ModelPackError, match=message):
        check_interface(manifest, inputs, outputs)


def test_a_tensor_spec_alone_takes_any_batch() -> None:
    TensorSpec("x", (2,)).check(np.zeros((9, 2), np.float32))
