from __future__ import annotations

import io
import json
from contextlib import suppress
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detectors.pairwise.detector import PairwiseDetector
from monitor.detectors.pairwise.reference import PairwiseReference, Rung, build_reference
from monitor.detectors.reference import TemplateError
from monitor.face.vectors import FaceVectors
from tests.monitor.people import KEY, face, looks, population

SMALL = face(shots=12).to_bytes()


def test_bytes_make_the_same_reference() -> None:
    made = face()
    again = PairwiseReference.from_bytes(made.to_bytes())
    assert (again.made, again.key) == (made.made, made.key)
    assert (again.clip == made.clip).all()
    assert [rung.name for rung in again.rungs] == ["as recorded", "poor line"]
    for a, b in zip(again.rungs, made.rungs, strict=True):
        for field in fields(FaceVectors):
            ours, theirs = getattr(a.vectors, field.name), getattr(b.vectors, field.name)
            assert ours.dtype == theirs.dtype
            assert (ours == theirs).all()
    for mine, other in zip(again.norms, made.norms, strict=True):
        assert (mine.location == other.location).all()
        assert (mine.scale == other.scale).all()
        assert mine.windows == other.windows
    detector = PairwiseDetector(population())
    live = looks(15, seed=4)
    assert detector.score(live, None, again, KEY) == detector.score(live, None, made, KEY)


@settings(max_examples=25)
@given(st.integers(1, 45), st.integers(1, 4), st.booleans())
def test_any_gallery_makes_finite_norms(shots: int, clips: int, same: bool) -> None:
    vectors = looks(shots)
    made = build_reference("now", KEY, np.arange(shots) % clips, [Rung("as recorded", vectors)], population(), same)
    norm = made.norms[0]
    assert np.isfinite(norm.location).all()
    assert (norm.scale > 0).all()
    assert np.isfinite(PairwiseReference.from_bytes(made.to_bytes()).mixture.means).all()


def test_one_recording_is_expected_to_differ_from_others() -> None:
    rungs, people = [Rung("as recorded", looks(40))], population()
    people = replace(people, shift=np.full(3, 0.3), session=np.full(3, 0.4))
    clip = np.zeros(40, np.int64)
    same = build_reference("now", KEY, clip, rungs, people, same_recording=True).norms[0]
    other = build_reference("now", KEY, clip, rungs, people).norms[0]
    assert other.location == pytest.approx(same.location + 0.3)
    assert other.scale == pytest.approx(np.hypot(same.scale, 0.4))


def test_rungs_have_norms_of_their_own() -> None:
    first, second = looks(40), looks(40, seed=3)
    noisy = replace(second, logit=second.logit * 4)
    made = build_reference("now", KEY, np.repeat([0, 1], 20), [Rung("a", first), Rung("b", noisy)], population())
    assert made.norms[1].scale[1] > made.norms[0].scale[1]


@pytest.mark.parametrize(
    ("rungs", "clip", "key", "words"),
    [
        ([], [0] * 10, KEY, "same moments"),
        ([Rung("a", looks(10)), Rung("b", looks(9))], [0] * 10, KEY, "same moments"),
        ([Rung("a", looks(0))], [], KEY, "same moments"),
        ([Rung("a", looks(10))], [-1] * 10, KEY, "recording"),
        ([Rung("a", looks(10))], [0] * 10, "others", "other packs"),
    ],
)
def test_parts_that_do_not_fit_are_refused(rungs: list[Rung], clip: list[int], key: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        build_reference("now", key, np.array(clip, np.int64), rungs, population())


@pytest.mark.parametrize("data", [b"", b"nothing of ours", b"PK\x03\x04"])
def test_what_is_no_reference_is_refused(data: bytes) -> None:
    with pytest.raises(TemplateError, match="enrol the person again"):
        PairwiseReference.from_bytes(data)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_damaged_bytes_are_refused_or_read(at: int, change: int) -> None:
    data = bytearray(SMALL)
    data[at % len(data)] ^= change
    with suppress(TemplateError):
        PairwiseReference.from_bytes(bytes(data))


def test_missing_parts_are_refused() -> None:
    held = dict(np.load(io.BytesIO(face(shots=12).to_bytes())))
    about = json.loads(str(held["about"]))
    for change in ({"about": np.array(json.dumps(about | {"rungs": []}))}, {"clip": held["clip"][:3]}):
        file = io.BytesIO()
        np.savez(file, **(held | change))
        with pytest.raises(TemplateError, match="enrol the person again"):
            PairwiseReference.from_bytes(file.getvalue())


def test_no_pickle_is_ever_read() -> None:
    file = io.BytesIO()
    np.savez(file, about=np.array([{"schema": 1}], dtype=object))
    with pytest.raises(TemplateError):
        PairwiseReference.from_bytes(file.getvalue())
