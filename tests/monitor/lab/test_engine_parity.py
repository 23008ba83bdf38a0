"""The clips that engines are compared by: how they are listed, and the gate itself for the engines of the CPU."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engines.base import Arrays, Engine, FloatArray, Manifest
from engines.checks.parity import Judged, score_drift
from engines.registry import EngineName
from engines.runtimes.openvino import has_bf16
from monitor.detectors.reference import Reference
from monitor.lab import engine_parity
from monitor.lab.corpus.manifest import CorpusError
from monitor.lab.engine_parity import COLUMNS, LIPS, LIST, PERSON, SECONDS, Case, judge_cases, read_cases, references
from monitor.session.models import Models, load_models
from tests.monitor.loaded import with_faces

# The head of the list has one reference, and a genuine clip, a dubbed one and another person in its first three: what
# there is time for at every change.
QUICK, MORE, QUICK_SECONDS = 3, 6, 6.0


def write(folder: Path, *rows: Mapping[str, str]) -> Path:
    with (folder / LIST.name).open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        table.writerows({"lips": "real", "person": "real", **row} for row in rows)
    return folder


def test_a_folder_may_list_its_own_clips(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "c.wav"):
        (tmp_path / name).touch()
    write(tmp_path, {"path": "a.mp4"}, {"path": "a.mp4", "sound": "c.wav", "reference": "b.mp4", "lips": "fake"})
    one, two = read_cases(tmp_path)
    assert one == Case("a.mp4", tmp_path / "a.mp4", None, None, lips=False, person=False)
    assert two.name == "a.mp4 with the voice of c.wav"
    assert (two.sound, two.reference, two.lips) == (tmp_path / "c.wav", tmp_path / "b.mp4", True)


def test_a_folder_without_the_clips_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"lacks \d+ of the \d+ clips .* such as clips/.*parity.csv"):
        read_cases(tmp_path)


def test_a_list_with_another_truth_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"path": "a.mp4", "lips": "perhaps"})
    with pytest.raises(CorpusError, match=r"parity.csv line 2: lips and person are 'perhaps' and 'real'"):
        read_cases(tmp_path)


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="lists no clips"):
        read_cases(write(tmp_path))


def test_the_shipped_list_asks_every_question(data_dir: Path) -> None:
    cases = read_cases(data_dir)
    assert len({case.name for case in cases}) == len(cases) == 20
    for some in (cases, cases[:MORE], cases[:QUICK]):
        assert {case.lips for case in some} == {True, False}
        assert {case.person for case in some if case.reference} == {True, False}
    assert all(case.path != case.reference for case in cases)
    assert len({case.reference for case in cases[:MORE] if case.reference}) == 1


@pytest.fixture(scope="module")
def cases(data_dir: Path) -> list[Case]:
    return read_cases(data_dir)[:MORE]


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models("openvino")


@pytest.fixture(scope="module")
def reference_models() -> Models:
    return load_models("onnx")


@pytest.fixture(scope="module")
def known(cases: Sequence[Case], reference_models: Models) -> dict[Path, Reference]:
    """Who is enrolled: learnt in few steps, as every engine meets the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_parity, "LEARNT", replace(engine_parity.LEARNT, steps=8, least=4, check=4))
        return references(cases, reference_models)


@pytest.fixture(scope="module")
def want(
    cases: Sequence[Case], reference_models: Models, known: Mapping[Path, Reference]
) -> Callable[[int], list[Judged]]:
    """What the reference says of the first so many cases, each judged once."""

    @cache
    def judged(n: int) -> Judged:
        return judge_cases(cases[n : n + 1], reference_models, known, seconds=QUICK_SECONDS)[0]

    return lambda count: [judged(n) for n in range(count)]


@pytest.mark.parametrize(
    ("engine", "count"),
    [
        ("openvino", QUICK),
        pytest.param("openvino", MORE, marks=pytest.mark.long),
        pytest.param("openvino-bf16", MORE, marks=pytest.mark.long),
    ],
)
def test_the_engines_of_the_cpu_say_what_onnx_runtime_says(
    engine: EngineName,
    count: int,
    cases: Sequence[Case],
    models: Models,
    known: Mapping[Path, Reference],
    want: Callable[[int], list[Judged]],
) -> None:
    if engine == "openvino-bf16":
        if not has_bf16():
            pytest.skip("this CPU has no bfloat16")
        models = load_models(engine)
    found = score_drift(want(count), judge_cases(cases[:count], models, known, seconds=QUICK_SECONDS))
    assert found.problems() == []
    by_name = {each.detector: each for each in found.detectors}
    assert set(by_name) == {*LIPS, *PERSON}
    assert by_name["synchrony"].scored == count
    # Not a matter of the limits: every detector that compares people was at work.
    assert min(by_name[name].scored for name in PERSON) >= 3


def test_the_coarser_engine_judges_a_clip_as_well(
    cases: Sequence[Case], known: Mapping[Path, Reference], want: Callable[[int], list[Judged]]
) -> None:
    """How far its scores move is averaged over cases, which takes long: of one case they are there and near."""
    if not has_bf16():
        pytest.skip("this CPU has no bfloat16")
    (found,), (wanted,) = judge_cases(cases[:1], load_models("openvino-bf16"), known, seconds=QUICK_SECONDS), want(1)
    scores, expected = ({name: o.score for name, o in each.outcomes.items()} for each in (found, wanted))
    assert set(scores) == {*LIPS, *PERSON}
    assert scores == pytest.approx(expected, rel=0.1, abs=0.1)


class Coarse:
    """An engine whose outputs are rounded to steps of `step`: a precision that nobody should run."""

    def __init__(self, engine: Engine, step: float) -> None:
        self._engine, self._step = engine, np.float32(step)

    @property
    def manifest(self) -> Manifest:
        return self._engine.manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        return {name: np.round(value / self._step) * self._step for name, value in self._engine.run(inputs).items()}

    def warm_up(self) -> None:
        self._engine.warm_up()


def test_an_engine_that_is_too_coarse_does_not_pass(
    cases: Sequence[Case],
    models: Models,
    known: Mapping[Path, Reference],
    want: Callable[[int], list[Judged]],
) -> None:
    # Landmarks to 4 pixels of their picture of 192: every tensor is within 0.02 of its range.
    rough = replace(models, landmarks=Coarse(models.landmarks, 4.0))
    found = score_drift(want(1), judge_cases(cases[:1], rough, known, seconds=QUICK_SECONDS))
    assert any("a score moves" in line for line in found.problems())


def test_only_so_much_of_a_clip_is_judged(cases: Sequence[Case], models: Models) -> None:
    told: list[int] = []
    (short,) = judge_cases(cases[4:5], models, {}, done=lambda: told.append(1), seconds=1.0)
    assert told == [1]
    assert short.outcomes[LIPS[0]].score is None
    assert SECONDS > QUICK_SECONDS > 5


def test_without_packs_that_compare_people_nobody_is_enrolled(cases: Sequence[Case], models: Models) -> None:
    assert references(cases, with_faces(models, None)) == {}
    (judged,) = judge_cases(cases[:1], with_faces(models, None, None), {}, seconds=1.0)
    assert set(judged.outcomes) == set(LIPS)
