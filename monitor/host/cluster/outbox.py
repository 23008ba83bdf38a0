"""What waits to be sent over a link, in order: groups of messages that belong together. Pure, and bounded.

While the other end is slow, a later state of a participant takes the place of the one before, which nobody needs any
more; what is said once, such as a finding, is never left out. Beyond `MAX_GROUPS` of those the link is of no use: the
other end does not read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.host.cluster.frames import Message

MAX_GROUPS = 8192
# Of messages in one frame, so that none grows beyond all bounds; a group that has more is one frame.
MAX_TAKEN = 256


@dataclass(frozen=True, slots=True)
class Group:
    """Messages that are taken together; `about` names what a later group says anew, None for what is said once."""

    messages: tuple[Message, ...]
    about: str | None = None


@dataclass(slots=True)
class Outbox:
    """`superseded` counts the groups that a later one took the place of."""

    capacity: int = MAX_GROUPS
    superseded: int = 0
    _groups: deque[Group] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._groups)

    def put(self, messages: Sequence[Message], about: str | None = None) -> bool:
        """Take a group; False where there is no room for what must not be left out."""
        if about is not None:
            self._supersede(about)
        self._groups.append(Group(tuple(messages), about))
        return len(self._groups) <= self.capacity

    def take(self) -> list[Message]:
        """Remove and return what goes into the next frame: whole groups, the oldest first."""
        taken: list[Message] = []
        while self._groups and len(taken) < MAX_TAKEN:
            taken += self._groups.popleft().messages
        return taken

    def _supersede(self, about: str) -> None:
        before = next((group for group in self._groups if group.about == about), None)
        if before is not None:
            self._groups.remove(before)
            self.superseded += 1
