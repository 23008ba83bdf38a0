"""Finished work survives a kill, a full disk and strange lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.lab.evaluate.resume_log import ResumeLog


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.jsonl"
    with ResumeLog(path) as kept:
        kept.add("a", {"value": 1})
        assert kept.entries == {"a": {"value": 1}}
    with ResumeLog(path) as kept:
        kept.add("b", {"value": [2.5]})
    with ResumeLog(path) as kept:
        assert kept.entries == {"a": {"value": 1}, "b": {"value": [2.5]}}


def test_a_half_written_line_is_cut_off_and_strange_ones_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes(b'{"key": "a", "value": 1}\n[1]\nnull\nnonsense\n{"value": 2}\n{"key": "b", "val')
    with ResumeLog(path) as kept:
        assert kept.entries == {"a": {"value": 1}}
        kept.add("c", {})
    assert path.read_bytes().endswith(b'{"value": 2}\n{"key": "c"}\n')


def test_a_closed_file_takes_nothing(tmp_path: Path) -> None:
    kept = ResumeLog(tmp_path / "file.jsonl")
    with pytest.raises(ValueError, match="with"):
        kept.add("a", {})
    kept.__exit__(None, None, None)
