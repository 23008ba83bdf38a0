from __future__ import annotations

import fcntl
import json
import os
import resource
import stat
from pathlib import Path

import pytest

from monitor.alerts.journal import Entry
from monitor.alerts.sinks.base import Gap, Item, SinkError
from monitor.alerts.sinks.jsonl import MAX_LINE_BYTES, JsonlOptions, JsonlSink
from monitor.alerts.wire import finding_message
from tests.monitor.alerts.build import finding


def entry(seq: int) -> Entry:
    return Entry(seq, finding(str(seq)))


async def deliver(path: Path, *items: Item) -> None:
    sink = JsonlSink(JsonlOptions(path=path))
    try:
        await sink.deliver(items)
    finally:
        await sink.close()


def lines(path: Path) -> list[dict[str, object]]:
    text = path.read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


async def test_one_line_a_finding_in_the_words_of_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    await deliver(path, Gap(1, 3), entry(4))
    await deliver(path, entry(5))
    assert lines(path) == [
        {"type": "gap", "after": 3},
        finding_message(4, finding("4")),
        finding_message(5, finding("5")),
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("torn", ['{"type":"finding","seq":2,"id', "{", "\0" * 50, '{"type":"fin\0\0\0'])
async def test_a_torn_line_is_cut_off(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "findings.jsonl"
    await deliver(path, entry(1))
    with path.open("a") as file:
        file.write(torn)
    await deliver(path, entry(2))
    assert [line["seq"] for line in lines(path)] == [1, 2]


@pytest.mark.parametrize("text", ["a diary without an end", '{"type":"' + "x" * MAX_LINE_BYTES])
async def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "diary"
    path.write_text(text)
    with pytest.raises(SinkError, match="name another file"):
        await deliver(path, entry(1))
    assert path.read_text() == text


async def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    sink = JsonlSink(JsonlOptions(path=path))
    await sink.deliver([entry(1)])
    path.rename(tmp_path / "findings.1.jsonl")
    await sink.deliver([entry(2)])
    await sink.close()
    assert [line["seq"] for line in lines(path)] == [2]


async def test_what_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "absent" / "findings.jsonl", tmp_path):
        with pytest.raises(SinkError, match="correct its path") as caught:
            await deliver(path, entry(1))
        assert "\n" not in str(caught.value)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SinkError, match="is no file"):
        await deliver(tmp_path / "pipe", entry(1))


async def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(SinkError, match="another process"):
            await deliver(path, entry(1))
    await deliver(path, entry(1))
    assert [line["seq"] for line in lines(path)] == [1]


async def test_a_full_disk_is_said_and_the_line_that_it_cut_short_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    await deliver(path, entry(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, hard))
    try:
        with pytest.raises(SinkError, match="File too large"):
            await deliver(path, entry(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not path.read_text().endswith("\n")
    await deliver(path, entry(2))
    assert [line["seq"] for line in lines(path)] == [1, 2]


def test_the_path_is_made_absolute() -> None:
    assert JsonlOptions(path=Path("~/x.jsonl")).path == Path.home() / "x.jsonl"
    assert JsonlOptions(path=Path("x.jsonl")).path.is_absolute()
