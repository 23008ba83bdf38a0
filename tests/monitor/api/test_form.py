from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.api.form import (
    MAX_CLIPS,
    MAX_FIELD_BYTES,
    MAX_FIELDS,
    MAX_PART_HEADER_BYTES,
    MAX_PART_HEADERS,
    ClipBegins,
    ClipData,
    ClipEnds,
    Event,
    Field,
    FormError,
    FormReader,
    harmless,
)

KIND = "multipart/form-data; boundary=edge"


def part(name: str, data: bytes, filename: str | None = None, edge: str = "edge") -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    head = f"--{edge}\r\nContent-Disposition: {disposition}\r\nContent-Type: text/plain\r\n\r\n"
    return head.encode() + data + b"\r\n"


END = b"--edge--\r\n"


def read(body: bytes, kind: str = KIND, step: int = 1 << 20) -> list[Event]:
    reader = FormReader(kind)
    events = [event for at in range(0, len(body), step) for event in reader.feed(body[at : at + step])]
    reader.close()
    return events


def files(events: list[Event]) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for event in events:
        if isinstance(event, ClipBegins):
            found.append((event.name, b""))
        elif isinstance(event, ClipData):
            found[-1] = (found[-1][0], found[-1][1] + event.data)
    return found


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_fields_and_clips_in_any_pieces(step: int) -> None:
    body = part("consent", "{é}".encode()) + part("clips", b"\r\n--edg", "a.mp4") + part("clips", b"", "b.webm") + END
    events = read(body, step=step)
    assert events[0] == Field("consent", "{é}")
    assert files(events) == [("a.mp4", b"\r\n--edg"), ("b.webm", b"")]
    assert sum(isinstance(event, ClipEnds) for event in events) == 2


@given(st.binary(max_size=300), st.integers(1, 50))
def test_a_clip_arrives_as_it_was_sent(data: bytes, step: int) -> None:
    if b"\r\n--edge" not in b"\r\n" + data:
        assert files(read(part("clips", data, "a.mp4") + END, step=step)) == [("a.mp4", data)]


@given(st.binary(max_size=300))
def test_whatever_is_sent_is_read_or_refused(data: bytes) -> None:
    for body in (data, part("clips", data, "a.mp4") + data, b"--edge\r\n" + data):
        assert outcome(body) in (None, 400, 413)


def outcome(body: bytes) -> int | None:
    try:
        read(body, step=9)
    except FormError as error:
        return error.status
    return None


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 415),
        ("", 415),
        ("multipart/form-data", 415),
        ("multipart/form-data; boundary=" + "x" * 300, 400),
        ("multipart/form-data; boundary=\u2603; name*=utf-8''%e2", 400),
    ],
)
def test_what_is_no_such_form(kind: str, status: int) -> None:
    with pytest.raises(FormError) as caught:
        read(part("clips", b"x", "a.mp4") + END, kind)
    assert caught.value.status == status


CLIP = part("clips", b"x", "a.mp4")
REFUSED = {
    "ends early": (part("clips", b"xyz", "a.mp4"), 400, "whole"),
    "nothing": (b"", 400, "whole"),
    "no clip": (part("consent", b"{}") + END, 400, "at least one clip"),
    "another file": (part("picture", b"x", "a.jpg") + END, 400, "called clips"),
    "late field": (CLIP + part("consent", b"{}") + END, 400, "before"),
    "many clips": (CLIP * (MAX_CLIPS + 1) + END, 413, "clips"),
    "many fields": (part("f", b"") * (MAX_FIELDS + 1) + CLIP + END, 413, "fields"),
    "large field": (part("f", b"x" * (MAX_FIELD_BYTES + 1)) + CLIP + END, 413, "bytes"),
    "no text": (part("f", b"\xff\xfe") + CLIP + END, 400, "UTF-8"),
    "endless header": (b"--edge\r\n" + b"X: " + b"y" * 100_000, 400, "well-formed"),
    "not a form": (b"hello", 400, "well-formed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    body, status, words = REFUSED[case]
    with pytest.raises(FormError, match=words) as caught:
        read(body)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\my clip.mov", "my_clip.mov"),
        ("..", "clip"),
        ("", "clip"),
        (".hidden", "hidden"),
        ("-rf.mp4", "rf.mp4"),
        ("a\x00b\n.mp4", "a_b_.mp4"),
        ("Ünï.mp4", "n_.mp4"),
        ("x" * 300 + ".mp4", "x" * 60 + ".mp4"),
    ],
)
def test_a_files_name_is_made_harmless(name: str, clean: str) -> None:
    assert harmless(name) == clean


def many_headers(count: int, size: int = 1) -> bytes:
    head = "".join(f"X-{number}: {'x' * size}\r\n" for number in range(count))
    return f'--edge\r\nContent-Disposition: form-data; name="consent"\r\n{head}\r\n{{}}\r\n'.encode()


@pytest.mark.parametrize("body", [many_headers(MAX_PART_HEADERS), many_headers(1, MAX_PART_HEADER_BYTES)])
def test_the_headers_of_a_part_are_bounded_by_us(body: bytes) -> None:
    """Whatever the library's own limits are; the second bound holds before the header is whole."""
    assert read(many_headers(MAX_PART_HEADERS - 1, 64) + part("clips", b"x", "a.mp4") + END)
    for step in (7, len(body)):
        with pytest.raises(FormError) as refused:
            read(body, step=step)
        assert refused.value.status == 431
        assert "may have 4 headers of 2048 bytes" in str(refused.value)
