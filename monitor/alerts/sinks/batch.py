"""What a sink is given next, computed from its cursor and a page of the journal; pure.

Nothing is skipped in silence: where the journal no longer has findings that the sink has not had, a `Gap` takes their
place, where one was changed `Tampered` does, and they are delivered like a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.alerts.journal import Entry, Head, Row, Tampered
from monitor.alerts.sinks.base import Gap, Item


@dataclass(frozen=True, slots=True)
class Batch:
    """Items to deliver, and the cursor once they are accepted."""

    items: tuple[Item, ...]
    cursor: int

    @property
    def missed(self) -> int:
        """How many findings are told and not sent: those of its gaps, and those that were changed."""
        gaps = sum(item.last - item.first + 1 for item in self.items if isinstance(item, Gap))
        return gaps + sum(isinstance(item, Tampered) for item in self.items)

    @property
    def findings(self) -> int:
        """How many findings it holds."""
        return sum(isinstance(item, Entry) for item in self.items)

    def parts(self, entries: int) -> Iterator[Batch]:
        """Yield it in batches of so many items, each with its own cursor."""
        for at in range(0, len(self.items), entries):
            items = self.items[at : at + entries]
            yield Batch(items, number_of(items[-1]))

    def told_to(self, sink: str) -> Batch:
        """Return it without the findings that a policy, when they were written, did not have the sink told of."""
        told = (item for item in self.items if not isinstance(item, Entry) or _is_told(item.finding.handling, sink))
        return Batch(tuple(told), self.cursor)


def number_of(item: Item) -> int:
    """Return the cursor once an item is accepted."""
    return item.last if isinstance(item, Gap) else item.seq


def resume(cursor: int, head: Head) -> int:
    """Return where to go on from: `cursor`, or 0 where it points beyond the newest finding.

    Then it is from another journal, and nothing is known of what the sink has had from this one.
    """
    return cursor if cursor <= head.seq else 0


def next_batch(cursor: int, head: Head, page: Sequence[Row]) -> Batch:
    """Return what follows `cursor`; `head` was read before `page`, and `page` after `cursor`."""
    items: list[Item] = []
    for entry in page:
        if entry.seq > cursor + 1:
            items.append(Gap(cursor + 1, entry.seq - 1))
        items.append(entry)
        cursor = entry.seq
    if not items and cursor < head.seq:
        items.append(Gap(cursor + 1, head.seq))
        cursor = head.seq
    return Batch(tuple(items), cursor)


def _is_told(handling: Mapping[str, Any] | None, sink: str) -> bool:
    return handling is None or handling["notify"] is None or sink in handling["notify"]
