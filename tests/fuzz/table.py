"""Every target that `make fuzz` attacks."""

from __future__ import annotations

from tests.fuzz import files, media, web
from tests.fuzz.target import Target

TARGETS: tuple[Target, ...] = (*media.TARGETS, *web.TARGETS, *files.TARGETS)
