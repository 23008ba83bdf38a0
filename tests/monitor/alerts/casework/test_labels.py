from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.alerts.casework.case import fold
from monitor.alerts.casework.events import EventKind
from monitor.alerts.casework.labels import LabelRow, LabelsError, label_row, read_labels, write_labels
from tests.monitor.alerts.build import finding
from tests.monitor.alerts.casework.build import event

DETECTORS = {"lips_disagree_with_voice": "synchrony"}
HEADING = "finding,opened,detector,reason,label,labelled,score,p_value,statistic\n"


def row(label: str = "true", **changed: object) -> LabelRow:
    opening = replace(finding("e"), conditions={"statistic": 9812.4}, **changed)  # type: ignore[arg-type]
    return label_row(opening, fold("e", [event(1, EventKind.LABELLED, label=label)]), DETECTORS)


def test_a_row_names_nobody() -> None:
    text = write_labels([row()])
    assert text == HEADING + (
        "e,2026-03-01T12:00:00.250Z,synchrony,lips_disagree_with_voice,true,2026-03-01T12:00:01.250Z,-0.1,0.001,9812.4\n"
    )
    for name in ("Ada", "board", "p1", "jo"):
        assert name not in text


def test_rows_come_back_in_order_of_time() -> None:
    later, earlier = replace(row(), opened="2026-03-02T00:00:00.000Z"), replace(row("unsure"), finding="a")
    assert read_labels(write_labels([later, earlier])) == [earlier, later]


def test_what_is_not_known_is_empty() -> None:
    unknown = label_row(replace(finding("e"), reason=None), fold("e", []), DETECTORS)
    assert (unknown.detector, unknown.reason, unknown.score, unknown.statistic, unknown.labelled) == (
        "",
        "",
        "",
        "",
        "",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column finding"),
        ("finding,opened\n", "no column detector"),
        (HEADING + "e,2026-03-01T12:00:00Z,d,r,maybe,t,,,\n", "line 2"),
        (HEADING + "e,yesterday,d,r,true,t,,,\n", "no time"),
        (HEADING + "e,2026-03-01T12:00:00,d,r,true,t,,,\n", "no time"),
        (HEADING + f"e,{'x' * 200_000},d,r,true,t,,,\n", "no CSV"),
    ],
)
def test_what_is_no_table_of_labels_is_refused(text: str, why: str) -> None:
    with pytest.raises(LabelsError, match=why):
        read_labels(text)


def test_the_first_six_columns_are_enough() -> None:
    [found] = read_labels("finding,opened,detector,reason,label,labelled\ne,2026-03-01T12:00:00Z,d,r,false,t\n")
    assert (found.label, found.score) == ("false", "")
