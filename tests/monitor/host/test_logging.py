from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import numpy as np
import pytest
import structlog

from monitor.host import logging as log
from monitor.host.logging import REDACTED
from tests.monitor.rig import quiet_log

SECRET = "the-secret-token-of-this-server"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with quiet_log():
        log.configure("info", "json", [SECRET, ""], stream)
        yield stream


def last(written: io.StringIO) -> dict[str, object]:
    record: dict[str, object] = json.loads(written.getvalue().splitlines()[-1])
    return record


@pytest.mark.parametrize(
    "field",
    ["token", "authorization", "sdp", "offer", "answer", "candidates", "identity", "participant", "call", "name"],
)
def test_telling_fields_are_blanked(written: io.StringIO, field: str) -> None:
    structlog.stdlib.get_logger("x").info("event", **{field: "Ada"})
    assert last(written)[field] == REDACTED
    assert "Ada" not in written.getvalue()


def test_telling_words_in_field_names() -> None:
    assert all(map(log.is_sensitive, ["client_name", "credential", "embeddings", "reference_vector", "Password"]))
    assert not any(map(log.is_sensitive, ["count", "why", "recall", "filename", "seconds"]))


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f"in the middle {SECRET} of text",
        "in the middle eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl of text",
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1",
        "a=candidate:1 1 udp 1 10.0.0.1 9 typ host",
        np.zeros(3),
        list(range(17)),
        b"bytes",
        object(),
    ],
)
def test_telling_values_are_blanked(written: io.StringIO, value: object) -> None:
    structlog.stdlib.get_logger("x").info("event", detail=value)
    assert last(written)["detail"] == REDACTED


def test_harmless_values_are_shown(written: io.StringIO) -> None:
    structlog.stdlib.get_logger("x").info(
        "event", count=3, why="disk is full", ok=True, none=None, parts=[1, "a"], more={"n": 1, "token": "t"}
    )
    record = last(written)
    assert (record["count"], record["why"], record["ok"], record["none"]) == (3, "disk is full", True, None)
    assert (record["parts"], record["more"]) == ([1, "a"], {"n": 1, "token": REDACTED})
    assert (record["level"], record["logger"], record["event"]) == ("info", "x", "event")


def test_long_text_is_cut(written: io.StringIO) -> None:
    structlog.stdlib.get_logger("x").info("event", why="y" * 1000)
    assert len(str(last(written)["why"])) < 500


def test_a_secret_in_the_event_itself(written: io.StringIO) -> None:
    logging.getLogger("library").warning("handshake with %s failed", SECRET)
    assert last(written)["event"] == REDACTED


def test_exceptions_are_a_type_and_a_place(written: io.StringIO) -> None:
    try:
        int("Ada is in this text")
    except ValueError:
        structlog.stdlib.get_logger("x").exception("it failed")
        logging.getLogger("library").exception("it failed too")
    for line in written.getvalue().splitlines():
        record = json.loads(line)
        assert record["error"] == "ValueError"
        assert record["at"].startswith("test_logging.py:")
    assert "Ada" not in written.getvalue()
    structlog.stdlib.get_logger("x").error("elsewhere", exc_info=KeyError("Ada"))
    assert last(written)["error"] == "KeyError"
    assert "at" not in last(written)


def test_level_and_chatty_libraries(written: io.StringIO) -> None:
    structlog.stdlib.get_logger("x").debug("not shown")
    logging.getLogger("aioice.ice").info("Connection(0) Remote candidate 10.0.0.1")
    assert written.getvalue() == ""


def test_console_style(written: io.StringIO) -> None:
    log.configure("info", "console", [SECRET], written)
    structlog.stdlib.get_logger("x").warning("a plain line", token=SECRET)
    assert "a plain line" in written.getvalue()
    assert SECRET not in written.getvalue()
