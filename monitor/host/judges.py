"""Whoever judges: what a sidecar needs of it, and what a source does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from monitor.host.calls import Actions, Admission, Calls, Sources
from monitor.identity.claimed import Claimed
from monitor.tap.media.source import Source
from monitor.types import ParticipantKey, Profile
from plugins.base import Listed


class Judges(Calls, Protocol):
    """Whoever judges: a host in this process, or several in others."""

    async def start(self) -> None:
        """Begin; raises `SidewitnessError` where nobody can be judged."""
        ...

    async def judge(self, key: ParticipantKey, source: Source, profile: Profile | None = None) -> Admission:
        """Judge a source that is open already; closes it and raises `AtCapacity` where there is no room."""
        ...

    async def drain(self) -> None:
        """Admit nobody any more, end everybody, and close their findings."""
        ...


class WaysIn(Sources, Actions, Protocol):
    """The sources of whoever judges."""

    def start(self) -> None:
        """Begin, on the running loop."""
        ...

    async def close(self) -> None:
        """End every source and whom it has brought."""
        ...


class Asks(Protocol):
    """What says whom somebody would be taken to claim to be."""

    async def ask(self, key: ParticipantKey, profile: Profile | None) -> Claimed:
        """Say whom somebody claims to be."""
        ...


class Lists(Protocol):
    """What is known of whom platforms list."""

    def listed(self, source: int, call: str, listed: Sequence[Listed]) -> None:
        """Take what a source lists in a call."""
        ...

    def lost(self, source: int, brought: Sequence[ParticipantKey]) -> None:
        """Take note that a source has failed, and whom it had brought."""
        ...

    def closed(self, source: int) -> None:
        """Take note that a source has ended."""
        ...


class SourceHost(Protocol):
    """What a source needs of the host."""

    async def judge(self, key: ParticipantKey, source: Source, profile: Profile | None = None) -> Admission:
        """Judge a source; closes it and raises `AtCapacity` where there is no room."""
        ...

    @property
    def claiming(self) -> Asks:
        """What says whom somebody would be taken to claim to be."""
        ...

    def show(self, key: ParticipantKey, profile: Profile) -> None:
        """Take what is said now of who somebody is; where they are judged, whom they claim to be is decided anew."""
        ...

    async def forget(self, call: str) -> None:
        """End everybody in a call and keep nothing of it in memory."""
        ...

    @property
    def watching(self) -> Lists:
        """What is known of whom platforms list."""
        ...
