"""The document: whole in itself, safe wherever it is opened, with its pictures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from monitor.alerts.report.page import render
from monitor.alerts.report.pictures import movement_timeline, offset_curve, score_strip
from tests.monitor.alerts.report.build import CONDITIONS, EVIDENCE, changes, source


def test_the_document_needs_nothing_and_runs_nothing() -> None:
    page = render(source(), {"rows": [{"call": "</script><script>alert(1)</script>"}]})
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=|<script(?! type=\"application/json\")|url\(|@import|<link|<iframe", page)
    assert page.count("</script>") == 1
    assert "&lt;it was her&gt;" in page
    assert page.count("<svg") == 3
    for text in ("What could also explain it", "226 genuine people", "another is installed now", "Apache-2.0"):
        assert text in page
    assert "2026-03-04T10:00:00.000Z" in page
    assert "case event 3 is missing" in page


def test_the_data_in_it_come_back() -> None:
    data = {"rows": [{"a": "<b>", "n": 1.5}]}
    found = re.search(r'id="evidence">([^<]*)</script>', render(source(), data))
    assert found
    assert json.loads(found[1]) == data


def test_without_what_was_kept_there_are_no_pictures() -> None:
    bare = replace(changes()[0], conditions={}, evidence={}, scores={})
    page = render(source(changes=[bare], calibrations=[], packs=[]), {})
    assert "<svg" not in page
    assert "<p>Nothing.</p>" in page


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        (score_strip(CONDITIONS), "highest 8.58e+03, alert at 7.2e+03"),
        (offset_curve(EVIDENCE["synchrony"]), "best 0.20 at +400 ms"),
        (movement_timeline(EVIDENCE["persona"]), "over 2 s: highest 1.8"),
    ],
)
def test_a_picture_is_well_formed_and_says_in_words_what_it_shows(drawn: str, words: str) -> None:
    assert words in str(ElementTree.fromstring(drawn).get("aria-label"))


def test_a_strip_of_a_very_long_alert_stays_in_its_frame() -> None:
    drawn = score_strip({"threshold": 7200.0, "points": [[-1.0, 1e12, "alert"], [0.0, None, "alert"]]})
    assert "1e6" in drawn


@pytest.mark.parametrize(
    "drawn",
    [
        score_strip({}),
        score_strip({"threshold": None, "points": [[0.0, 1.0, "suspect"]]}),
        score_strip({"threshold": 10.0, "points": []}),
        offset_curve({}),
        offset_curve({"offsets_ms": [0.0], "agreement": [0.1]}),
        movement_timeline({"timeline": [{"at": 1.0, "value": 0.4}]}),
    ],
)
def test_too_little_gives_no_picture(drawn: str) -> None:
    assert drawn == ""
