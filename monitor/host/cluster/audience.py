"""Who is told what happens at a gateway while it happens: other gateways, or nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.alerts.finding import Finding
from monitor.alerts.wire import Message
from monitor.host.callbacks import Tells
from monitor.host.cluster.ledger import Place, Seat
from monitor.host.departed import Departed
from monitor.identity.claimed import Claimed

if TYPE_CHECKING:
    from monitor.host.cluster.fleet import Fleet


class Audience:
    """Is told on the event loop; this one is nobody. Times are of the gateway's monotonic clock."""

    @property
    def takes_over(self) -> bool:
        """Whether somebody goes on with what is known here when this gateway ends."""
        return False

    async def start(self, fleet: Fleet) -> None:
        """Begin, with the gateway that it is told of; raises `ConfigError`."""

    async def expect(self, place: Place) -> None:
        """Have what is remembered elsewhere of somebody who is about to be judged here remembered here."""

    def may_open(self, way: str) -> bool:
        """Whether a way into calls that others have in their settings too is to be opened here."""
        return True

    def ways(self, configured: frozenset[str], claimed: frozenset[str]) -> None:
        """Take which ways in the settings name, and which of them are opened here."""

    def seated(self, seat: Seat) -> None:
        """Take note that somebody is judged from now on."""

    def claimed(self, claimed: Claimed) -> None:
        """Take note that somebody is taken to claim somebody else."""

    def ended(self, place: Place) -> None:
        """Take note that somebody is judged no more."""

    def state(self, message: Message, decided_at: float | None) -> None:
        """Take a state that subscribers are told."""

    def notice(self, message: Message, decided_at: float | None) -> None:
        """Take what subscribers are told once."""

    def finding(self, finding: Finding, decided_at: float) -> None:
        """Take a change of a finding, which is not written down yet."""

    def checkpoint(self, known: Departed, continues: str | None) -> None:
        """Take what would be remembered of somebody; without a face it is the one that was told before."""

    def remembered(self, departed: Sequence[Departed]) -> None:
        """Take everybody who is remembered now."""

    async def arrived(self) -> None:
        """Wait, for a moment at the most, until everybody has taken what was told before."""

    def leaving(self) -> None:
        """Take note that the gateway is about to end in order."""

    async def close(self) -> bool:
        """Tell what was said, and end; returns whether somebody goes on with what is known here."""
        return False


@dataclass(frozen=True, slots=True)
class Told:
    """Tells subscribers, and the audience what they are told."""

    hub: Tells
    audience: Audience

    def state(self, message: Message, decided_at: float | None = None) -> None:
        """Publish a state."""
        self.hub.state(message, decided_at)
        self.audience.state(message, decided_at)

    def notice(self, message: Message, decided_at: float | None = None) -> None:
        """Publish what everybody is told once."""
        self.hub.notice(message, decided_at)
        self.audience.notice(message, decided_at)
