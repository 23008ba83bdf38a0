"""Findings by what is asked of them, the newest first; each once, however often it changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from monitor.alerts.casework.tables import states
from monitor.alerts.journal import Journal, findings
from monitor.types import rfc3339


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked; None asks nothing. A finding answers to `reasons`, `since` and `until` by any of its changes.

    `text` is looked for in call, participant and identity, in any case. `label` may be `none`. `before` is a cursor:
    only findings that began before this number. Those of drills, which say nothing of anybody, are left out unless
    `drills` asks for them too.
    """

    call: str | None = None
    participant: str | None = None
    identity: str | None = None
    reasons: Sequence[str] | None = None
    label: str | None = None
    state: str | None = None
    assignee: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    before: int | None = None
    drills: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A finding: the number of its first change that is kept, that of its newest, and how many there are."""

    id: str
    first: int
    last: int
    changes: int


def find(journal: Journal, query: Query, limit: int) -> list[Found]:
    """Return up to `limit` findings; the next page is that before the last one's `first`. Raises `JournalError`.

    The tables of casework must be there: ask `Casework` for anything first.
    """
    if any("\0" in value for value in astuple(query) if isinstance(value, str)):
        # In no text of PostgreSQL, which takes it for no question either.
        return []
    first = findings.alias("first")
    kept = findings.alias("kept")
    earlier = findings.alias("earlier")
    newest = sa.select(sa.func.max(kept.c.seq)).where(kept.c.id == first.c.id).scalar_subquery()
    count = sa.select(sa.func.count()).where(kept.c.id == first.c.id).scalar_subquery()
    begins = ~sa.exists().where(earlier.c.id == first.c.id, earlier.c.step < first.c.step)
    wanted = (
        sa.select(first.c.id, first.c.seq, newest.label("last"), count.label("changes"))
        .select_from(first.outerjoin(states, states.c.finding == first.c.id))
        .where(begins, *_conditions(first, query))
        .order_by(first.c.seq.desc())
        .limit(limit)
    )
    with journal.transaction() as connection:
        rows = connection.execute(wanted).all()
    return [Found(row.id, int(row.seq), int(row.last), int(row.changes)) for row in rows]


def ids_like(journal: Journal, beginning: str, limit: int = 2) -> list[str]:
    """Return up to `limit` ids of findings that begin like this, the one that is it first; raises `JournalError`."""
    column = findings.c.id
    # Grouped and not distinct: that is ordered by nothing else than what it gives.
    query = sa.select(column).where(column.like(f"{_escaped(beginning)}%", escape="\\")).group_by(column)
    with journal.transaction() as connection:
        return list(connection.execute(query.order_by(sa.func.length(column), column).limit(limit)).scalars())


def _conditions(first: Any, query: Query) -> list[Any]:
    conditions: list[Any] = [
        first.c[name] == value
        for name in ("call", "participant", "identity")
        if (value := getattr(query, name)) is not None
    ]
    if not query.drills:
        # As `plain.encode` writes it; a quotation mark within a text is never without a backslash.
        conditions.append(sa.or_(first.c.handling.is_(None), first.c.handling.not_like('%"drill":true%')))
    if query.before is not None:
        conditions.append(first.c.seq < query.before)
    if query.label is not None:
        conditions.append(states.c.label.is_(None) if query.label == "none" else states.c.label == query.label)
    if query.state is not None:
        conditions.append(sa.func.coalesce(states.c.state, "open") == query.state)
    if query.assignee is not None:
        conditions.append(states.c.assignee == query.assignee)
    if query.text:
        pattern = f"%{_escaped(query.text.lower())}%"
        columns = (first.c[name] for name in ("call", "participant", "identity"))
        conditions.append(sa.or_(*(sa.func.lower(column).like(pattern, escape="\\") for column in columns)))
    if (changed := _changes(first, query)) is not None:
        conditions.append(changed)
    return conditions


def _changes(first: Any, query: Query) -> Any:
    """Return what some change of a finding must be, None where nothing is asked of them."""
    change = findings.alias("change")
    asked: list[Any] = []
    if query.reasons is not None:
        asked.append(change.c.reason.in_(query.reasons))
    # Written by `rfc3339`: as texts they stand in the order of time.
    if query.since is not None:
        asked.append(change.c.time >= rfc3339(query.since))
    if query.until is not None:
        asked.append(change.c.time <= rfc3339(query.until))
    return sa.exists().where(change.c.id == first.c.id, *asked) if asked else None


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\%_" else letter for letter in text)
