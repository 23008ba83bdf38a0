"""Evaluation in parallel: killed at any moment it goes on where it stopped and ends as if nothing had happened.

Where processes are what is tested they are started here; what a job gives is asked of the process that is kept.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from engines.base import EngineError
from monitor import cli
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.speech_features import Change, ClipFeatures
from monitor.lab.evaluate.clip_detector import Job, Scorer
from monitor.lab.evaluate.outcomes import Outcome, OutcomeLog
from monitor.lab.evaluate.registry import SynchronyClips
from monitor.lab.evaluate.worker_pool import WorkerError, WorkerOptions, encode_clips, score_clips
from monitor.session.input_spec import DEFAULT, InputSpec
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, MediaItem
from tests.kept_workers import KeptWorker, sharing
from tests.monitor.tap.clips import write_clip

COUNT, STOP = 6, 3


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of short clips, all different."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = [("path", "label", "method", "subject")]
    for n in range(COUNT):
        write_clip(folder / f"{n}.mp4", seconds=0.6 + 0.2 * n)
        rows.append((f"{n}.mp4", "fake" if n % 2 else "real", "bars" if n % 2 else "real", f"p{n}"))
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture
def kept(kept_worker: KeptWorker) -> Iterator[None]:
    """The process that is kept does the work."""
    with sharing(kept_worker):
        yield


def command(corpus: Path, out: Path, cache: Path) -> list[str]:
    return ["evaluate", str(corpus / "clips.csv"), "--out", str(out), "--cache", str(cache), "--workers", "1"]


@pytest.mark.usefixtures("kept")
def test_a_killed_evaluation_goes_on_where_it_stopped(corpus: Path, tmp_path: Path) -> None:
    """Its own processes are the command's that is killed."""
    out, cache, blocked = tmp_path / "out", tmp_path / "cache", corpus / f"{STOP}.mp4"
    # A pipe that nobody writes to: the worker waits at this clip until the evaluation is killed.
    blocked.rename(tmp_path / "clip")
    os.mkfifo(blocked)
    words = command(corpus, out, cache)
    with subprocess.Popen([sys.executable, "-m", "monitor.cli", *words], stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        for line in first.stderr:
            if f"{STOP}/{COUNT}" in line:
                first.kill()
        # The stream ends only when the workers, who share it, have ended too.
        assert first.wait() == -9
    partial = out / "partial.jsonl"
    kept = partial.read_bytes()
    assert kept.count(b"\n") == STOP
    assert not (out / "results.csv").exists()
    (tmp_path / "clip").replace(blocked)
    # As if it had been killed in the middle of a line.
    partial.write_bytes(kept + b'{"key": "half a li')
    # What was kept is found though its analysis is gone.
    for path in cache.iterdir():
        path.unlink()
    assert cli.run(words) == 0
    assert partial.read_bytes().startswith(kept)
    keys = [json.loads(line)["key"] for line in partial.read_text().splitlines()]
    assert len(keys) == len(set(keys)) == COUNT
    assert len(list(cache.iterdir())) == COUNT - STOP
    whole = tmp_path / "whole"
    assert cli.run(command(corpus, whole, cache)) == 0
    for name in ("results.csv", "summary.json"):
        assert (out / name).read_text() == (whole / name).read_text()


@dataclass(frozen=True, slots=True)
class Nothing:
    """A change that changes nothing."""

    name: str = "nothing"

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        yield from items


def jobs(corpus: Path, change: Change | None = None) -> list[Job]:
    names = ["0.mp4", "1.mp4", "words.mp4", "absent.mp4"]
    (corpus / "words.mp4").write_text("these are words")
    return [Job(Row(corpus / name, name, "real", "real", name), change) for name in names]


def test_results_are_in_the_order_of_the_jobs_and_problems_are_told(corpus: Path, tmp_path: Path) -> None:
    effort, notes = WorkerOptions(tmp_path / "cache", tmp_path / "partial.jsonl", 2), list[str | None]()
    found = score_clips(jobs(corpus), (SynchronyClips(),), effort, notes.append)
    assert [(r.clip, r.score, r.reason) for r in found] == [
        ("0.mp4", None, "no_face"),
        ("1.mp4", None, "no_face"),
        ("words.mp4", None, "unreadable"),
        ("absent.mp4", None, "unreadable"),
    ]
    assert found[1].seconds == pytest.approx(0.8, abs=0.1)
    assert len(notes) == 4
    assert sorted(note for note in notes if note) == [
        "absent.mp4: No such file or directory",
        "words.mp4 is not a video that can be read: give an MP4, WebM, MKV, MOV or AVI",
    ]
    # What is absent may come: nothing is kept of it.
    lines = [json.loads(line) for line in effort.partial.read_text().splitlines()]
    assert {line["path"] for line in lines} == {"0.mp4", "1.mp4", "words.mp4"}
    again = score_clips(jobs(corpus), (SynchronyClips(),), effort, lambda _: None)
    assert again == found
    assert effort.partial.read_text().count("\n") == 3


@pytest.mark.usefixtures("kept")
def test_a_changed_clip_is_another_clip(corpus: Path, tmp_path: Path) -> None:
    effort = WorkerOptions(tmp_path / "cache", tmp_path / "partial.jsonl", 1)
    mixed = [*jobs(corpus)[:1], *jobs(corpus, Nothing())[:1]]
    found = score_clips(mixed, (SynchronyClips(),), effort, lambda _: None)
    assert found[0] == found[1]
    lines = [json.loads(line) for line in effort.partial.read_text().splitlines()]
    assert [line.get("change") for line in lines] in ([None, "nothing"], ["nothing", None])
    assert len(list((tmp_path / "cache").iterdir())) == 2


@dataclass(frozen=True, slots=True)
class Listener:
    """A detector that reads the clips of the person who is claimed."""

    name: str = "listener"
    key: str = "listener"
    input_spec: InputSpec = DEFAULT

    def load(self) -> Scorer:
        return self._score

    def _score(self, job: Job, features: ClipFeatures) -> Outcome:
        return Outcome(float(sum(isinstance(item, AudioBlock) for item in read_clip(job.row.reference[0]))))


@pytest.mark.data
@pytest.mark.usefixtures("kept")
def test_a_reference_that_cannot_be_read_ends_nothing(data_dir: Path, corpus: Path, tmp_path: Path) -> None:
    jobs(corpus)
    clip = data_dir / "clips/real/LivePortrait__d12.mp4"
    rows = [Row(clip, name, "real", "real", name, reference=(corpus / name,)) for name in ("words.mp4", "0.mp4")]
    effort, notes = WorkerOptions(tmp_path / "cache", tmp_path / "partial.jsonl", 1), list[str | None]()
    found = score_clips([Job(row) for row in rows], (Listener(),), effort, notes.append)
    assert [r.reason for r in found] == ["unreadable", None]
    assert found[1].score is not None
    assert found[1].score > 15
    assert [note for note in notes if note] == [
        "words.mp4: words.mp4 is not a video that can be read: give an MP4, WebM, MKV, MOV or AVI"
    ]


@dataclass(frozen=True, slots=True)
class Death:
    """A clip that kills who analyses it, as one that is too large for the memory does."""

    name: str = "death"

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        os._exit(9)


def test_a_worker_that_dies_ends_the_work_but_not_what_was_done(corpus: Path, tmp_path: Path) -> None:
    effort = WorkerOptions(tmp_path / "cache", tmp_path / "partial.jsonl", 1)
    deadly = [*jobs(corpus)[:2], *jobs(corpus, Death())[:1]]
    with pytest.raises(WorkerError, match="with fewer --workers"):
        score_clips(deadly, (SynchronyClips(),), effort, lambda _: None)
    with OutcomeLog(effort.partial) as partial:
        assert len(partial.outcomes) == 2


@pytest.mark.usefixtures("kept")
def test_other_references_are_another_question(corpus: Path, tmp_path: Path) -> None:
    effort = WorkerOptions(tmp_path / "cache", tmp_path / "partial.jsonl", 1)
    (job,) = jobs(corpus)[:1]
    compared = [Job(replace(job.row, reference=(corpus / f"{n}.mp4",))) for n in (1, 1, 2)]
    score_clips([job, *compared], (SynchronyClips(),), effort, lambda _: None)
    with OutcomeLog(effort.partial) as partial:
        assert len(partial.outcomes) == 3


def test_packs_that_are_not_there_are_an_error(corpus: Path, tmp_path: Path) -> None:
    effort = WorkerOptions(tmp_path / "cache", tmp_path / "partial.jsonl", 1)
    with pytest.raises(EngineError, match="no model pack"):
        score_clips(jobs(corpus), (SynchronyClips(tmp_path),), effort, lambda _: None)


@pytest.mark.usefixtures("kept")
def test_clips_that_show_nobody_are_not_encoded(corpus: Path, tmp_path: Path) -> None:
    effort, count = WorkerOptions(tmp_path / "cache", tmp_path / "partial.jsonl", 1), list[str | None]()
    rows = [job.row for job in jobs(corpus)]
    assert encode_clips(rows, SynchronyClips().packs, effort, count.append) == []
    assert len(count) == 4
