"""Logging for people or for machines, from which secrets, media descriptions and names cannot escape.

Every record of the process, ours or a library's, passes one chain: fields with sensitive names are blanked, text
that looks like SDP or holds a registered secret is blanked, arrays are blanked, and an exception becomes its
type and the place it came from, because its text may quote anything. Whoever logs asks structlog for a logger; events
are short fixed phrases, everything variable goes into fields.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Literal, TextIO

import structlog

REDACTED = "[redacted]"
SENSITIVE = (
    "token", "authorization", "secret", "password", "credential", "cookie",
    "sdp", "offer", "answer", "candidate", "fragment",
    "identity", "participant", "call", "name", "subject",
    "embedding", "vector", "reference", "landmarks", "samples",
)  # fmt: skip
MAX_TEXT = 400
# A signed token (RFC 7519): a JSON object in base64url, and two more parts.
SIGNED_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
SDP_MARKS = ("v=0\r", "v=0\n", "a=ice-", "a=candidate", "a=fingerprint", "m=audio", "m=video")

Event = MutableMapping[str, Any]
Processor = Callable[[Any, str, Event], Event]


def configure(
    level: str = "info",
    style: Literal["console", "json"] = "console",
    secrets: Sequence[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send all logging of this process, libraries included, through the redactor to `stream` (standard error)."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        shorten_exception,
        redactor(secrets),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for quiet in ("aioice", "aiortc", "alembic", "asyncio", "websockets"):
        # At debug and info these print candidates, SDP and file paths.
        logging.getLogger(quiet).setLevel(logging.WARNING)


def redactor(secrets: Sequence[str]) -> Processor:
    """Build the processor that blanks sensitive fields and texts; `secrets` are texts that must never appear."""
    texts = tuple(secret for secret in secrets if secret)

    def redact(_logger: Any, _method: str, event: Event) -> Event:
        for key, value in event.items():
            if key.startswith("_") or key in ("logger", "level", "timestamp"):
                continue
            event[key] = REDACTED if is_sensitive(key) else clean(value, texts)
        return event

    return redact


def is_sensitive(key: str) -> bool:
    """Whether a field of this name is blanked whatever it holds."""
    lowered = key.lower()
    return any(word in lowered.split("_") or lowered == word + "s" for word in SENSITIVE)


def clean(value: Any, secrets: Sequence[str] = ()) -> Any:
    """Return what of `value` can be shown: numbers and short harmless text; all else is blanked."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        if any(text in value for text in (*secrets, *SDP_MARKS)) or SIGNED_TOKEN.search(value):
            return REDACTED
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "..."
    if isinstance(value, Mapping):
        return {str(key): REDACTED if is_sensitive(str(key)) else clean(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple) and len(value) <= 16:
        return [clean(item, secrets) for item in value]
    return REDACTED


def shorten_exception(_logger: Any, _method: str, event: Event) -> Event:
    """Replace exception information by the exception's type and the place it was raised; never its text."""
    exc_info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if exc_info is True else exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        if frames:
            event["at"] = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}"
    return event
