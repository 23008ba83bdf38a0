"""A multipart form (RFC 7578) read as it arrives: bytes in, events out, nothing held but one part's headers.

Fields come before clips, so that whoever receives a form can refuse it before anything large was written. Limits are
those of a form of ours: few fields, small ones, and at most `MAX_CLIPS` clips.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

MAX_FIELDS = 8
MAX_FIELD_BYTES = 65_536
MAX_CLIPS = 16
MAX_FILE_NAME = 64
# Of one part of the form: RFC 7578 has three headers, of which one is read.
MAX_PART_HEADERS = 4
MAX_PART_HEADER_BYTES = 2048
MULTIPART = b"multipart/form-data"


class FormError(Exception):
    """An upload cannot be taken; `status` is HTTP's, the message says what to do and quotes nothing."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True, slots=True)
class Field:
    """A whole field."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ClipBegins:
    """A clip begins; `name` is harmless as a file's name."""

    name: str


@dataclass(frozen=True, slots=True)
class ClipData:
    """More of the clip that began last."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ClipEnds:
    """The clip that began last is whole."""


Event = Field | ClipBegins | ClipData | ClipEnds


class FormReader:
    """Reads one form; raises `FormError`."""

    def __init__(self, content_type: str, clips: str = "clips") -> None:
        kind, options = parse_options_header(_latin(content_type))
        boundary = options.get(b"boundary", b"")
        if kind != MULTIPART or not boundary:
            raise FormError(415, "send the body as multipart/form-data")
        self._clips = clips
        self._part = _Part()
        self._events: list[Event] = []
        self._fields = 0
        self._clip_count = 0
        self._ended = False
        try:
            self._parser = MultipartParser(boundary, {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finish,
            })  # fmt: skip
        except FormParserError:
            raise FormError(400, "the form's boundary is too long") from None

    def feed(self, data: bytes) -> list[Event]:
        """Return what these bytes complete, in order."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise FormError(400, "the form is not well-formed multipart/form-data") from None
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Say that there are no more bytes; the form must be whole and hold a clip."""
        if not self._ended:
            raise FormError(400, "the form ends early: send it whole")
        if not self._clip_count:
            raise FormError(400, f"send at least one clip as a file called {self._clips}")

    def _begin(self) -> None:
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._part.value += data[start:end]

    def _count_header(self, size: int) -> None:
        part = self._part
        part.header_bytes += size
        if part.header_bytes > MAX_PART_HEADER_BYTES or part.headers >= MAX_PART_HEADERS:
            raise FormError(
                431, f"a part of the form may have {MAX_PART_HEADERS} headers of {MAX_PART_HEADER_BYTES} bytes together"
            )

    def _header_end(self) -> None:
        part = self._part
        if part.header.lower() == b"content-disposition":
            part.options = parse_options_header(_latin(part.value.decode("latin-1")))[1]
        part.header, part.value = bytearray(), bytearray()
        part.headers += 1

    def _headers(self) -> None:
        part = self._part
        part.name = part.options.get(b"name", b"").decode("utf-8", "replace")
        part.is_clip = b"filename" in part.options
        if not part.is_clip:
            self._field_begins()
            return
        self._clip_count += 1
        if part.name != self._clips:
            raise FormError(400, f"files are called {self._clips}")
        if self._clip_count > MAX_CLIPS:
            raise FormError(413, f"send at most {MAX_CLIPS} clips")
        self._events.append(ClipBegins(harmless(part.options[b"filename"].decode("utf-8", "replace"))))

    def _field_begins(self) -> None:
        self._fields += 1
        if self._clip_count:
            raise FormError(400, f"send the fields before the {self._clips}")
        if self._fields > MAX_FIELDS:
            raise FormError(413, f"send at most {MAX_FIELDS} fields")

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        if part.is_clip:
            self._events.append(ClipData(data[start:end]))
            return
        part.text += data[start:end]
        if len(part.text) > MAX_FIELD_BYTES:
            raise FormError(413, f"a field may have at most {MAX_FIELD_BYTES} bytes")

    def _end(self) -> None:
        part = self._part
        if part.is_clip:
            self._events.append(ClipEnds())
            return
        try:
            self._events.append(Field(part.name, part.text.decode()))
        except UnicodeDecodeError:
            raise FormError(400, "a field is not UTF-8 text") from None

    def _finish(self) -> None:
        self._ended = True


@dataclass(slots=True)
class _Part:
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    text: bytearray = field(default_factory=bytearray)
    options: dict[bytes, bytes] = field(default_factory=dict)
    headers: int = 0
    header_bytes: int = 0
    name: str = ""
    is_clip: bool = False


def harmless(name: str) -> str:
    """Return a file's name without folders and without anything but letters, digits and `. _ -`; never empty."""
    last = re.split(r"[/\\]", name)[-1]
    clean = re.sub(r"[^\w.\-]+", "_", last, flags=re.ASCII).lstrip(".-_")[-MAX_FILE_NAME:]
    return clean or "clip"


def _latin(text: str) -> str:
    # The library encodes parameters as latin-1; what is not latin-1 would raise.
    return text.encode("latin-1", "replace").decode("latin-1")
