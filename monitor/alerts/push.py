"""One subscriber of `sidewitness.alerts.v1` as a state machine without I/O, and the hub that feeds all of them.

The shell feeds it client messages, journal pages and the passing of the deadline, and sends what `take` gives.
The invariant: a subscriber is sent every finding above its cursor, in order and once per connection, or is told
of a gap, or is closed. Replay and live meet without a seam because live findings are only *taken* when they
continue the cursor; anything else is read from the journal, which holds every finding before it is published.
At most `CAPACITY_MESSAGES` messages wait; then the client is too slow.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from monitor.alerts.disclosure import Disclosure, disclosed
from monitor.alerts.journal import MAX_SEQ, Entry, Head, Row, Tampered
from monitor.alerts.plain import encode
from monitor.alerts.wire import finding_message, gap, hello, pong, tampered

CAPACITY_MESSAGES = 256
PAGE_ENTRIES = 64
MAX_MESSAGE_BYTES = 4096


class Close(Enum):
    """Why the server ends a subscription: close code and reason (RFC 6455, 7.4.2: 4000-4999 are for applications)."""

    BAD_TOKEN = (4401, "no or bad token")
    FORBIDDEN = (4403, "this token may not subscribe")
    UNKNOWN = (1013, "tokens cannot be checked now: try again later")
    LOCKED = (4429, "too many wrong tokens: wait")
    BAD_MESSAGE = (4400, "bad message")
    TOO_SLOW = (4008, "too slow: reconnect and resume")
    FULL = (1013, "too many subscribers: try again later")
    CROWDED = (1013, "too many who have not subscribed: subscribe at once")

    @property
    def code(self) -> int:
        """The close code."""
        return self.value[0]

    @property
    def reason(self) -> str:
        """The close reason."""
        return self.value[1]


class Phase(Enum):
    """Where a subscription stands."""

    AWAITING = auto()
    CHECKING = auto()
    STARTING = auto()
    REPLAYING = auto()
    LIVE = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One encoded message; `decided_at` is the monotonic time of the decision behind it, None for replayed ones."""

    text: str
    decided_at: float | None = None


def _nothing() -> None:
    return


class Subscriber:
    """The server's end of one subscription. `wake` is called whenever the shell may have something to do."""

    def __init__(self, wake: Callable[[], None] = _nothing, capacity: int = CAPACITY_MESSAGES) -> None:
        self.wake = wake
        self._capacity = capacity
        self._queue: deque[Outgoing] = deque()
        self._cursor: int | None = None
        self._newest = 0
        self._states = False
        self.phase = Phase.AWAITING
        self.disclosure = Disclosure.VERDICTS
        self.bearer = ""
        self.close: Close | None = None

    def receive(self, data: str | bytes) -> None:
        """Take a message of the client: the first must subscribe, later ones may ping, anything else is an error."""
        if self.phase is Phase.CLOSED:
            return
        message = _parse(data)
        kind = message.get("type") if message is not None else None
        if kind == "ping" and self.phase is not Phase.AWAITING:
            # Not a state: it is answered during a replay too, and counts as waiting like everything else.
            self._push(Outgoing(encode(pong())))
        elif message is None or kind != "subscribe" or self.phase is not Phase.AWAITING:
            self._shut(Close.BAD_MESSAGE)
        else:
            self._subscribe(message)

    def _subscribe(self, message: dict[str, Any]) -> None:
        # Without a token it is for the shell to say whether whoever connected has shown something else.
        token, after, states = message.get("token"), message.get("after"), message.get("states", False)
        token = "" if token is None else token
        if not isinstance(token, str):
            self._shut(Close.BAD_TOKEN)
        elif not (after is None or _is_cursor(after)) or not isinstance(states, bool):
            self._shut(Close.BAD_MESSAGE)
        else:
            self._cursor, self._states, self.bearer, self.phase = after, states, token, Phase.CHECKING
            self.wake()

    def admit(self, disclosure: Disclosure) -> None:
        """Say that `bearer` may subscribe, and what it may be told."""
        if self.phase is Phase.CHECKING:
            self.disclosure, self.phase = disclosure, Phase.STARTING
            self.wake()

    def deadline(self) -> None:
        """Say that the time to subscribe is over."""
        if self.phase is Phase.AWAITING:
            self._shut(Close.BAD_TOKEN)

    def end(self, why: Close) -> None:
        """Close the subscription, for a reason that the shell has; what waits is dropped."""
        if self.phase is not Phase.CLOSED:
            self._shut(why)

    def start(self, head: Head) -> None:
        """Take the state of the journal, read after the subscription came; queues `hello` and, where needed, `gap`."""
        if self.phase is not Phase.STARTING:
            return
        # Before what answers a ping that came meanwhile.
        self._queue.appendleft(Outgoing(encode(hello(head.seq))))
        self._newest = max(self._newest, head.seq)
        cursor = head.seq if self._cursor is None else self._cursor
        if cursor < head.pruned or cursor > head.seq:
            # Above the newest: the number is from another journal, so nothing is known of what the client has seen.
            cursor = head.pruned
            self._queue.append(Outgoing(encode(gap(cursor))))
        self._cursor = cursor
        self.phase = Phase.REPLAYING
        self._settle()

    @property
    def replay_after(self) -> int | None:
        """The number after which to read the journal now; None when none is wanted or the client must drain."""
        if self.phase is not Phase.REPLAYING or len(self._queue) > PAGE_ENTRIES:
            return None
        return self._cursor

    def replay(self, entries: Sequence[Row], head: Head) -> None:
        """Take a page of the journal, read after `replay_after`, and the head as it was before that reading."""
        if self.phase is not Phase.REPLAYING or self._cursor is None:
            return
        for entry in entries:
            if entry.seq <= self._cursor:
                continue
            if entry.seq > self._cursor + 1:
                self._queue.append(Outgoing(encode(gap(entry.seq - 1))))
            if isinstance(entry, Tampered):
                message = tampered(entry.seq)
            else:
                message = disclosed(finding_message(entry.seq, entry.finding), self.disclosure)
            self._queue.append(Outgoing(encode(message)))
            self._cursor = entry.seq
        if not entries and self._cursor < head.seq:
            # All of them were pruned meanwhile, or somebody took them away.
            self._queue.append(Outgoing(encode(gap(head.seq))))
            self._cursor = head.seq
        self._newest = max(self._newest, head.seq)
        self._settle()

    def finding(self, seq: int, text: str, decided_at: float | None = None) -> None:
        """Take a finding that has just been committed."""
        self._newest = max(self._newest, seq)
        if self.phase is not Phase.LIVE or self._cursor is None or seq <= self._cursor:
            return
        if seq == self._cursor + 1:
            if self._push(Outgoing(text, decided_at)):
                self._cursor = seq
        else:
            # Another process has written in between: the journal knows.
            self.phase = Phase.REPLAYING
            self.wake()

    def newer(self, seq: int) -> None:
        """Take note that findings up to this number are in the journal, whoever wrote them: they are read there."""
        self._newest = max(self._newest, seq)
        if self.phase is Phase.LIVE and self._cursor is not None and seq > self._cursor:
            self.phase = Phase.REPLAYING
            self.wake()

    def state(self, text: str, decided_at: float | None = None) -> None:
        """Take a state, wanted or not; states never interrupt a replay."""
        if self._states and self.phase is Phase.LIVE:
            self._push(Outgoing(text, decided_at))

    def notice(self, text: str, decided_at: float | None = None) -> None:
        """Take what everybody is told and nobody is told again: not a finding, and more than a state."""
        if self.phase in (Phase.REPLAYING, Phase.LIVE):
            self._push(Outgoing(text, decided_at))

    def take(self) -> Outgoing | None:
        """Remove and return the next message to send."""
        return self._queue.popleft() if self._queue else None

    def __len__(self) -> int:
        return len(self._queue)

    def _settle(self) -> None:
        if self._cursor is not None and self._cursor >= self._newest:
            self.phase = Phase.LIVE
        self.wake()

    def _push(self, message: Outgoing) -> bool:
        if len(self._queue) >= self._capacity:
            self._shut(Close.TOO_SLOW)
            return False
        self._queue.append(message)
        self.wake()
        return True

    def _shut(self, why: Close) -> None:
        # What waits is dropped: the client resumes from the last number that it has seen.
        self._queue.clear()
        self.phase, self.close = Phase.CLOSED, why
        self.wake()


class Hub:
    """Everyone who is subscribed. Messages are encoded once for each disclosure, whatever their number."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()

    def __len__(self) -> int:
        return len(self._subscribers)

    @property
    def waiting(self) -> int:
        """Messages not yet given to a socket."""
        return sum(map(len, self._subscribers))

    def join(self, subscriber: Subscriber) -> None:
        """Begin to feed a subscriber; do so before its head is read, so that nothing falls between."""
        self._subscribers.add(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Stop feeding a subscriber; safe to call twice."""
        self._subscribers.discard(subscriber)

    def finding(self, entry: Entry, decided_at: float | None = None) -> None:
        """Publish a committed finding."""
        texts = self._texts(finding_message(entry.seq, entry.finding)) if self._subscribers else {}
        for subscriber in self._subscribers:
            subscriber.finding(entry.seq, texts[subscriber.disclosure], decided_at)

    def newer(self, seq: int) -> None:
        """Say that another process has committed findings, up to this number."""
        for subscriber in self._subscribers:
            subscriber.newer(seq)

    def state(self, message: dict[str, Any], decided_at: float | None = None) -> None:
        """Publish a state."""
        texts = self._texts(message)
        for subscriber in self._subscribers:
            subscriber.state(texts[subscriber.disclosure], decided_at)

    def notice(self, message: dict[str, Any], decided_at: float | None = None) -> None:
        """Publish what everybody is told once."""
        texts = self._texts(message)
        for subscriber in self._subscribers:
            subscriber.notice(texts[subscriber.disclosure], decided_at)

    def _texts(self, message: dict[str, Any]) -> dict[Disclosure, str]:
        wanted = {subscriber.disclosure for subscriber in self._subscribers}
        return {disclosure: encode(disclosed(message, disclosure)) for disclosure in wanted}


def _is_cursor(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SEQ


def _parse(data: str | bytes) -> dict[str, Any] | None:
    if isinstance(data, bytes) or len(data) > MAX_MESSAGE_BYTES:
        return None
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
