"""S2CFP in made folders of either order, and the references that other data sets bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.lab.corpus.datasets import DatasetPart, read_dataset
from monitor.lab.corpus.datasets.base import MAX_REFERENCES, with_references
from monitor.lab.corpus.manifest import CorpusError, Row
from tests.monitor.lab.corpus.datasets.trees import touch


def row(name: str, subject: str = "ann", label: str = "real", sound: Path | None = None) -> Row:
    return Row(Path(name), name, label, label, subject, sound=sound)


def test_halves_of_the_genuine_clips_are_each_others_reference() -> None:
    rows = [row(f"{n}", sound=Path(f"{n}.wav")) for n in range(5)] + [row("f", label="fake"), row("alone", "bob")]
    found = {each.name: each for each in with_references(rows, {})}
    assert [path.name for path in found["0"].reference] == ["1", "3"]
    assert [path.name for path in found["1"].reference] == ["0", "2", "4"]
    assert found["f"].reference == found["1"].reference
    assert found["f"].reference_sounds == (Path("0.wav"), Path("2.wav"), Path("4.wav"))
    assert found["alone"].reference == ()
    many = with_references([row(f"{n:02}") for n in range(40)], {})
    assert all(len(each.reference) == MAX_REFERENCES and each.path not in each.reference for each in many)


def test_a_forgery_is_compared_with_whom_it_claims_to_show() -> None:
    rows = [row("a1"), row("a2"), row("b1", "bob"), row("b2", "bob"), row("swap", label="fake")]
    claimed = with_references(rows, {"swap": "bob"})[-1]
    assert (claimed.subject, [path.name for path in claimed.reference]) == ("ann", ["b1"])


@pytest.mark.parametrize("order", ["{who}/{kind}", "{kind}/{who}", "{who}/test/{kind}", "test/{kind}/{who}/clips"])
def test_s2cfp_in_either_order(tmp_path: Path, order: str) -> None:
    root = tmp_path / "S2CFP"
    for who in ("s1", "s2"):
        for kind, count in (("reference", 3), ("real", 2), ("fake", 2)):
            touch(root / order.format(who=who, kind=kind), [f"{n}.mp4" for n in range(count)])
    name, found = read_dataset(root)
    assert name == "s2cfp"
    assert len(found.rows) == 8
    assert {(each.label, each.method) for each in found.rows} == {("real", "real"), ("fake", "Sora 2")}
    for each in found.rows:
        assert each.subject in ("s1", "s2")
        assert len(each.reference) == 3
        assert all(f"/{each.subject}" in path.as_posix() and "reference" in path.as_posix() for path in each.reference)


def test_s2cfp_without_references_and_not_at_all(tmp_path: Path) -> None:
    root = touch(tmp_path / "s2cfp", ["s1/real/1.mp4", "s1/real/2.mp4", "s1/sora2/1.mp4", "other.mp4"])
    found = read_dataset(root)[1]
    assert [(each.label, len(each.reference)) for each in found.rows] == [("real", 1), ("real", 1), ("fake", 1)]
    with pytest.raises(CorpusError, match="no official list of train"):
        read_dataset(root, None, DatasetPart("train"))
    with pytest.raises(CorpusError, match="it has no forged clips"):
        read_dataset(touch(tmp_path / "x", ["s1/real/1.mp4"]), "s2cfp")
