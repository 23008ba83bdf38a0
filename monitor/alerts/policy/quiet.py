"""Quiet hours, by the clocks of a zone: across midnight, and where clocks are put forward or back. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.alerts.policy.rules import Kind, QuietHours, Sinks


def is_quiet(hours: QuietHours, now: datetime) -> bool:
    """Whether it is quiet at a moment (aware).

    What clocks there show counts: an hour that they show twice is quiet or loud twice, one that they skip is neither.
    Of equal begin and end it is quiet all day. The end itself is loud.
    """
    local = now.astimezone(hours.zone)
    shown, today = local.time(), local.weekday()
    yesterday = (local.date() - timedelta(days=1)).weekday()
    if hours.begin < hours.end:
        return today in hours.days and hours.begin <= shown < hours.end
    # Across midnight: it belongs to the day on which it began.
    return (today in hours.days and shown >= hours.begin) or (yesterday in hours.days and shown < hours.end)


def told_when_quiet(hours: QuietHours, kind: Kind, usual: Sinks) -> Sinks:
    """Return who is told of an episode that is found while it is quiet."""
    if kind is not Kind.FINDING:
        return Sinks()
    return usual if hours.alert is None else hours.alert
