"""What the tests of enrolment share: models with a small backbone of their own, and what real clips gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines.base import MODELS, TensorSpec
from engines.load import load_engine
from monitor.detectors.pairwise.entry import IDENTITY
from monitor.face.encoders import FaceEncoders
from monitor.session.models import Models, load_models
from tests.engines import packs
from tests.monitor import people
from tests.monitor.loaded import pairwise, with_faces

SIDE = 32


def backbone() -> bytes:
    """A backbone that nobody trained: means of 8 x 8 cells and their log-odds, through fixed random numbers."""
    random = np.random.default_rng(4)
    cells = 3 * (SIDE // 8) ** 2
    weights = {
        "mix": random.standard_normal((cells, people.SIZE)).astype(np.float32),
        "ask": random.standard_normal((people.SIZE, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("AveragePool", ["face"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("MatMul", ["flat", "mix"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "ask"], ["logit"]),
    ]

    def value(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    graph = helper.make_graph(
        nodes,
        "backbone",
        [value("face", 3, SIDE, SIDE)],
        [value("embedding", people.SIZE), value("logit", 1)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture(scope="session")
def faceless() -> Models:
    """The models of the installation without what compares faces."""
    return with_faces(load_models(), None, None)


@pytest.fixture(scope="session")
def unidentified(faceless: Models, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Models that compare faces by a backbone alone."""
    folder = tmp_path_factory.mktemp("packs")
    packs.write(
        folder,
        name="face_artefacts",
        model=backbone(),
        inputs=(TensorSpec("face", (3, SIDE, SIDE)),),
        outputs=(TensorSpec("embedding", (people.SIZE,)), TensorSpec("logit", (1,))),
        preprocessing={"size": SIDE},
    )
    faces = FaceEncoders(load_engine("face_artefacts", "onnx", folder), None)
    return with_faces(faceless, faces, people.population(key=faces.key))


@pytest.fixture(scope="session")
def models(unidentified: Models) -> Models:
    """Models that compare faces, with the identity encoder of the installation."""
    if not (MODELS / IDENTITY).exists():
        pytest.skip("the identity encoder is not installed: run `make build`")
    backbone_alone = pairwise(unidentified).encoders
    assert backbone_alone is not None
    faces = FaceEncoders(backbone_alone._artefacts, load_engine(IDENTITY))
    return with_faces(unidentified, faces, people.population(key=faces.key))


@pytest.fixture(scope="session")
def speaker(data_dir: Path) -> list[Path]:
    """Six clips of 3 s of one speaker."""
    return sorted((data_dir / "clips/real").glob("lipnet__*.mp4"))[:6]


@pytest.fixture(scope="session")
def stranger(data_dir: Path) -> Path:
    """Three seconds of somebody else."""
    return data_dir / "clips/real/lip-reading-model__brbk7n.mp4"
