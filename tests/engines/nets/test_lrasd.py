"""LR-ASD's encoders with their published weights against an independent forward, and streams against clips."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="importing needs torch: install the extra `train`")

import torch
from torch.nn import functional as F  # noqa: N812

from engines.convert.checkpoints import fill, read
from engines.nets.lrasd import LrAsdFace, LrAsdVoice
from tests.engines.published import Tensors, batch_norm, random_state

EPS = 1e-3


@pytest.fixture(scope="module", params=["published", "random"])
def weights(request: pytest.FixtureRequest) -> tuple[Tensors, Tensors]:
    """Tensors of the face's and of the voice's encoder."""
    if request.param == "random":
        return random_state(LrAsdFace(), 0), random_state(LrAsdVoice(), 1)
    data: Path = request.getfixturevalue("data_dir")
    checkpoint = read(data / "weights" / "LR-ASD_finetuning_TalkSet.model")
    return checkpoint.under("model.visualEncoder."), checkpoint.under("model.audioEncoder.")


def reference_face(face: torch.Tensor, tensors: Tensors) -> torch.Tensor:
    """Whole pictures 0..255 to (T, 128), as the paper draws it: space twice, time twice, three times."""
    x = ((face / 255 - 0.4161) / 0.1688)[None, None]
    for block, stride in ((1, 2), (2, 1), (3, 1)):
        for part, pad, move in (
            ("s_1", (0, 2, 2), stride),
            ("s_2", (0, 1, 1), 1),
            ("t_1", (2, 0, 0), 1),
            ("t_2", (1, 0, 0), 1),
        ):
            x = F.conv3d(x, tensors[f"block{block}.{part}.weight"], None, (1, move, move), pad)
            x = batch_norm(x, tensors, f"block{block}.{part[0]}_norm_{part[2]}", EPS).clamp(min=0)
        if block < 3:
            x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    return x[0].flatten(2).max(2).values.T


def reference_voice(mfcc: torch.Tensor, tensors: Tensors) -> torch.Tensor:
    """Coefficients (4 T, 13) to (T, 128)."""
    x = mfcc.T[None, None]
    for block in (1, 2, 3):
        for part, pad in (("m_1", (2, 0)), ("m_2", (1, 0)), ("t_1", (0, 2)), ("t_2", (0, 1))):
            x = F.conv2d(x, tensors[f"block{block}.{part}.weight"], None, 1, pad)
            x = batch_norm(x, tensors, f"block{block}.{part[0]}_norm_{part[2]}", EPS).clamp(min=0)
        if block < 3:
            x = F.max_pool2d(x, (1, 3), (1, 2), (0, 1))
    return x[0].mean(1).T


@torch.no_grad()
def test_the_face_encoder_is_the_published_one(weights: tuple[Tensors, Tensors]) -> None:
    encoder = LrAsdFace()
    fill(encoder, weights[0], "a test")
    face = torch.randint(0, 256, (7, 112, 112)).float()
    assert float((encoder(face[None] / 255)[0] - reference_face(face, weights[0])).abs().max()) < 1e-4


@torch.no_grad()
def test_the_voice_encoder_is_the_published_one(weights: tuple[Tensors, Tensors]) -> None:
    encoder = LrAsdVoice()
    fill(encoder, weights[1], "a test")
    mfcc = 5 * torch.randn(48, 13)
    found = encoder(mfcc.reshape(1, 12, 4, 13))[0]
    assert float((found - reference_voice(mfcc, weights[1])).abs().max()) < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("chunk", [1, 5, 12])
def test_a_stream_is_the_clip(weights: tuple[Tensors, Tensors], chunk: int) -> None:
    face, voice = LrAsdFace(), LrAsdVoice()
    fill(face, weights[0], "a test")
    fill(voice, weights[1], "a test")
    for encoder, clip in ((face, torch.rand(1, 36, 112, 112)), (voice, 5 * torch.randn(1, 36, 4, 13))):
        state, found = torch.zeros(1, encoder.state_size), []
        for start in range(0, 36, chunk):
            vectors, state = encoder.step(clip[:, start : start + chunk], state)
            found.append(vectors)
        streamed, whole, reach = torch.cat(found, 1), encoder(clip), encoder.reach
        # Away from the ends: at the start a stream has seen nothing where a clip has been padded.
        assert float((streamed[:, 2 * reach + 3 :] - whole[:, reach + 3 : -reach]).abs().max()) < 1e-4
