"""Who sends wrong tokens too often: a bounded table of addresses, how long each waits or is shut out.

Pure. Each wrong token is answered later than the one before; from the fifth within `WINDOW_SECONDS` on the address is
locked, twice as long each time. A right token does not wipe the slate: who has one could guess another between uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FREE_FAILURES = 5
WINDOW_SECONDS = 300.0
FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.25, 2.0
FIRST_LOCK_SECONDS, MAX_LOCK_SECONDS = 30.0, 900.0
MAX_ADDRESSES = 4096


@dataclass(frozen=True, slots=True)
class Record:
    """The wrong tokens of one address; times in monotonic seconds."""

    failures: int
    failed_at: float
    locked_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Penalty:
    """What a wrong token costs: its answer is held back, and the address is locked for so long (0: it is not)."""

    delay_seconds: float
    lock_seconds: float


@dataclass(frozen=True, slots=True)
class Lockout:
    """The table; who failed longest ago comes first."""

    records: Mapping[str, Record] = field(default_factory=dict)

    def locked_for(self, address: str, now: float) -> float:
        """Return for how many seconds this address is still locked; 0 where it is not."""
        record = self.records.get(address)
        return max(0.0, record.locked_until - now) if record is not None else 0.0

    def failed(self, address: str, now: float, lockable: bool = True) -> tuple[Lockout, Penalty]:
        """Note a wrong token; an address that is not `lockable` waits and is never shut out."""
        before = self.records.get(address)
        is_fresh = before is None or now - max(before.failed_at, before.locked_until) > WINDOW_SECONDS
        failures = 1 if before is None or is_fresh else before.failures + 1
        delay = min(FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, 16), MAX_DELAY_SECONDS)
        lock = 0.0
        if lockable and failures >= FREE_FAILURES:
            lock = min(FIRST_LOCK_SECONDS * 2.0 ** min(failures - FREE_FAILURES, 16), MAX_LOCK_SECONDS)
        others = {other: record for other, record in self.records.items() if other != address}
        while len(others) >= MAX_ADDRESSES:
            del others[next(iter(others))]
        return Lockout({**others, address: Record(failures, now, now + lock)}), Penalty(delay, lock)
