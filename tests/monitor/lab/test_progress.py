"""A bar on a terminal, plain lines elsewhere: about twenty of them however long the work."""

from __future__ import annotations

import re

import pytest

from monitor.lab.progress import clip_progress


@pytest.mark.parametrize(("total", "lines"), [(3, 3), (20, 20), (1000, 20)])
def test_lines_where_there_is_no_terminal(total: int, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    with clip_progress("scoring clips", total) as tick:
        for _ in range(total):
            tick(None)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == lines
    assert re.fullmatch(rf"scoring clips: {total}/{total}, 0 s left", said.err.splitlines()[-1])


def test_notes_are_always_said(capsys: pytest.CaptureFixture[str]) -> None:
    with clip_progress("scoring clips", 100) as tick:
        tick("a.mp4 is [no] clip")
    assert capsys.readouterr().err == "note: a.mp4 is [no] clip\n"


def test_a_bar_with_the_time_left_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with clip_progress("scoring clips", 2) as tick:
        tick(None)
        tick("b.mp4 is no clip")
    said = capsys.readouterr().err
    assert "scoring clips" in said
    assert "2/2" in said
    assert "note: b.mp4 is no clip" in said
    assert re.search(r"0:00:00", said)
