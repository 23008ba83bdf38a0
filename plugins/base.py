"""What a plug-in is: a way into calls, which brings their participants to be judged.

To add one, write one file with a `Plugin`, its `PluginOptions` and a `PluginSpec`, and name the spec in
`registry.BUILT_IN` or, from another package, in the entry-point group `sidewitness.plugins`. Starting, trying again,
limits, draining, health, metrics and the log are the sidecar's; a plug-in only connects and brings participants. It
imports this module and `monitor.tap.kit`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.tap.kit import ActionKind, Profile, Reason, Source, SourceError

MAX_NAME_LENGTH = 128


class PluginError(SourceError):
    """A plug-in cannot be loaded; the message is one line that says what to do."""


class Unavailable(SourceError):  # noqa: N818 - of the other side, not a failure of ours
    """The other side cannot be joined now; the message is one line without names and secrets.

    `retry_after_seconds` is what it asked for, if anything: it is not tried sooner.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NoRoom(Unavailable):
    """The sidecar judges as many as it can; the participant is not judged, and may be offered again after a while."""


class PluginOptions(BaseModel):
    """Base of the options of a plug-in, as they stand in the setting `sources` beside `plugin`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _left_out(cls, values: Any) -> Any:
        """Take an option that is empty, as a variable with an empty default leaves it, for one that is not there."""
        return {key: value for key, value in values.items() if value != ""} if isinstance(values, Mapping) else values


class ProfileOptions(PluginOptions):
    """The option `profile` of a way in whose protocol has no names: what is known of who is there."""

    display_name: str | None = Field(default=None, max_length=256)
    platform_id: str | None = Field(default=None, max_length=256)
    verified_email: str | None = Field(default=None, max_length=256)
    account: str | None = Field(default=None, max_length=256)

    def value(self) -> Profile:
        """Return the profile."""
        return Profile(self.display_name, self.platform_id, self.verified_email, self.account)


@dataclass(frozen=True, slots=True)
class Listed:
    """A participant whom the platform lists, judged or not.

    `unwatched` is why they cannot be watched, as far as the platform says so: `CAMERA_OFF`, `MUTED`, `PAUSED_BY_USER`,
    `SCREEN_SHARE_ONLY`, `PHONE_AUDIO_ONLY`, `END_TO_END_ENCRYPTED`, `UNSUPPORTED_CODEC`, `WAITING_FOR_PUBLISHER`,
    `NOT_WATCHED` where there is no room for them, or `SOURCE_LOST` where the way to them is broken and nobody knows
    whether they have left: so it stays for ten minutes, unless something else is said. None where nothing stands in the
    way. `profile` and `identity` are as in `Intake.admit`, as they are now; without one, what was said of it before
    stays.
    """

    participant: str
    unwatched: Reason | None = None
    profile: Profile | None = None
    identity: str | None = None


class Admitted(Protocol):
    """A participant who is judged, until their source ends, `end` is called or somebody takes their place."""

    @property
    def ended(self) -> bool:
        """Whether they are judged no more."""
        ...

    async def wait(self) -> None:
        """Return when they are judged no more."""
        ...

    async def end(self) -> None:
        """Let them leave; safe to call twice."""
        ...


class Intake(Protocol):
    """The sidecar, as a plug-in sees it while it runs. To be used on the event loop that runs the plug-in."""

    async def admit(
        self,
        call: str,
        participant: str,
        source: Source,
        identity: str | None = None,
        profile: Profile | None = None,
    ) -> Admitted:
        """Have a participant judged; `identity` is the protected person that they claim to be.

        `profile` is what the platform says of who they are: name, ids. Where no identity is claimed outright, the
        setting `claims` says by it whom they are taken to claim to be. Without a name in it, `participant` is theirs.

        Raises `NoRoom`, or `SourceError` for a name that cannot be one (`name_from` makes one that can); the source is
        then closed. Whoever is still here when the plug-in ends, however it does, is ended by the sidecar.
        """
        ...

    def roster(self, call: str, listed: Sequence[Listed]) -> None:
        """Say whom the platform lists in a call now, in place of what was said of it before.

        Say it whenever it changes; those who are admitted need not be listed, but whoever is not has left when their
        media end: where it may be the way to them that broke, list them until it is known that they are gone. It goes
        on while the plug-in is tried again, and ends when it ends. Whoever is admitted and is listed with another
        profile than before has a new name, say: whom they are taken to claim to be is decided anew. Raises
        `SourceError` for a name that cannot be one.
        """
        ...

    async def claims(
        self, call: str, participant: str, identity: str | None = None, profile: Profile | None = None
    ) -> bool:
        """Say whether somebody would be compared with a protected person: whom to bring first, where not all can be.

        Raises `SourceError` for a name that cannot be one.
        """
        ...

    async def forget(self, call: str) -> None:
        """End whoever is judged in a call and delete what is kept of it, where the platform demands that.

        Findings that are written down stay: they hold no media.
        """
        ...

    def connected(self) -> None:
        """Say that the other side is joined: what went wrong before is over."""
        ...

    def waiting(self, why: str) -> None:
        """Say that all is well but there is nothing to bring yet; `why` is one line without names and secrets."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait. Use this for every wait of a plug-in's own, so that its tests need no time."""
        ...


class Plugin(Protocol):
    """One attempt to be in a call, or in many: made by `PluginSpec.open`, run once."""

    async def run(self, intake: Intake) -> None:
        """Join, admit participants as they come and end them as they go; return when there will be no more.

        Whatever it raises, the sidecar opens another one after a while and runs that: after ever longer pauses that
        begin anew when `connected` has held for a minute. `Unavailable` says what is wrong; of any other exception only
        the type is told. At the end of the sidecar it is cancelled and has a few seconds to leave.
        """
        ...


class Acting:
    """Base of a `Plugin` that can also do something in the calls that it has joined: mute, remove, say, end.

    `actions` says what it can do as it is configured; each has a method of its name to be overridden, and only those
    that are said are called. Nothing calls them by itself: somebody has decided it, and by the names that this plug-in
    has given calls and participants. A method raises `Unavailable` where it was not done, and may return a remark, one
    line without names and secrets, on what was. It is called while `run` runs, on the same event loop.
    """

    @property
    def actions(self) -> frozenset[ActionKind]:
        """What it can do."""
        return frozenset()

    async def mute(self, call: str, participant: str) -> str | None:
        """Take somebody's sound from everybody in the call."""
        raise NotImplementedError

    async def remove(self, call: str, participant: str) -> str | None:
        """Put somebody out of the call, and keep them out where the platform can."""
        raise NotImplementedError

    async def say(self, call: str, text: str) -> str | None:
        """Show everybody in the call a note."""
        raise NotImplementedError

    async def end_call(self, call: str) -> str | None:
        """End the call for everybody."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class PluginSpec:
    """One way into calls: its name in the configuration, its options, and what opens it.

    `open` does nothing that can fail because the other side is away: that is for `Plugin.run`.
    """

    name: str
    options: type[PluginOptions]
    open: Callable[[Any], Plugin]


def name_from(text: str) -> str:
    """Make a participant's or call's name of any text: what cannot be in one becomes an underscore."""
    return re.sub(r"[^\w.~:@+\-]", "_", re.sub(r"^\W+", "", text))[:MAX_NAME_LENGTH] or "_"
