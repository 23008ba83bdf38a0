"""What aioice leaves out of ICE: checks begun again where the far end insists, and consent that media renew.

It uses aioice's private names (`monitor.tap.rtp.install`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from aioice import stun
from aioice.ice import CandidatePair, Connection, StunProtocol

# RFC 7675 section 5.1: a check every 5 s, a little more or less, and consent that lasts 30 s.
_CHECKS = 6
_JITTER = (0.8, 1.2)


class Consent:
    """Keeps a connection for as long as its far end shows that it is there, and closes it otherwise.

    Deviation from RFC 7675 section 5.1, by which only an answered check renews consent: media that authenticated (SRTP
    or SRTCP, RFC 3711 section 3.3) do too, because there are publishers, FFmpeg's among them, that answer no check once
    they send. Consent protects the far end from traffic that it does not want. What is sent here is feedback on the
    media that it has just sent, a few packets a second, and none when those stop.
    """

    def __init__(self, connection: Connection, seconds: float, last_media: Callable[[], float]) -> None:
        """`seconds` is how long consent lasts; `last_media` gives when media last authenticated, in monotonic s."""
        self.expired = False
        self._connection = connection
        self._seconds = seconds
        self._last_media = last_media
        self._answered_at = float("-inf")

    async def run(self) -> None:
        """Take the place of aioice's `query_consent`, which is started when a pair was chosen."""
        self._answered_at = time.monotonic()
        while not self.expired:
            await asyncio.sleep(self._seconds / _CHECKS * random.uniform(*_JITTER))  # noqa: S311
            for pair in tuple(self._connection._nominated.values()):
                if await self._check(pair):
                    self._answered_at = time.monotonic()
            self.expired = time.monotonic() - max(self._answered_at, self._last_media()) >= self._seconds
        # Closing would cancel the task that closes.
        self._connection._query_consent_task = None
        await self._connection.close()

    async def _check(self, pair: CandidatePair) -> bool:
        connection = self._connection
        try:
            await pair.protocol.request(
                connection.build_request(pair, nominate=False),
                pair.remote_addr,
                integrity_key=str(connection.remote_password).encode(),
                retransmissions=0,
            )
        except stun.TransactionError:
            return False
        return True


def resume_checks(connection: Connection) -> None:
    """Have a check of the far end answered by one of ours also on a pair that aioice stopped checking.

    aioice cancels every check when the first pair is chosen, and such pairs would be in progress for good: a far end
    that chooses one of them then, as one with addresses of both families may, would not be followed. Its check makes us
    check the pair again (RFC 8445 section 7.3.1.4).
    """
    check_incoming = connection.check_incoming

    def resumed(message: stun.Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        for pair in connection._check_list:
            if pair.protocol is protocol and pair.remote_addr == (addr[0], addr[1]) and _is_cancelled(pair):
                pair.task = None
                connection.check_state(pair, CandidatePair.State.FROZEN)
        check_incoming(message, addr, protocol)

    connection.check_incoming = resumed  # type: ignore[method-assign]


def _is_cancelled(pair: CandidatePair) -> bool:
    task: asyncio.Task[Any] | None = pair.task
    return pair.state is CandidatePair.State.IN_PROGRESS and task is not None and task.done()
