"""Blocks of a document are what results make them, and no result outlives the packs that it holds for unsaid."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.lab.suite.document import filled, main, marked, names_in, problems, read_results, render, renew
from monitor.lab.suite.parts import Part
from monitor.lab.suite.result import PartResult, SuiteError

PACKS = {"speech_lips/model.onnx": "a" * 64}


def table(figures: Mapping[str, Any]) -> list[str]:
    return ["| AUC |", "|---|", f"| {figures['auc']} |"]


PARTS = {
    name: Part(name, 2, name, f"evaluate {name}", table, packs=("speech_lips/model.onnx",)) for name in ("one", "two")
}
ONE = PartResult("one", 2, PACKS, {"auc": 0.9})
TEXT = "Words.\n\n<!-- suite:one -->\n<!-- /suite -->\n\nMore words.\n"


def now(part: Part) -> Mapping[str, str]:
    return PACKS


def later(part: Part) -> Mapping[str, str]:
    return {"speech_lips/model.onnx": "b" * 64}


def test_a_block_is_what_its_result_makes_and_the_prose_stays() -> None:
    text = filled(TEXT, {"one": ONE}, PARTS)
    assert text.startswith("Words.\n\n<!-- suite:one -->\n\n| AUC |")
    assert "| 0.9 |" in text
    assert "speech_lips/model.onnx aaaaaaaa" in text
    assert text.endswith("<!-- /suite -->\n\nMore words.\n")
    assert filled(text, {"one": ONE}, PARTS) == text
    assert problems([text], {"one": ONE}, now, PARTS) == []


def test_a_block_that_somebody_touched_is_a_problem() -> None:
    text = filled(TEXT, {"one": ONE}, PARTS).replace("0.9", "0.99")
    (line,) = problems([text], {"one": ONE}, now, PARTS)
    assert "python -m monitor.lab.suite.document" in line


def test_figures_of_packs_that_are_shipped_no_longer_are_a_problem_until_they_say_so() -> None:
    text = filled(TEXT, {"one": ONE}, PARTS)
    (line,) = problems([text], {"one": ONE}, later, PARTS)
    assert "no longer shipped" in line
    assert "--part one" in line
    (stale,) = marked({"one": ONE}, later, PARTS)
    assert stale.stale
    told = filled(TEXT, {"one": stale}, PARTS)
    assert "**Measured with earlier packs** (speech_lips/model.onnx aaaaaaaa)" in told
    assert problems([told], {"one": stale}, later, PARTS) == []
    # And nobody may go on saying so once it is untrue.
    assert "marked stale" in problems([told], {"one": stale}, now, PARTS)[0]
    assert marked({"one": stale}, now, PARTS) == [ONE]
    assert marked({"one": ONE}, now, PARTS) == []


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (replace(ONE, limit=3), "trial of 3 clips"),
        (replace(ONE, version=1), "by version 1, now 2"),
        (replace(ONE, part="two"), "no part of the suite"),
        (replace(ONE, packs={}), "no longer shipped"),
    ],
)
def test_a_result_that_holds_for_something_else_is_a_problem(result: PartResult, line: str) -> None:
    (said,) = problems([filled(TEXT, {"one": result}, PARTS)], {"one": result}, now, PARTS)
    assert line in said


def test_blocks_and_results_come_in_pairs() -> None:
    assert "a block without a result" in problems([TEXT], {}, now, PARTS)[0]
    assert "a result without a block" in problems(["Words."], {"one": ONE}, now, PARTS)[0]
    with pytest.raises(SuiteError, match="no part 'three'"):
        filled(TEXT.replace("suite:one", "suite:three"), {}, PARTS)
    with pytest.raises(SuiteError, match="of its own"):
        names_in("<!-- suite:one -->\n<!-- suite:two -->\n<!-- /suite -->\n")


def test_figures_that_no_part_made_say_where_they_are_from() -> None:
    old = replace(ONE, version=0, by_hand="two folds, June.", figures={"table": ["| x |", "|---|", "| 1 |"]})
    text = filled(TEXT, {"one": old}, PARTS)
    assert "| 1 |\n\nBy hand, before the suite: two folds, June.\n" in text
    assert problems([text], {"one": old}, now, PARTS) == []
    assert "no longer shipped" in problems([text], {"one": old}, later, PARTS)[0]


def test_encoders_of_folds_are_named() -> None:
    across = replace(ONE, scored_by={"1": {"speech_lips/model.onnx": "c" * 64}})
    assert "fold 1 by speech_lips/model.onnx cccccccc" in " ".join(render(PARTS["one"], across).split())


def test_a_document_is_written_anew_and_its_results_beside_it(tmp_path: Path) -> None:
    document = tmp_path / "results.md"
    result = PartResult("promise", 1, {}, PROMISE, key="k")
    document.write_text(TEXT.replace("suite:one", "suite:promise"))
    assert renew(document, [result, replace(result, part="blends")]) == [
        "results.md has no block <!-- suite:blends -->"
    ]
    assert read_results(document) == {"promise": result}
    assert "| 0.1 | 0.002 [0.000-0.005] | 30 / 20 | 3 % | 0.59 |" in document.read_text()
    with pytest.raises(SuiteError, match="fit for no document"):
        renew(document, [replace(result, limit=1)])
    with pytest.raises(SuiteError, match="cannot be read"):
        renew(tmp_path / "absent.md", [result])
    (tmp_path / "results" / "promise.json").write_text("words")
    with pytest.raises(SuiteError, match="no result of the suite"):
        read_results(document)
    (tmp_path / "results" / "promise.json").write_text(json.dumps({"schema": 0}))
    with pytest.raises(SuiteError, match="another version"):
        read_results(document)


PROMISE = {
    "allowed": 0.1,
    "per_hour": 0.002,
    "low": 0.0,
    "high": 0.005,
    "people": 30,
    "hours": 20.0,
    "alerted": 0.03,
    "mean_e_value": 0.59,
}


def test_the_module_marks_what_has_become_old(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "results.md"
    document.write_text(TEXT.replace("suite:one", "suite:promise"))
    renew(document, [PartResult("promise", 1, {"speech_lips/calibration.json": "0" * 64}, PROMISE)])
    before = document.read_text()
    assert main([str(document)]) == 0
    assert document.read_text() == before
    assert main([str(document), "--mark-stale"]) == 0
    assert capsys.readouterr().out == "promise: stale\n"
    assert "**Measured with earlier packs** (speech_lips/calibration.json 00000000)" in document.read_text()
    assert main([]) == 2
    assert main([str(tmp_path / "absent.md")]) == 1
    assert "cannot be read" in capsys.readouterr().err
