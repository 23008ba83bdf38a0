"""Engines that are not there yet."""

from __future__ import annotations

from monitor.session.warm_later import Later


class Waiting(Later):
    """Something that is compiled when the test says so."""

    there = asked = False

    @property
    def ready(self) -> bool:
        return self.there

    def prepare(self) -> None:
        self.asked = True
