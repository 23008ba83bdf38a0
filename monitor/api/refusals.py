"""Who is turned away before anything is asked of the application: counted by cause, and now and then logged."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from monitor.host.metrics import Metrics, TurnedAway

TELL_EVERY_SECONDS = 60.0
ADVICE = {
    TurnedAway.HOST: "a Host header names another server: add the name to allowed_hosts if it is one of this server's",
    TurnedAway.ORIGIN: "a page of another origin wanted alerts: let the proxy pass the Host, or set alert_origins",
    TurnedAway.ADDRESS: "one address had too many requests or connections: see max_connections_per_address",
    TurnedAway.FULL: "too many requests at once",
    TurnedAway.IDLE: "connections that sent no whole request were closed",
    TurnedAway.SILENT: "sockets that did not subscribe were closed",
    TurnedAway.TOO_LARGE: "requests with too long a line or too many headers were refused",
}


class Refusals:
    """Counts at once, and logs each cause once a minute at most: who floods a server must not flood its log."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._told: dict[TurnedAway, tuple[float, int]] = {}

    def count(self, cause: TurnedAway, quietly: bool = False) -> None:
        """Note that somebody was turned away; `quietly` leaves it out of the log."""
        self._metrics.turned_away.labels(str(cause)).inc()
        if quietly:
            return
        at, since = self._told.get(cause, (-TELL_EVERY_SECONDS, 0))
        now = self._clock()
        if now - at < TELL_EVERY_SECONDS:
            self._told[cause] = (at, since + 1)
            return
        self._told[cause] = (now, 0)
        structlog.stdlib.get_logger("api").warning(ADVICE[cause], times=since + 1)
