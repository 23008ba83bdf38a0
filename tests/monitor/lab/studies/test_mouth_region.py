"""Mouths told from the rest of a face: what features see, who is left out, and what is compared with what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

pytest.importorskip("sklearn", reason="it fits models: install the extra `train`")

from monitor.lab.commands.train_mouths import lines_for, logistic, mouth_rows
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.mouth_moments import MouthMoments, find_moments, load_moments
from monitor.lab.studies.mouth_region import FEATURES, Regions, SeenClip, by_method, features, see
from tests.engines.training.test_pasted_mouths import face

Doubles = NDArray[np.float64]


def noise(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(60, 190, (224, 224, 3)).astype(np.uint8)


def moments(count: int = 3) -> MouthMoments:
    pictures = np.stack([np.stack([noise(2 * n), noise(2 * n + 1)]) for n in range(count)])
    return MouthMoments(pictures, np.tile(face(), (count, 2, 1, 1)), np.full(count, 120.0))


def soft_mouth(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    blurred = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(2)))
    made = picture.copy()
    made[110:190, 70:155] = blurred[110:190, 70:155]
    return made


def row(name: str, subject: str, method: str = "real") -> Row:
    return Row(Path(name), name, "real" if method == "real" else "fake", method, subject)


def toy(name: str, subject: str, method: str = "real", strength: float = 1.5, level: float = 0.0) -> SeenClip:
    """Features in which pasted mouths lie `strength` away, and every person lies at a level of their own."""
    random = np.random.default_rng(sum(name.encode()))

    def some(count: int, away: float) -> Doubles:
        return np.asarray(random.normal(0, 1, (count, len(FEATURES))) + away + level)

    if method != "real":
        none = np.zeros((0, len(FEATURES)))
        return SeenClip(row(name, subject, method), some(5, strength), none, none, none)
    return SeenClip(row(name, subject), some(5, 0), some(5, 0.0), some(10, 1.5), some(10, 0))


def clips(strength: float = 1.5, spread: float = 0.0) -> list[SeenClip]:
    random = np.random.default_rng(0)
    found = []
    for n in range(16):
        level = spread * float(random.normal())
        found.append(toy(f"real {n}", f"p{n}", level=level))
        if n < 8:
            found.append(toy(f"fake {n}", f"p{n}", "lips", strength, level))
    return found


def test_a_soft_mouth_is_seen_and_a_soft_picture_is_not() -> None:
    pair, points = np.stack([noise(0), noise(1)]), Regions.of(face(), 224)
    plain, soft = features(pair, points), features(np.stack([*map(soft_mouth, pair)]), points)
    all_soft = np.stack([np.asarray(Image.fromarray(one).filter(ImageFilter.GaussianBlur(2))) for one in pair])
    assert plain.shape == (len(FEATURES),)
    assert soft[0] < plain[0] - 1
    assert abs(features(all_soft, points)[0] - plain[0]) < 0.5


def test_a_mouth_of_another_colour_is_seen() -> None:
    pair = np.stack([noise(0), noise(1)])
    red = pair.copy()
    red[:, 110:190, 70:155, 0] = np.clip(red[:, 110:190, 70:155, 0].astype(int) + 40, 0, 255)
    points = Regions.of(face(), 224)
    assert features(red, points)[10] > features(pair, points)[10] + 1


def test_genuine_clips_are_pasted_and_forged_ones_are_not() -> None:
    genuine, forged = see(row("a", "p"), moments()), see(row("b", "p", "lips"), moments())
    assert genuine.plain.shape == genuine.poor.shape == (3, len(FEATURES))
    assert genuine.pasted.shape == genuine.received.shape == (6, len(FEATURES))
    assert (forged.plain.shape, forged.pasted.shape) == ((3, len(FEATURES)), (0, len(FEATURES)))
    assert np.isfinite(genuine.pasted).all()
    assert not np.allclose(genuine.pasted, genuine.received)


def test_forgeries_like_the_pasted_are_told_and_others_are_not() -> None:
    found = {row.method: row for row in by_method(clips(), logistic, rounds=20)}
    assert list(found) == ["lips", "genuine, coded again"]
    assert found["lips"].auc > 0.9
    assert found["lips"].own > 0.8
    assert found["lips"].low <= found["lips"].auc <= found["lips"].high
    assert (found["lips"].clips, found["lips"].people, found["lips"].own_clips) == (8, 8, 8)
    assert found["genuine, coded again"].auc < 0.8
    assert abs(by_method(clips(strength=0.0), logistic, rounds=5)[0].auc - 0.5) < 0.35


def test_people_who_differ_are_told_by_their_own_mouths() -> None:
    lips = by_method(clips(spread=4.0), logistic, rounds=5)[0]
    assert lips.own > lips.auc


def test_who_has_no_genuine_clip_has_no_own_mouth() -> None:
    alone = [*clips(), toy("stranger", "nobody", "swap")]
    swap = next(row for row in by_method(alone, logistic, rounds=5) if row.method == "swap")
    assert swap.own_clips == 0
    assert np.isnan(swap.own)
    assert "own 0" in "\n".join(lines_for([swap]))


def test_clips_are_chosen_by_method_and_by_person(tmp_path: Path) -> None:
    lines = ["path,label,method,subject"]
    lines += [f"f{n}.mp4,fake,lips,a" for n in range(5)] + ["o.mp4,fake,audio offset,a"]
    lines += [f"a{n}.mp4,real,real,a" for n in range(5)] + [f"b{n}.mp4,real,real,b" for n in range(3)]
    manifest = tmp_path / "clips.csv"
    manifest.write_text("\n".join(lines) + "\n")
    rows = mouth_rows([manifest], None, 2, 9)
    assert [(row.method, row.subject) for row in rows] == [("lips", "a")] * 2 + [("real", "a")] * 3 + [("real", "b")]


@pytest.mark.data
def test_moments_of_a_clip_are_pairs_of_one_face(data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "second/h019__Talk2Homes__2.mp4"
    notes: list[str | None] = []
    absent = row("absent.mp4", "q")
    ((_, found),) = load_moments([Row(path, "d1", "real", "real", "d1"), absent], tmp_path, notes.append)
    assert 2 <= len(found) <= 5
    assert found.pictures.shape[1:] == (2, 224, 224, 3)
    assert 0 < found.landmarks.min() < found.landmarks.max() < 224
    assert notes[0] is None
    assert "left out" in str(notes[1])
    assert callable(find_moments)
