"""`engines build` and `engines float16`, and what `doctor` says of a GPU, on the double of one and without any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.packs import load_pack
from monitor import cli
from monitor.cli.checks import installation
from tests.engines import packs
from tests.engines.fake_cuda import FakeCuda
from tests.engines.fake_tensorrt import FakeTensorRt
from tests.engines.gpu import cuda, installed, trt

__all__ = ["cuda", "installed", "trt"]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    packs.write(tmp_path / "models", name="one")
    packs.write(tmp_path / "models", name="two", preprocessing={"engine": "onnx"})
    return tmp_path / "models"


def test_packs_are_compiled_once(
    installed: FakeTensorRt, cuda: FakeCuda, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    details = []
    for extra in ([], [], ["--again"]):
        assert cli.run(["engines", "build", "--models", str(models), "--json", *extra]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["gpu"], found["tensorrt"]) == ("Fake H200", installed.__version__)
        assert [(row["name"], row["ok"]) for row in found["packs"]] == [("one", True), ("two", True)]
        details.append([row["detail"] for row in found["packs"]])
    other = "runs in onnx whatever is asked for"
    assert details == [["compiled", other], ["compiled before", other], ["compiled", other]]
    assert cuda.made["plan"] == 2


def test_a_pack_that_is_not_compiled_fails_alone(
    installed: FakeTensorRt, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packs.write(models, name="bad", model=b"not a model")
    assert cli.run(["engines", "build", "--models", str(models)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "TensorRT on Fake H200" in said
    assert "NO" in said
    assert "compiled" in said


def test_without_tensorrt_a_line_says_what_to_do(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["engines", "build", "--models", str(models)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: TensorRT cannot be imported")
    assert "or choose the engine openvino" in said
    assert said.count("\n") == 1


def test_packs_are_written_in_float16(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "half"
    assert cli.run(["engines", "float16", str(out), "--only", "motion"]) == 0
    assert capsys.readouterr().out == f"{out / 'motion'}\n"
    assert load_pack(out / "motion").manifest.recipe["precision"] == "float16"
    assert cli.run(["engines", "float16", str(out), "--only", "motion"]) == 1
    assert "is there already: name a new folder" in capsys.readouterr().err
    assert cli.run(["engines", "float16", str(out), "--only", "nothing"]) == 2
    assert "nothing is none of face_artefacts" in capsys.readouterr().err


def test_doctor_tells_of_the_gpu_and_makes_nothing(installed: FakeTensorRt, tmp_path: Path) -> None:
    found = installation.engine("tensorrt")
    assert (found.state, found.detail) == ("ok", "Fake H200, compute capability 9.0, TensorRT 11.4.0.106")
    assert not (tmp_path / "xdg").exists()


def test_doctor_says_what_is_missing_for_a_gpu() -> None:
    found = installation.engine("tensorrt")
    assert found.state == "optional"
    assert found.detail.startswith("TensorRT cannot be imported")
    assert "install `sidewitness[tensorrt]`" in found.remedy


def test_doctor_says_that_there_is_no_gpu(installed: FakeTensorRt, cuda: FakeCuda) -> None:
    cuda.gpus = 0
    found = installation.engine("tensorrt")
    assert (found.state, found.remedy) == ("optional", "look with nvidia-smi, or choose the engine openvino")
    assert found.detail == "there is no GPU 0, only 0 on this machine; only this engine uses it"
