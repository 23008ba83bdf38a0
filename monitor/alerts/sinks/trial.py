"""A finding of a test, for `sidewitness sinks test`: it goes through a sink of the settings and nowhere else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry
from monitor.alerts.sinks.base import SinkError
from monitor.alerts.sinks.delivery import DELIVER_SECONDS
from monitor.alerts.sinks.registry import open_sinks
from monitor.config import ConfigError, Settings
from monitor.types import ParticipantKey, Verdict

MARK = "sidewitness-test"
REASON = "test"


async def send_trial(settings: Settings, name: str) -> str:
    """Send a test finding, opened and closed, and return its id; raises `ConfigError`, or `SinkError`."""
    chosen = [sink for sink in settings.sinks if (sink.name or sink.kind) == name]
    if not chosen:
        names = ", ".join(sink.name or sink.kind for sink in settings.sinks)
        raise ConfigError(f"no sink is named {name!r}: there are {names or 'none, name a settings file with --config'}")
    (named,) = open_sinks(chosen)
    finding_id = str(uuid4())
    try:
        for step, (action, verdict) in enumerate((("opened", Verdict.ALERT), ("closed", Verdict.INCONCLUSIVE))):
            key = ParticipantKey(MARK, MARK)
            finding = Finding(finding_id, step, action, key, datetime.now(UTC), str(verdict), REASON)  # type: ignore[arg-type]
            async with asyncio.timeout(DELIVER_SECONDS):
                await named.sink.deliver([Entry(0, finding)])
    except TimeoutError:
        raise SinkError(f"the sink {name!r} did not answer in time") from None
    finally:
        await named.sink.close()
    return finding_id
