from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.lab.metrics.precision import Labelled, precision_table, week_of

MONDAY = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)


def test_weeks_begin_on_monday_and_years_with_their_first_thursday() -> None:
    assert week_of(MONDAY) == "2026-W10"
    assert week_of(datetime(2027, 1, 3, 23, 59, tzinfo=UTC)) == "2026-W53"


def test_by_detector_and_week() -> None:
    found = [
        Labelled("synchrony", MONDAY, "true"),
        Labelled("synchrony", MONDAY, "true"),
        Labelled("synchrony", MONDAY, "false"),
        Labelled("synchrony", datetime(2026, 3, 9, tzinfo=UTC), "unsure"),
        Labelled("persona", MONDAY, "false"),
    ]
    table = precision_table(found)
    assert [(row.detector, row.week, row.true, row.false, row.unsure, row.precision) for row in table] == [
        ("persona", "2026-W10", 0, 1, 0, 0.0),
        ("persona", "all", 0, 1, 0, 0.0),
        ("synchrony", "2026-W10", 2, 1, 0, pytest.approx(2 / 3)),
        ("synchrony", "2026-W11", 0, 0, 1, None),
        ("synchrony", "all", 2, 1, 1, pytest.approx(2 / 3)),
        ("all", "2026-W10", 2, 2, 0, 0.5),
        ("all", "2026-W11", 0, 0, 1, None),
        ("all", "all", 2, 2, 1, 0.5),
    ]
    # Wilson's interval of 2 in 3; nothing is known of a week in which nobody could tell.
    assert (round(table[2].low, 3), round(table[2].high, 3)) == (0.208, 0.939)
    assert (table[3].low, table[3].high) == (0.0, 1.0)
    assert precision_table([]) == []
