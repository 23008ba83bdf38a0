"""What SpeechForensics computes, with random weights: to measure what it costs, and for nothing else.

After Liang et al., "SpeechForensics: Audio-Visual Speech Representation Learning for Face Forgery Detection" (NeurIPS
2024): a face and 68 landmarks in every picture, a mouth brought to a mean face, AV-HuBERT once for the lips and once
for the voice, and how far both agree at each of 31 offsets. Networks without training find nothing: what they answer is
dropped, faces are taken to fill the middle of the picture, and no agreement means anything.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.nets.avhubert import MOUTH, AvHubertContext, AvHubertLips, AvHubertVoice, Modality, Sizes
from engines.nets.fan import FAN, SIDE, places
from engines.nets.retinaface import RetinaFace, anchors, decode

LARGE: Final = Sizes(1024, 24, 4096)
MAX_OFFSET: Final = 15
CROP: Final = 96
# Of blue, green and red, which the published detector takes off.
CHANNEL_MEANS: Final = (104.0, 117.0, 123.0)
GREY: Final = (0.299, 0.587, 0.114)
# The corners of the eyes and the tip of the nose in the mean face of 256 x 256, and the middle of its mouth.
MEAN_FACE: Final = ((128.87, 137.30), (92.52, 94.37), (112.77, 94.94), (145.53, 94.53), (166.68, 93.57))
MEAN_MOUTH: Final = (129.3, 157.8)

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]


class SpeechForensics:
    """The networks, and each stage from arrays to arrays; they compute in one thread of this process from now on."""

    def __init__(self, sizes: Sizes = LARGE, stacks: int = 4) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.detector, self.aligner = RetinaFace().eval(), FAN(stacks).eval()
        self.lips, self.voice = AvHubertLips(sizes.width).eval(), AvHubertVoice(sizes.width).eval()
        # One transformer, as in the checkpoint, asked once for each side.
        self.context = AvHubertContext(sizes, "lips").eval()

    @property
    def threads(self) -> int:
        """How many threads compute."""
        return torch.get_num_threads()

    def parameters(self) -> dict[str, int]:
        """Count the parameters of each network."""
        encoder: tuple[nn.Module, ...] = (self.lips, self.voice, self.context)
        found = {"RetinaFace": (self.detector,), "FAN": (self.aligner,), "AV-HuBERT": encoder}
        return {name: sum(p.numel() for net in nets for p in net.parameters()) for name, nets in found.items()}

    @torch.inference_mode()
    def find(self, picture: Picture) -> Floats:
        """Look for faces in a picture (H, W, 3): the share of a face and the box of every anchor, (A, 5).

        Which of them overlap is not asked: how many there are to compare is up to the weights.
        """
        pixels = torch.from_numpy(picture[..., ::-1].copy()).to(torch.float32)
        chosen = (pixels - torch.tensor(CHANNEL_MEANS)).permute(2, 0, 1)[None]
        faces, offsets, _ = self.detector(chosen)
        boxes = decode(anchors(picture.shape[0], picture.shape[1]), offsets)
        return _floats(torch.cat([faces[..., None], boxes], 2)[0])

    @torch.inference_mode()
    def align(self, picture: Picture) -> Floats:
        """Place the landmarks of the face in the middle of a picture, (68, 2) in pixels of the crop."""
        face = _middle(picture)
        crop = nn.functional.interpolate(_planes(face), size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        return _floats(places(self.aligner(crop))[0])

    @torch.inference_mode()
    def mouth(self, picture: Picture) -> Floats:
        """Bring the face in the middle of a picture to the mean face and cut its mouth: grey (96, 96) in [0, 1]."""
        face = _middle(picture)
        side = face.shape[0]
        standing = np.array(MEAN_FACE) * side / SIDE
        turn, shift = similarity(np.array(MEAN_FACE), standing)
        # From pixels of the mean face to those of the picture, in the coordinates of the sampler: -1 to 1.
        scaled = turn * SIDE / side
        centre = (turn @ np.full(2, SIDE / 2) + shift) * 2 / side - 1
        theta = torch.from_numpy(np.hstack([scaled, centre[:, None]]).astype(np.float32))[None]
        grid = nn.functional.affine_grid(theta, [1, 3, SIDE, SIDE], align_corners=False)
        warped = nn.functional.grid_sample(_planes(face), grid, mode="bilinear", align_corners=False)[0]
        left, top = (round(middle - CROP / 2) for middle in MEAN_MOUTH)
        grey = (warped * torch.tensor(GREY)[:, None, None]).sum(0)
        return _floats(grey[top : top + CROP, left : left + CROP])

    def see(self, mouths: Floats) -> Floats:
        """Encode mouths (T, 96, 96) all at once: unit vectors (T, width)."""
        edge = (CROP - MOUTH) // 2
        return self._encode("lips", mouths[:, edge : edge + MOUTH, edge : edge + MOUTH])

    def hear(self, filterbank: Floats) -> Floats:
        """Encode filterbank steps (T, 104) all at once: unit vectors (T, width)."""
        return self._encode("voice", filterbank)

    @torch.inference_mode()
    def _encode(self, modality: Modality, rows: Floats) -> Floats:
        given = torch.from_numpy(np.ascontiguousarray(rows))[None]
        front = self.lips(given) if modality == "lips" else self.voice(given)
        self.context.modality = modality
        return _floats(self.context(front, torch.ones(front.shape[:2]))[0])


def similarity(of: NDArray[np.float64], to: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit by least squares what turns, scales and moves points (N, 2) to others: a matrix (2, 2) and a shift (2,)."""
    a, b = (points[:, 0] + 1j * points[:, 1] for points in (of, to))
    factor = (np.conj(a - a.mean()) * (b - b.mean())).sum() / (np.abs(a - a.mean()) ** 2).sum()
    moved = b.mean() - factor * a.mean()
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return turn, np.array([moved.real, moved.imag])


def agreement(seen: Floats, heard: Floats) -> tuple[float, int]:
    """Return the highest mean cosine of unit vectors (T, D) over offsets of 15 frames either way, and its offset."""
    frames = min(len(seen), len(heard))
    means = {}
    for offset in range(-MAX_OFFSET, MAX_OFFSET + 1):
        length = frames - abs(offset)
        if length > 0:
            first, second = max(offset, 0), max(-offset, 0)
            pairs = seen[first : first + length] * heard[second : second + length]
            means[offset] = float(pairs.sum(1).mean())
    best = max(means, key=means.__getitem__)
    return means[best], best


def _middle(picture: Picture) -> Picture:
    """Cut the largest square from the middle."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _planes(picture: Picture) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].to(torch.float32) / 255


def _floats(x: Tensor) -> Floats:
    found: Floats = x.numpy()
    return found
