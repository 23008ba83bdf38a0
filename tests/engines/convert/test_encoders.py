"""Published checkpoints to packs: the licence first, tensors only, and packs that stream as the product streams."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="importing needs torch: install the extra `train`")

import numpy as np
import torch

from engines.base import EngineError
from engines.checks.parity import TOLERANCE, differences, seeded
from engines.convert.checkpoints import read
from engines.convert.encoders import convert
from engines.load import pack_names
from engines.nets.avhubert import AvHubertContext
from engines.packs import load_pack
from engines.runtimes.onnx import OnnxEngine
from engines.runtimes.pytorch.engine import TorchEngine
from monitor import cli
from monitor.lab.corpus.manifest import Row, cached_features
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.lab.evaluate.clip_detector import Job
from monitor.lab.evaluate.registry import SynchronyClips, judge
from monitor.session.input_spec import InputSpec, input_spec_of
from monitor.session.models import Models, load_models, load_speech
from monitor.tap.media.digest import digest
from monitor.types import FloatArray
from monitor.window.stream_encoder import StreamEncoder
from tests.engines.published import SMALL, SMALL_BRAVEN, avhubert_state, braven_state


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small AV-HuBERT in the fine-tuned layout, imported by the command."""
    folder = tmp_path_factory.mktemp("avhubert")
    torch.save({"model": avhubert_state(SMALL, "encoder.w2v_model.")}, folder / "plain.pt")
    out = folder / "packs"
    assert (
        cli.run(["engines", "import", "avhubert", str(folder / "plain.pt"), "--out", str(out), "--accept-licence"]) == 0
    )
    return out


def agree_in_pytorch(folder: Path) -> None:
    """Hold the engine for GPUs against ONNX Runtime on every pack of a folder."""
    names = pack_names(folder)
    assert len(names) >= 2
    for name in names:
        pack = load_pack(folder / name)
        inputs = seeded(pack.manifest, 2, length=4)
        found = differences(OnnxEngine(pack), TorchEngine(pack, device="cpu"), inputs)
        assert max(found.values()) < TOLERANCE / 100


def test_the_licence_comes_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.run(["engines", "import", "avhubert", str(tmp_path / "absent.pt"), "--out", str(tmp_path / "packs")])
    said = capsys.readouterr()
    assert status == 2
    for word in ("commercial", "surveillance", "biometric", "--accept-licence"):
        assert word in said.err
    assert not (tmp_path / "packs").exists()


def test_packs_say_where_they_come_from(packs: Path) -> None:
    names = ["speech_lips", "speech_lips_context", "speech_voice", "speech_voice_context"]
    assert sorted(path.name for path in packs.iterdir()) == names
    source = read(packs.parent / "plain.pt")
    for name in names:
        manifest = load_pack(packs / name).manifest
        assert "non-commercial" in manifest.licence
        assert manifest.recipe["checkpoint_sha256"] == source.sha256
        card = (packs / name / "card.md").read_text()
        assert source.sha256 in card
        assert "biometric" in card
    speech = load_speech(packs)
    assert speech.input_spec == InputSpec("mouth88", "fbank104")
    assert speech.lips.manifest.preprocessing["reach"] == 14
    agree_in_pytorch(packs)


@torch.no_grad()
def test_a_stream_through_the_packs_is_the_module_over_its_window(packs: Path) -> None:
    speech, steps = load_speech(packs), 36
    fbank = np.random.default_rng(0).normal(size=(steps, 104)).astype(np.float32)
    encoder = StreamEncoder(speech.voice)
    found = encoder.push(0, {"fbank": fbank}, np.ones(steps, np.bool_))
    streamed = np.concatenate([chunk.vectors for chunk in found])
    assert found[0].first == 0
    tensors = {
        key.removeprefix("encoder.w2v_model."): value for key, value in read(packs.parent / "plain.pt").tensors.items()
    }
    context = AvHubertContext(SMALL, "voice")
    context.load_state_dict({key: tensors[key] for key in context.state_dict()})
    proj = tensors["feature_extractor_audio.proj.weight"], tensors["feature_extractor_audio.proj.bias"]
    front = torch.from_numpy(fbank) @ proj[0].T + proj[1]
    # Three chunks of 12 were fed, each answer 12 steps late: the last one had heard all 36.
    whole = context(front[None], torch.ones(1, steps))[0].numpy()
    assert len(streamed) == 24
    assert np.abs(streamed[12:24] - whole[12:24]).max() < 1e-3
    assert np.abs(np.linalg.norm(streamed, axis=1) - 1).max() < 1e-4


@pytest.mark.data
def test_a_session_takes_imported_packs_and_says_that_they_are_not_calibrated(
    packs: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = data_dir / "clips/real/LivePortrait__d20.mp4"
    assert cli.run(["scan", str(clip), "--packs", str(packs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["reason"]) == ("inconclusive", "not_calibrated")
    score = found["scores"]["synchrony"]
    assert -1 <= score["score"] <= 1
    assert score["p_value"] is None


@pytest.mark.data
def test_evaluation_analyses_clips_as_the_packs_want_them(packs: Path, data_dir: Path, tmp_path: Path) -> None:
    clip = data_dir / "clips/real/LivePortrait__d20.mp4"
    detector = SynchronyClips(packs)
    assert detector.input_spec == InputSpec("mouth88", "fbank104")
    assert detector.key != SynchronyClips().key
    content = digest(clip)
    files = [
        cached_features(clip, None, content, tmp_path, input_spec=input_spec)
        for input_spec in (InputSpec(), detector.input_spec)
    ]
    assert files[0] != files[1]
    shipped, wanted = (ClipFeatures.load(file) for file in files)
    assert (shipped.mouth.shape[1:], shipped.mel.shape[1:]) == ((36, 36), (4, 80))
    assert (wanted.mouth.shape[1:], wanted.mel.shape[1:]) == ((88, 88), (104,))
    # The face and who speaks do not depend on what is cut out of them; a front that looks on ends a step sooner.
    assert np.array_equal(shipped.face, wanted.face)
    assert np.count_nonzero(shipped.speech != wanted.speech) <= 1
    outcome = judge(Job(Row(clip, "d12", "real", "real", "d12")), wanted, detector)
    assert outcome.score is not None
    assert outcome.p_value is None


@pytest.mark.long
def test_braven_takes_two_checkpoints_in_any_order(tmp_path: Path) -> None:
    for name, lips in (("video.pth", True), ("audio.pth", False)):
        torch.save(braven_state(SMALL_BRAVEN, lips), tmp_path / name)
    with pytest.raises(EngineError, match="no voice encoder: name both files"):
        convert("braven", [tmp_path / "video.pth"], tmp_path / "one", print)
    made: list[str] = []
    convert("braven", [tmp_path / "audio.pth", tmp_path / "video.pth"], tmp_path / "packs", made.append)
    assert made == ["speech_lips", "speech_lips_context", "speech_voice", "speech_voice_context"]
    speech = load_speech(tmp_path / "packs")
    assert speech.input_spec == InputSpec("mouth88", "wave640")
    wave: FloatArray = np.zeros((24, 640), np.float32)
    found = StreamEncoder(speech.voice).push(0, {"wave": wave}, np.ones(24, np.bool_))
    assert found[0].vectors.shape[1] == SMALL_BRAVEN.width
    agree_in_pytorch(tmp_path / "packs")


@pytest.fixture(scope="module")
def lr_asd(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lr-asd")
    convert("lr-asd", [data_dir / "weights" / "LR-ASD_finetuning_TalkSet.model"], out, print)
    return out


@pytest.mark.long
def test_lr_asd_packs_run_in_both_engines(lr_asd: Path) -> None:
    mfcc = np.random.default_rng(0).normal(size=(20, 4, 13)).astype(np.float32)
    found = [
        np.concatenate([e.vectors for e in StreamEncoder(models.voice).push(0, {"mfcc": mfcc}, np.ones(20, np.bool_))])
        for models in (load(lr_asd, "openvino"), load(lr_asd, "onnx"))
    ]
    assert np.abs(found[0] - found[1]).max() < 1e-3
    agree_in_pytorch(lr_asd)


def load(folder: Path, engine: str) -> Models:
    return load_models("onnx" if engine == "onnx" else "openvino", folder)


@pytest.mark.long
@pytest.mark.data
def test_heads_bring_lr_asd_into_one_space(lr_asd: Path, data_dir: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader((data_dir / "clips.csv").read_text().splitlines()))
    short = [row for row in rows if row["path"].startswith("clips/real/Arabic")][:4]
    manifest = tmp_path / "clips.csv"
    lines = [f"{data_dir / row['path']},real,real,person{n}" for n, row in enumerate(short)]
    manifest.write_text("\n".join(["path,label,method,subject", *lines]))
    command = ["train", "heads", str(manifest), "--packs", str(lr_asd), "--cache", str(tmp_path / "cache"), "--smoke"]
    before = load_speech(lr_asd).lips.manifest.preprocessing["reach"]
    assert cli.run(command) == 0
    speech = load_speech(lr_asd)
    assert speech.lips.manifest.preprocessing["reach"] == before + 8
    assert {spec.name: spec.shape for spec in speech.voice.manifest.outputs}["voice"] == (-1, 128)
    assert load_pack(lr_asd / "speech_lips_head").manifest.licence == "that of its encoder: MIT (LR-ASD)"
    # A second time would leave two generations of heads side by side.
    assert cli.run(command) == 2


def test_a_second_import_does_not_mix_with_the_first(packs: Path) -> None:
    with pytest.raises(EngineError, match="holds speech packs already"):
        convert("lr-asd", [packs.parent / "plain.pt"], packs, print)


def pickled(folder: Path) -> Path:
    torch.save({"args": argparse.Namespace(task="av"), "model": avhubert_state(SMALL)}, folder / "fairseq.pt")
    return folder / "fairseq.pt"


def other(folder: Path) -> Path:
    torch.save({"layer.weight": torch.zeros(2, 2)}, folder / "other.pt")
    return folder / "other.pt"


def shortened(folder: Path) -> Path:
    tensors = avhubert_state(SMALL)
    del tensors["encoder.layers.1.fc2.bias"], tensors["encoder.layer_norm.bias"]
    torch.save(tensors, folder / "short.pt")
    return folder / "short.pt"


def widened(folder: Path) -> Path:
    torch.save(
        avhubert_state(SMALL) | {"feature_extractor_audio.proj.weight": torch.zeros(128, 80)}, folder / "wide.pt"
    )
    return folder / "wide.pt"


def broken(folder: Path) -> Path:
    torch.save(
        avhubert_state(SMALL) | {"feature_extractor_audio.proj.bias": torch.full((128,), torch.nan)}, folder / "nan.pt"
    )
    return folder / "nan.pt"


def text(folder: Path) -> Path:
    (folder / "words.pt").write_text("these are words")
    return folder / "words.pt"


def empty(folder: Path) -> Path:
    torch.save([torch.zeros(2)], folder / "list.pt")
    return folder / "list.pt"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            pickled,
            "holds more than tensors and is not opened here: on a machine that you trust .* save its tensors alone",
        ),
        (other, "other.pt lacks 'post_extract_proj.weight': is it a checkpoint of AV-HuBERT"),
        (shortened, "short.pt lacks encoder.layer.* and 1 more: is it a checkpoint of that system"),
        (widened, r"wide.pt has proj.weight of shape \(128, 80\), not \(128, 104\)"),
        (broken, "nan.pt has numbers in proj.bias that are not finite: download it again"),
        (text, "words.pt is not a torch checkpoint"),
        (empty, "list.pt holds no named tensors"),
        (lambda folder: folder / "absent.pt", "absent.pt cannot be read"),
    ],
)
def test_what_cannot_be_imported_is_one_line(tmp_path: Path, make: object, says: str) -> None:
    assert callable(make)
    path = make(tmp_path)
    with pytest.raises(EngineError, match=says) as caught:
        convert("avhubert", [path], tmp_path / "packs", lambda _: None)
    assert "\n" not in str(caught.value)


def test_one_checkpoint_means_one() -> None:
    with pytest.raises(EngineError, match="name one file, not 0"):
        convert("lr-asd", [], Path("nowhere"), print)


def test_a_kind_that_nobody_knows_is_one_line(packs: Path) -> None:
    from dataclasses import replace

    lips, voice = (load_pack(packs / name).manifest for name in ("speech_lips", "speech_voice"))
    with pytest.raises(EngineError, match="speech_lips wants 'holograms', which is not one of"):
        input_spec_of(replace(lips, preprocessing={"pictures": "holograms"}), voice)
