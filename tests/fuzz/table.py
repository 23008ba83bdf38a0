"""Every target that `make fuzz` attacks."""

from __future__ import annotations

from tests.fuzz import casework, files, media, ways, web
from tests.fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    *media.TARGETS,
    *web.TARGETS,
    *ways.TARGETS,
    *files.TARGETS,
    *casework.TARGETS,
)
