"""The identity encoder against dlib itself, and files that are not what they should be.

Golden vectors: dlib 20.0.1 (`tests/golden/identity.py`), of a network with seeded weights that the tests write again,
and of the published one where its pack is installed. Tolerance: 1e-5 in each of the 128 numbers of a unit vector.
Measured: below 1e-6 for both engines.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="building the encoder needs onnx: install the extra `identity`")

from engines.base import MODELS, EngineError
from engines.convert.dlib_face import PACKAGE, SHA256, build, convert, published
from engines.convert.dlib_format import FormatError, network
from engines.load import load_engine
from engines.packs import load_pack
from engines.registry import EngineName
from monitor import cli
from tests.engines import dlib_file as write
from tests.golden.identity import faces

GOLDEN = Path(__file__).parents[1] / "golden" / "identity.npz"
TOLERANCE = 1e-5
# As many kinds of layers as the real one, in a file of 30 KB.
SMALL = write.residual((2, 3), (1, 1))

both_engines = pytest.mark.parametrize("name", ["openvino", "onnx"])


def golden(which: str) -> NDArray[np.float64]:
    with np.load(GOLDEN) as archive:
        vectors: NDArray[np.float64] = archive[which]
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def batch() -> NDArray[np.float32]:
    return np.ascontiguousarray(faces().transpose(0, 3, 1, 2), np.float32)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pack made from a network of the full size with seeded weights."""
    folder = tmp_path_factory.mktemp("seeded")
    (folder / "seeded.dat").write_bytes(write.residual())
    return convert(folder / "seeded.dat", folder / "packs").parent


@both_engines
def test_vectors_are_those_of_dlib(seeded: Path, name: EngineName) -> None:
    engine = load_engine("face_identity", name, seeded)
    got = engine.run({"face": batch()})["embedding"]
    np.testing.assert_allclose(got, golden("seeded"), rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(engine.run({"face": batch()[2:3]})["embedding"][0], got[2], rtol=0, atol=TOLERANCE)


@both_engines
def test_the_published_network_gives_dlibs_vectors(name: EngineName) -> None:
    if not (MODELS / "face_identity").exists():
        pytest.skip("the identity encoder is not installed: make identity")
    engine = load_engine("face_identity", name)
    np.testing.assert_allclose(engine.run({"face": batch()})["embedding"], golden("published"), rtol=0, atol=TOLERANCE)
    assert engine.manifest.recipe["file_sha256"] == SHA256
    assert engine.manifest.licence.startswith("CC0")


def test_the_golden_vectors_differ_from_picture_to_picture() -> None:
    for which in ("seeded", "published"):
        vectors = golden(which)
        apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
        assert apart[~np.eye(len(vectors), dtype=bool)].min() > 100 * TOLERANCE


def test_a_conversion_repeats_to_the_byte_and_says_where_it_is_from(seeded: Path, tmp_path: Path) -> None:
    again = convert(seeded.parent / "seeded.dat", tmp_path)
    for name in ("model.onnx", "manifest.json", "card.md"):
        assert (again / name).read_bytes() == (seeded / "face_identity" / name).read_bytes()
    manifest = load_pack(again).manifest
    assert manifest.licence == "not known: this is not the published file"
    assert manifest.source == "seeded.dat"
    assert manifest.recipe["file_sha256"] in (again / "card.md").read_text()
    assert "precision" not in manifest.preprocessing, "only what passed the parity gate may compute in less"


def test_layers_come_in_the_order_of_the_data() -> None:
    layers = network(SMALL)
    kinds = [layer.kind for layer in layers]
    assert kinds[:6] == ["input_rgb_image_sized", "con", "affine", "relu", "max_pool", "mark"]
    assert kinds[-2:] == ["avg_pool", "fc"]
    assert layers[0].numbers["rows"] == 150
    assert layers[0].numbers["red"] == pytest.approx(122.782, abs=1e-4)
    assert layers[1].values["weight"].shape == (2, 3, 7, 7)
    assert layers[1].numbers["stride_y"] == 2


STEM = [write.con(np.ones((2, 3, 7, 7), np.float32), np.ones(2, np.float32), 2)]
AFFINE = write.affine(np.ones(2, np.float32), np.ones(2, np.float32))
RELU, MEAN = write.text("relu_"), write.pool("avg_pool", 0, 1)
HEAD = write.dense(np.ones((2, 128), np.float32))


def test_the_shortest_network_is_built() -> None:
    assert build(network(write.network([*STEM, AFFINE, RELU, MEAN, HEAD])))


def replaced(old: bytes, new: bytes) -> Callable[[], bytes]:
    """The small file with the first `old` in it changed."""
    assert old in SMALL
    return lambda: SMALL.replace(old, new, 1)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "ends after 0 bytes"),
    "cut short": (lambda: SMALL[:-100], "inside a field"),
    "another loss": (replaced(b"loss_metric_2", b"loss_metric_9"), "metric loss"),
    "more behind it": (lambda: SMALL + b"1", "1 bytes follow"),
    "grey pictures": (replaced(b"input_rgb_image_sized", b"input_rgb_image_tamed"), "colour pictures"),
    "a layer of another kind": (replaced(b"add_prev_", b"mul_prev_"), "'mul_prev_' is not known"),
    "a layer of another version": (replaced(b"con_4", b"con_9"), "'con_9' is not known"),
    "no whole number": (lambda: b"\x00" + SMALL[1:], "no whole number at byte 0"),
    "a size that cannot be": (lambda: SMALL[:2] + write.integer(200) + SMALL[4:], "size of 200"),
    "an endless number": (
        lambda: write.integer(1) + write.text("loss_metric_2") + write.integer(1) + write.integer(9000),
        "not finite",
    ),
    "a flag that is neither": (replaced(b"110" + write.tensor(write.EMPTY), b"1x0"), "no truth value"),
    "a version of a layer": (
        lambda: SMALL[: SMALL.index(b"loss_metric_2") + 23].replace(b"\x01\x02\x01\x02", b"\x01\x07") + SMALL,
        "not known",
    ),
    "a version of a tensor": (
        replaced(b"110" + write.tensor(write.EMPTY), b"110" + write.integer(9)),
        "version 9 of a tensor",
    ),
    "too many parameters": (
        lambda: write.network(
            [
                write.text("affine_")
                + write.tensor(write.flat(np.ones(3, np.float32)))
                + write.alias((1, 1, 1, 1)) * 2
                + write.integer(0)
            ]
        ),
        "3 parameters where 2 are named",
    ),
    "parameters that are not finite": (
        lambda: write.network([write.affine(np.array([np.nan], np.float32), np.ones(1, np.float32))]),
        "not finite",
    ),
    "small pictures": (
        lambda: write.network([*STEM, AFFINE, RELU, MEAN, HEAD], write.pixels(100)),
        "150 x 150",
    ),
    "no head": (lambda: write.network([*STEM, AFFINE, RELU]), "150 x 150"),
    "nothing after the convolution": (lambda: write.network([*STEM, RELU, MEAN, HEAD]), "do not fit"),
    "a stray affine layer": (lambda: write.network([*STEM, AFFINE, RELU, AFFINE, MEAN, HEAD]), "do not fit"),
    "a border of grey": (
        lambda: write.network(
            [write.con(np.ones((2, 3, 3, 3), np.float32), np.ones(2, np.float32), 1), AFFINE, MEAN, HEAD]
        ),
        "do not fit",
    ),
    "other channels": (lambda: write.network([*STEM, AFFINE, *STEM, AFFINE, MEAN, HEAD]), "do not fit"),
    "another head": (
        lambda: write.network([*STEM, AFFINE, MEAN, write.dense(np.ones((2, 64), np.float32))]),
        "do not fit",
    ),
    "a picture used up": (
        lambda: write.network([*STEM, AFFINE, *[write.pool("max_pool", 3, 2)] * 7, MEAN, HEAD]),
        "do not fit",
    ),
    "a pool without a stride": (
        lambda: write.network([*STEM, AFFINE, write.pool("max_pool", 3, 0), MEAN, HEAD]),
        "do not fit",
    ),
    "a padded pool": (
        lambda: write.network([*STEM, AFFINE, write.text("max_pool_2") + write.window(3, 2, 1), MEAN, HEAD]),
        "do not fit",
    ),
}


@pytest.mark.parametrize("why", list(REFUSED))
def test_other_files_are_refused_in_one_line(why: str) -> None:
    make, said = REFUSED[why]
    with pytest.raises(FormatError) as refusal:
        build(network(make()))
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert ": " in str(refusal.value)


@settings(max_examples=300)
@given(st.integers(0, len(SMALL) - 1), st.binary(min_size=1, max_size=4), st.integers(0, 6))
def test_damaged_files_raise_nothing_else(at: int, other: bytes, lost: int) -> None:
    damaged = SMALL[:at] + other + SMALL[at + lost :]
    with contextlib.suppress(FormatError):
        build(network(damaged))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        convert(tmp_path / "absent.dat", tmp_path)


def test_the_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.convert.dlib_face.PACKAGE", "no-such-distribution-here")
    with pytest.raises(EngineError, match=r"pip install 'sidewitness\[identity\]'"):
        published()


def test_the_package_holds_the_published_file() -> None:
    if find_spec(PACKAGE) is None:
        pytest.skip("the published weights are not installed: install the extra `identity`")
    assert hashlib.sha256(published().read_bytes()).hexdigest() == SHA256


def test_the_command_shows_the_licence_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.dat").write_bytes(SMALL)
    command = ["engines", "import", "dlib-face", str(tmp_path / "small.dat"), "--out", str(tmp_path / "packs")]
    assert cli.run(command) == 2
    said = capsys.readouterr().err
    for word in ("CC0", "biometric", "consent", "--accept-licence"):
        assert word in said
    assert not (tmp_path / "packs").exists()
    assert cli.run([*command, "--accept-licence"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "packs" / "face_identity")
    assert load_engine("face_identity", "onnx", tmp_path / "packs").manifest.outputs[0].shape == (128,)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dlib-face", "a.dat", "b.dat", "--accept-licence"], "name one, not 2"),
        (["dlib-face", "absent.dat", "--accept-licence"], "cannot be read"),
        (["lr-asd", "--out", "packs"], "name its files"),
        (["lr-asd", "a.model"], "--out FOLDER"),
    ],
)
def test_the_command_says_what_is_wrong(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["engines", "import", *words]) in (1, 2)
    assert said in capsys.readouterr().err


def test_a_pack_says_what_it_takes(seeded: Path) -> None:
    manifest = json.loads((seeded / "face_identity" / "manifest.json").read_text())
    assert manifest["preprocessing"]["range"] == [0, 255]
    assert manifest["inputs"][0]["shape"] == [3, 150, 150]
