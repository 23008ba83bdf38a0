"""The companion of persona: its network, its training on made-up people, and its pack."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: install the extra `train`")

from engines.base import MOTION_WINDOW_STEPS  # noqa: E402
from engines.load import load_engine  # noqa: E402
from engines.nets.motion import MotionNet  # noqa: E402
from engines.training.clips import TrainingError  # noqa: E402
from engines.training.motion import CHECKPOINT, MotionRecipe, contrastive_loss, separation, train  # noqa: E402
from engines.training.motion_clips import (  # noqa: E402
    HEAD_NUMBERS,
    MotionClip,
    MotionSampler,
    Worsening,
    join_short,
    mirror_matrix,
    smoothed,
    worsen,
)
from engines.training.motion_pack import write_motion_pack  # noqa: E402

K = 4
FEATURES = K + 2 * HEAD_NUMBERS
SMALL = MotionRecipe(max_steps=6, people=4, each=3, size=12, measure_every=0.0)


def clip(person: int, recording: int, steps: int = 110, seed: int = 0) -> MotionClip:
    """Movements that go together in a way of the person's own."""
    manner = np.random.default_rng(100 + person).standard_normal((3, FEATURES))
    random = np.random.default_rng(1000 * seed + 10 * person + recording)
    drive = np.cumsum(random.standard_normal((steps, 3)), axis=0)
    motion = (drive - drive.mean(0)) @ manner + 0.3 * random.standard_normal((steps, FEATURES))
    every = np.ones(steps, bool)
    return MotionClip(f"{person}-{recording}", str(person), motion.astype(np.float32), every, every.copy())


def people(count: int = 5, recordings: int = 3) -> list[MotionClip]:
    return [clip(person, recording) for person in range(count) for recording in range(recordings)]


def test_a_vector_has_length_one_and_hears_nothing_of_masked_steps() -> None:
    net = MotionNet(FEATURES, 8).eval()
    motion, mask = torch.randn(2, MOTION_WINDOW_STEPS, FEATURES), torch.ones(2, MOTION_WINDOW_STEPS)
    mask[:, 60:] = 0
    other = motion.clone()
    other[:, 60:] = 99
    assert torch.allclose(net(motion, mask), net(other, mask), atol=1e-6)
    assert torch.allclose(net(motion, mask).norm(dim=1), torch.ones(2), atol=1e-5)
    assert torch.isfinite(net(torch.zeros(1, MOTION_WINDOW_STEPS, FEATURES), torch.zeros(1, MOTION_WINDOW_STEPS))).all()


def test_how_strongly_somebody_moves_is_not_what_is_compared() -> None:
    net = MotionNet(FEATURES, 8, sequence=False).eval()
    motion, mask = 10 * torch.randn(3, MOTION_WINDOW_STEPS, FEATURES), torch.ones(3, MOTION_WINDOW_STEPS)
    assert torch.allclose(net.correlations(motion, mask), net.correlations(3 * motion, mask), atol=5e-3)


def test_windows_of_one_recording_are_neither_drawn_together_nor_apart() -> None:
    embedding = torch.nn.functional.normalize(torch.randn(4, 8), dim=1)
    person, alone = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 0])
    assert contrastive_loss(embedding, person, alone, 0.2).item() == 0
    apart = torch.tensor([0, 1, 0, 1])
    same = torch.nn.functional.normalize(embedding[[0, 0, 2, 2]], dim=1)
    assert contrastive_loss(same, person, apart, 0.2) < contrastive_loss(embedding, person, apart, 0.2)


def test_a_person_is_found_again_in_another_recording(tmp_path: Path) -> None:
    run = train(
        people(), [clip(p, r, seed=7) for p in range(20, 25) for r in range(2)], SMALL, tmp_path, lambda _: None
    )
    area = run.history[-1]["held_out"]["auc"]
    assert area is not None
    assert area > 0.9
    assert [json.loads(line)["step"] for line in (tmp_path / "motion.jsonl").read_text().splitlines()][-1] == 6


def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    first = train(people(), [], SMALL, tmp_path, lambda _: None)
    again = train(people(), [], SMALL, tmp_path, lambda _: None)
    assert again.step == first.step == 6
    for one, other in zip(first.mean.state_dict().values(), again.mean.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")
    with pytest.raises(TrainingError, match="move it away"):
        train(people(), [], SMALL, tmp_path, lambda _: None)


def test_nobody_to_tell_apart_is_told() -> None:
    with pytest.raises(TrainingError, match="two people"):
        MotionSampler([clip(0, 0), clip(0, 1)], Worsening())
    assert separation(MotionNet(FEATURES, 8), [clip(0, 0)])["auc"] is None
    assert separation(MotionNet(FEATURES, 8), [clip(0, 0, steps=50)])["people"] == 0


def test_batches_are_of_people_and_their_recordings() -> None:
    batch = MotionSampler(people(), Worsening(), np.eye(FEATURES, dtype=np.float32)).batch(4, 3)
    assert batch.motion.shape == (12, MOTION_WINDOW_STEPS, FEATURES)
    assert len(set(batch.person.tolist())) == 4
    assert {len(set(batch.recording[batch.person == p].tolist())) for p in set(batch.person.tolist())} == {3}
    # Where everybody has one recording, parts of it are all there is.
    alone = MotionSampler(people(recordings=1), Worsening()).batch(3, 2)
    assert len(set(alone.recording.tolist())) == 6


def test_short_recordings_are_joined_without_a_jump() -> None:
    parts = [clip(0, n, steps=31) for n in range(5)]
    parts[0].valid[:4] = False
    joined = join_short([*parts, clip(1, 0), clip(2, 0, steps=31)])
    assert [(c.person, len(c.valid)) for c in joined] == [("1", 110), ("0", 27 + 31 + 31)]
    assert np.flatnonzero(~joined[1].valid).tolist() == [27, 27 + 31]
    assert joined[1].name == "0-0+0-1+0-2"


def test_windows_need_a_face_and_speech() -> None:
    whole = clip(0, 0)
    assert len(whole.starts()) == 110 - MOTION_WINDOW_STEPS + 1
    whole.speech[:] = False
    assert len(whole.starts()) == 0
    motion, mask = whole.window(3)
    assert motion.shape == (MOTION_WINDOW_STEPS, FEATURES)
    assert not motion[[0, -1], -HEAD_NUMBERS:].any()
    assert mask.all()


@pytest.mark.parametrize("how", ["noise", "smooth", "pace", "drop", "hold"])
def test_windows_are_made_worse_and_stay_windows(how: str) -> None:
    off = {"noise": 0.0, "smooth": 0.0, "pace": 0.0, "drop": 0.0, "hold": 25.0}
    on = {"noise": 0.5, "smooth": 3.0, "pace": 0.2, "drop": 0.5, "hold": 8.0}
    motion, mask = clip(0, 0).window(0)
    mask[10] = 0
    worse = worsen(
        motion, mask, motion.std(0), Worsening(chance=2.0, **{**off, how: on[how]}), np.random.default_rng(0)
    )
    assert worse.shape == motion.shape
    assert not worse[10].any()
    assert np.abs(worse - motion * mask[:, None]).max() > 1e-3


def test_smoothing_leaves_what_stands_still() -> None:
    still = np.ones((MOTION_WINDOW_STEPS, 2), np.float32)
    assert np.allclose(smoothed(still, 2.0), still, atol=1e-6)
    assert smoothed(still, 0.1) is still


def test_a_mirror_image_turns_the_other_way_and_back() -> None:
    face = np.array([[-1, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    # One cheek up, and the other one.
    components = np.zeros((2, 9), np.float32)
    components[0, 1] = components[1, 4] = 1
    matrix = mirror_matrix(components, np.array([1.0, 2.0], np.float32), face)
    row = np.arange(1, 15, dtype=np.float32)
    mirrored = row @ matrix
    assert mirrored[:2] == pytest.approx([2 * 2.0, 1 / 2.0])
    assert mirrored[2:8] == pytest.approx(row[2:8] * np.array([-1, 1, -1, -1, 1, 1]))
    assert mirrored @ matrix == pytest.approx(row)


def test_the_pack_is_what_was_trained(tmp_path: Path) -> None:
    recipe = MotionRecipe(max_steps=2, people=4, each=2, size=12, sequence=True)
    run = train(people(), [], recipe, tmp_path, lambda _: None)
    pack = write_motion_pack(run, tmp_path / "packs", recipe, {"clips": 15}, {"basis": "key"})
    engine = load_engine("motion", "onnx", pack.parent)
    motion, mask = (np.stack(arrays) for arrays in zip(*(clip(p, 0).window(0) for p in range(3)), strict=True))
    got = engine.run({"motion": motion, "mask": mask})["embedding"]
    with torch.no_grad():
        want = run.mean(torch.from_numpy(motion), torch.from_numpy(mask)).numpy()
    assert got == pytest.approx(want, abs=1e-4)
    assert engine.manifest.preprocessing["basis"] == "key"
    assert "What it cannot do" in (pack / "card.md").read_text()
