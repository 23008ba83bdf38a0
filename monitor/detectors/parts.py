"""A part of a reference that is read when it changes and not at every hop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from monitor.detectors.reference import TemplateError

T = TypeVar("T")


class PartCache(Generic[T]):
    """Reads the newest part by `parse`; one that cannot be read is as good as none."""

    def __init__(self, parse: Callable[[bytes], T]) -> None:
        self._parse = parse
        self._data: bytes | None = None
        self._value: T | None = None

    def read(self, data: bytes | None) -> T | None:
        """Give what the part holds; the same object as long as the same bytes are given."""
        if data is not self._data:
            try:
                self._value = self._parse(data) if data is not None else None
            except TemplateError:
                self._value = None
            self._data = data
        return self._value
