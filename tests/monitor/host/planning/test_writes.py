"""What a plan says that the database is asked to write is what the product writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import event

from monitor.alerts.journal import Journal
from monitor.alerts.sinks.cursors import Cursors
from monitor.api.access.grant import Grant
from monitor.api.access.register import Register
from monitor.api.access.roles import Role
from monitor.host.planning.sizing import CHANGE_STATEMENTS, PROBE_STATEMENTS, SINK_STATEMENTS, TOKEN_STATEMENTS
from tests.monitor.alerts.build import finding, journal

WRITING = ("insert", "update", "delete")


@contextmanager
def counted(opened: Journal) -> Iterator[dict[str, int]]:
    """Count statements that write, and transactions in which one does."""
    counts = {"statements": 0, "commits": 0}

    def executed(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        counts["statements"] += statement.lower().startswith(WRITING)

    def committed(_connection: object) -> None:
        counts["commits"] += 1

    event.listen(opened.engine, "before_cursor_execute", executed)
    event.listen(opened.engine, "commit", committed)
    try:
        yield counts
    finally:
        event.remove(opened.engine, "before_cursor_execute", executed)
        event.remove(opened.engine, "commit", committed)


def test_a_change_a_delivery_a_probe_and_a_token_write_as_often_as_a_plan_says(tmp_path: Path) -> None:
    opened = journal(tmp_path)
    try:
        with counted(opened) as counts:
            opened.append(finding())
        assert counts == {"statements": CHANGE_STATEMENTS, "commits": 1}
        cursors = Cursors(opened)
        cursors.begin("siem", 0)
        with counted(opened) as counts:
            assert cursors.advance("siem", 1, 0)
        assert counts == {"statements": SINK_STATEMENTS, "commits": 1}
        with counted(opened) as counts:
            opened.check()
        assert counts == {"statements": PROBE_STATEMENTS, "commits": 1}
        register = Register(opened)
        register.migrate()
        with counted(opened) as counts:
            register.add(Grant("soc", Role.VIEWER, "an-id", 9_000_000), "operator", 1)
        assert counts == {"statements": TOKEN_STATEMENTS, "commits": 1}
    finally:
        opened.close()
