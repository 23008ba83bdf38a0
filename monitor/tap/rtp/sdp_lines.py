"""SDP text as attributes in order, line by line (RFC 8866 section 5). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from monitor.tap.rtp.sdp import SdpError

_MAX_LINE_CHARS = 4096
_LINE = re.compile(r"[a-z]=[\x20-\x7e\x80-\U0010ffff\t]*")


@dataclass(slots=True)
class Block:
    """Attributes of the session or of one media section, in order; `media` is the value of the `m=` line."""

    media: str = ""
    attributes: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Return every value of an attribute."""
        return [value for key, value in self.attributes if key == name]

    def first(self, name: str) -> str | None:
        """Return the first value of an attribute, None where it is absent."""
        return next(iter(self.all(name)), None)

    def has(self, *names: str) -> bool:
        """Whether one of these attributes is there."""
        return any(key in names for key, _ in self.attributes)


def malformed(detail: str) -> SdpError:
    """Make the error for text that is not proper SDP: 400."""
    return SdpError(400, "malformed SDP", detail)


def unsupported(detail: str) -> SdpError:
    """Make the error for proper SDP that is not accepted here: 422."""
    return SdpError(422, "unsupported offer", detail)


def split_blocks(text: str) -> list[Block]:
    """Split into the session block and one block a media section; raises `SdpError` 400.

    Blank lines at the end are no error: whoever joins lines, or copies SDP from a log, easily adds one.
    """
    blocks = [Block()]
    for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"):
        if len(line) > _MAX_LINE_CHARS or not _LINE.fullmatch(line):
            raise malformed("a line is not of the form letter=value: send unaltered SDP")
        if line.startswith("m="):
            blocks.append(Block(line[2:]))
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            blocks[-1].attributes.append((name, value))
    return blocks
