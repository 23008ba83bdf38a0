"""The processes that judge, over HTTP."""

from __future__ import annotations

from typing import Literal

from monitor.api.schemas.base import Shape


class Host(Shape):
    """How a host is doing."""

    host: int
    """Drain it by this."""
    phase: Literal["starting", "ready", "draining", "retrying"]
    seconds: float
    """How long it has been in this phase; one that drains, how long it has been ready."""
    participants: int
    """How many are judged there, or are about to be."""
    full: bool
    """Whether it is too slow for one more."""
    cores_used: float | None
    """Over the last seconds; null before that is measured."""
    starts: int
    """How often it was begun since the gateway was."""
    why: str | None
    """What keeps it from judging; null where nothing does."""
    node: str | None
    """The node of the cluster that it is on; null on this machine."""


class Rolling(Shape):
    """How far it has come with hosts that are begun anew, one after the other."""

    now: int | None
    """The host that is let go and begun anew now."""
    waiting: list[int]
    """Those whose turn comes."""
    done: list[int]
    """Those that are done, of what was asked for last."""
    why: str | None
    """Why it was given up; null where it was not."""


class Capacity(Shape):
    """What an autoscaler may go by; null before anything was measured."""

    participants: int
    """How many are judged."""
    cores_per_participant: float | None
    """As measured on hosts that keep up."""
    participants_fit: int | None
    """How many more fit, at the setting `target_use`."""
    hosts_wanted: int | None
    """How many hosts would suit those that there are."""


class Hosts(Shape):
    """Every host; empty where participants are judged in the process of the gateway."""

    hosts: list[Host]
    rolling: Rolling
    capacity: Capacity
