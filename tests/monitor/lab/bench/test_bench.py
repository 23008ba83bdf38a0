"""The benchmark's own logic: what is counted, how it stands to the budgets, that no process is left; no timing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client import generate_latest
from rich.console import Console

from monitor import cli
from monitor.host.metrics import AGE_SECONDS as AGE_BOUNDS
from monitor.host.metrics import Metrics
from monitor.lab.bench import child, live, process_usage, run
from monitor.lab.bench import engine_speed as speeds
from monitor.lab.bench import enrolment as enrolling
from monitor.lab.bench import participants as parties
from monitor.lab.bench import scan_speed as scanning
from monitor.lab.bench import stage_times as stages
from monitor.lab.bench import subscriber as watching
from monitor.lab.bench.budgets import (
    AGE,
    CORES,
    FIRST_VERDICT,
    LIVE,
    LOOP,
    MEMORY,
    READY,
    SCAN,
    SCAN_ALL,
    Budget,
    Row,
    row,
)
from monitor.lab.bench.child import BenchError
from monitor.lab.bench.clip import FPS, PER_SECOND, Stream, choose, generated, prepare
from monitor.lab.bench.exposition import Exposition, Histogram
from monitor.lab.bench.live import Live, Memory
from monitor.lab.bench.participants import Place
from monitor.lab.bench.plots import draw
from monitor.lab.bench.process_usage import (
    Usage,
    cpu_seconds,
    describe_machine,
    machine_seconds,
    main_thread_seconds,
    processor_name,
    rss_bytes,
)
from monitor.lab.bench.result import Result, live_notes, live_rows, missing_live_rows, scan_row, stage_rows
from monitor.lab.bench.scan_speed import ScanSpeed
from monitor.lab.bench.sidecar import Told, Witness
from monitor.lab.bench.stage_times import NAMES, Stage, Timer, attach, face_milliseconds, packets, summarize, watch
from monitor.lab.bench.subscriber import percentile, slope
from monitor.lab.bench.tables import number, show
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.tap.media.config import local_addresses
from monitor.tap.media.source import SourceError
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, ParticipantKey, VideoFrame
from tests.monitor.tap.clips import write_clip

PATIENCE = 60.0


# Budgets


@pytest.mark.parametrize(
    ("budget", "value", "holds", "used"),
    [
        (Budget(2.0), 2.0, True, 1.0),
        (Budget(2.0), 3.0, False, 1.5),
        (Budget(10.0, at_least=True), 10.0, True, 1.0),
        (Budget(10.0, at_least=True), 5.0, False, 2.0),
        (Budget(10.0, at_least=True), 0.0, False, float("inf")),
    ],
)
def test_a_budget_is_kept_up_to_its_limit(budget: Budget, value: float, holds: bool, used: float) -> None:
    assert budget.holds(value) is holds
    assert budget.used(value) == used


def test_a_row_says_how_it_stands() -> None:
    assert row(CORES, 0.25).state == "ok"
    assert row(CORES, 0.26).state == "over"
    assert row(SCAN, 9.9).state == "over"
    assert row(CORES, None, "why").state == "not measured"
    assert Row("free", 1.0, "s").state == "measured"
    assert row(SCAN, 12.0, "how").as_json() == {
        "name": SCAN,
        "value": 12.0,
        "unit": "x real time",
        "budget": {"limit": 10.0, "at_least": True},
        "state": "ok",
        "note": "how",
    }
    assert Row("free", 1.0, "s").as_json()["budget"] is None
    assert str(Budget(50.0)) == "<= 50"
    assert str(Budget(10.0, at_least=True)) == ">= 10"


# Processes and /metrics


def test_processor_time_is_what_the_kernel_counts() -> None:
    before = sum(os.times()[:2])
    used = cpu_seconds(os.getpid())
    assert before <= used + 0.02
    assert used <= sum(os.times()[:2]) + 0.02
    assert machine_seconds() >= used


def test_this_process_can_be_read() -> None:
    pid = os.getpid()
    assert 0 < main_thread_seconds(pid) <= cpu_seconds(pid)
    assert rss_bytes(pid) > 1e6
    assert Usage.read(pid, 5.0).since(Usage.read(pid, 3.0)).at == 2.0
    machine = describe_machine()
    assert machine["cores"] >= 1
    assert machine["versions"]["openvino"][0].isdigit()


def test_a_process_that_has_ended_cannot_be_read() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    for read in (cpu_seconds, main_thread_seconds, rss_bytes):
        with pytest.raises(psutil.Error):
            read(ended.pid)


def test_a_package_that_is_absent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_usage, "PACKAGES", ("surely-not-here",))
    assert describe_machine()["versions"] == {"surely-not-here": "not installed"}


def test_a_processor_without_a_name_is_told_by_its_architecture() -> None:
    assert processor_name("processor : 0\nmodel name\t: Fast One\nmodel name\t: Other\n") == "Fast One"
    assert processor_name("processor : 0\nBogoMIPS : 50\n") != ""


def test_histograms_are_read_back_over_a_span() -> None:
    metrics = Metrics()
    metrics.score_age.observe(9.0)
    metrics.dropped.inc(2)
    before = Exposition.parse(generate_latest(metrics.registry).decode())
    for age in (0.15, 0.15, 0.15, 0.65):
        metrics.score_age.observe(age)
    metrics.dropped.inc(3)
    after = Exposition.parse(generate_latest(metrics.registry).decode())
    span = after.histogram("score_age_seconds").since(before.histogram("score_age_seconds"))
    assert span.bounds == (*AGE_BOUNDS, float("inf"))
    assert span.total == 4
    assert span.quantile(0.5) == pytest.approx(0.1 + 0.1 * 2 / 3)
    assert 0.5 < (span.quantile(0.95) or 0.0) <= 0.7
    assert after.value("media_items_dropped_total") - before.value("media_items_dropped_total") == 3
    assert after.value("no_such_thing") == 0.0
    assert after.histogram("no_such_thing").quantile(0.5) is None


def test_a_quantile_above_the_last_bound_is_that_bound() -> None:
    histogram = Histogram((0.1, 1.0, float("inf")), (0.0, 1.0, 10.0))
    assert histogram.quantile(0.95) == 1.0
    assert histogram.quantile(0.05) == pytest.approx(0.1 + 0.9 * 0.5)
    assert Histogram((0.1, float("inf")), (4.0, 4.0)).quantile(0.5) == pytest.approx(0.05)
    assert Histogram((0.1, float("inf")), (4.0, 4.0)).quantile(1.0) == pytest.approx(0.1)
    assert Histogram((0.1, float("inf")), (0.0, 0.0)).quantile(0.5) is None


def test_percentiles_and_slopes() -> None:
    assert percentile([], 0.95) is None
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(100)], 0.95) == 95.0
    assert percentile([1.0], 1.0) == 1.0
    growing = [(float(at), 1_000_000 * at) for at in range(11)]
    assert slope(growing) == pytest.approx(3600.0)
    assert slope([(at, 5) for at, _ in growing]) == 0.0
    assert slope([(0.0, 1)]) == 0.0


# The subscriber


def state(who: str, time: str, score: float | None, verdict: str = "inconclusive") -> dict[str, Any]:
    scores = {"synchrony": {"score": score, "p_value": None, "reason": None}}
    return {
        "type": "state",
        "participant": who,
        "time": time,
        "verdict": verdict,
        "reason": "not_enrolled",
        "scores": scores,
        "quality": {} if score is None else {"fps": 29.5},
    }


def test_the_first_words_count_from_each_participants_media() -> None:
    witness = Witness()
    noon = "1970-01-01T00:00:10.000Z"
    witness.take({"type": "hello", "seq": 3}, 0.5, 0.0)
    witness.take(state("a", noon, None), 0.9, 10.25)
    witness.media = {"a": 1.0, "b": 2.0, "silent": 2.0}
    witness.take(state("a", noon, None), 1.5, 10.25)
    witness.take(state("a", noon, -0.3), 4.0, 10.5)
    witness.take(state("b", noon, None), 2.25, 10.5)
    assert witness.first(witness.states) == [0.5, 0.25]
    assert witness.first(witness.scored) == [3.0]
    told = witness.told()
    assert told.delays == [0.25, 0.25, 0.5, 0.5]
    assert told.words == {"a": {"inconclusive/not_enrolled": 3}, "b": {"inconclusive/not_enrolled": 1}}
    assert told.verdicts == {"inconclusive/not_enrolled": 4}
    assert told.hops == 4
    assert told.scored == {"synchrony": 1}
    assert told.rates == [29.5]
    witness.begin_span()
    assert witness.told() == Told()
    assert len(witness.states["a"]) == 3
    assert told.hops == 4
    witness.forget()
    assert not witness.states
    assert not witness.media


def test_how_much_of_what_is_said_is_one_word() -> None:
    told = Told({"p1": {"suspect": 1, "inconclusive/overloaded": 3}})
    assert told.share("p1", "inconclusive/overloaded") == 0.75
    assert told.share("p1", "alert") == told.share("p2", "alert") == 0.0


# The stream


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def stream(folder: Path) -> Stream:
    """A loop of 1.5 s or a little less, made of a small clip at 25 frames."""
    done: list[float] = []
    made = prepare(write_clip(folder / "clip.mp4", seconds=1.6), folder / "stream.webm", done.append)
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1.0)
    return made


def test_the_loop_is_a_whole_number_of_tenths_in_both_tracks(stream: Stream) -> None:
    assert 1.0 <= stream.seconds <= 1.6
    assert len(stream.video) / FPS == pytest.approx(len(stream.audio) / PER_SECOND)
    assert len(stream.video) % 3 == len(stream.audio) % 5 == 0
    # RFC 6386, 9.1: the lowest bit of a VP8 frame is 0 in a key frame; a loop must begin with one.
    assert stream.video[0][0] & 1 == 0
    assert stream.video[1][0] & 1 == 1


def test_the_stream_is_what_the_budget_speaks_of(stream: Stream, folder: Path) -> None:
    frames = [item for item in read_clip(folder / "stream.webm") if isinstance(item, VideoFrame)]
    assert {(frame.width, frame.height) for frame in frames} == {(1280, 720)}
    assert len(frames) - len(stream.video) in range(3)
    steps = {round(1000 * (b.stamp.capture - a.stamp.capture)) for a, b in pairwise(frames)}
    assert steps <= {33, 34}
    # The flash of the clip: white in its first tenth, dark after it; 4:3 in the middle, grey at the sides.
    assert frames[1].y[400, 640] > 200
    assert frames[15].y[400, 640] < 80
    assert 110 < frames[15].y[400, 20] < 146


def test_sound_and_pictures_of_the_stream_stay_together(folder: Path, stream: Stream) -> None:
    assert stream.seconds > 1.2
    blocks = [item for item in read_clip(folder / "stream.webm") if isinstance(item, AudioBlock)]
    loud = [block.stamp.capture for block in blocks if abs(block.samples).max() > 0.1]
    assert min(loud) < 0.06
    assert any(0.95 < at < 1.1 for at in loud)
    assert not any(0.3 < at < 0.9 for at in loud)


@pytest.mark.parametrize("lacking", [{"seconds": 0.5}, {"audio": None}, {"video": None}])
def test_a_clip_that_is_no_loop_is_refused(lacking: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^short\.mp4 has less than a second .*: give another --clip$"):
        prepare(write_clip(tmp_path / "short.mp4", **lacking), tmp_path / "out.webm")


def test_the_generated_pattern_moves_and_sounds() -> None:
    seconds, sound, pictures = generated()
    first, second = next(pictures), next(pictures)
    assert first[0].shape == (720, 1280)
    assert (first[0] != second[0]).any()
    assert sound.size == seconds * 16_000
    assert 0.1 < abs(sound).max() <= 1.0


def test_the_largest_genuine_clip_is_chosen(tmp_path: Path) -> None:
    lines = ["path,label,method,subject,seconds,audio"]
    for name, label, method, size, seconds in (
        ("small.mp4", "real", "real", (64, 48), 20),
        ("large.mp4", "real", "real", (128, 96), 10),
        ("largest-fake.mp4", "fake", "swap", (256, 192), 20),
        ("short.mp4", "real", "real", (256, 192), 2),
    ):
        write_clip(tmp_path / name, seconds=0.2, size=size)
        lines.append(f"{name},{label},{method},x,{seconds},yes")
    lines.append("gone.mp4,real,real,x,20,yes")
    (tmp_path / "broken.mp4").write_bytes(b"no clip")
    lines.append("broken.mp4,real,real,x,20,yes")
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    assert choose({"SIDEWITNESS_DATA": str(tmp_path)}) == tmp_path / "large.mp4"
    assert choose({"SIDEWITNESS_DATA": str(tmp_path / "absent")}) is None
    (tmp_path / "clips.csv").write_text("other,columns\n1,2\n")
    assert choose({"SIDEWITNESS_DATA": str(tmp_path)}) is None


# Stages


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models("openvino")


def test_packets_come_in_capture_order_round_after_round() -> None:
    made = Stream((b"v0", b"v1", b"v2"), (b"a0", b"a1", b"a2", b"a3", b"a4"))
    order = list(packets(made, 2))
    assert [one.media for one in order] == sorted(one.media for one in order)
    assert b"".join(one.data for one in order if one.kind == "video") == b"v0v1v2v0v1v2"
    assert b"".join(one.data for one in order if one.kind == "audio") == b"a0a1a2a3a4" * 2
    assert order[0].kind == "audio"


def test_every_stage_of_a_real_session_is_reached(
    stream: Stream, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Timer]] = []
    attached: Callable[..., None] = attach

    def remember(session: Session, timers: dict[str, Timer]) -> None:
        attached(session, timers)
        made.append(timers)

    monkeypatch.setattr(stages, "attach", remember)
    found = stages.measure(stream, models)
    timers = made[0]
    rounds = 2 * stream.seconds - stages.HEAD_SECONDS
    assert len(timers["track"].samples) == pytest.approx(rounds * FPS, abs=2)
    assert len(timers["decode audio"].samples) == pytest.approx(rounds * PER_SECOND, abs=2)
    # Nobody's face is in the clip: what a face needs is not called, all the rest is.
    assert {name for name, timer in timers.items() if not timer.samples} <= {"landmarks", "detect"}
    outer = ("decode video", "decode audio", "picture", "front", "voice", "tick")
    total = sum(timers[name].total for name in outer)
    assert sum(one.per_frame for one in found) * len(timers["track"].samples) / 1000 == pytest.approx(total)


def test_the_wrapped_session_decides_as_before(stream: Stream, models: Models) -> None:
    plain, wrapped = (Session(ParticipantKey("c", "p"), models) for _ in range(2))
    attach(wrapped, {name: Timer() for name in NAMES})
    for item in stages.decoded(stream, 1, {name: Timer() for name in NAMES}):
        now = item.stamp.arrival
        assert plain.tick(now) == wrapped.tick(now)
        plain.push(item)
        wrapped.push(item)


def test_a_part_that_is_gone_is_an_error() -> None:
    with pytest.raises(AttributeError):
        watch(object(), "no_such_part", Timer())


def test_a_timer_counts_calls_that_fail_and_none_while_off() -> None:
    timer = Timer()
    with pytest.raises(ZeroDivisionError):
        timer(lambda: 1 / 0)()
    timer.on = False
    assert timer(lambda x: x + 1)(1) == 2
    assert len(timer.samples) == 1


def test_nested_timers_become_disjoint_stages() -> None:
    timers = {name: Timer() for name in NAMES}
    timers["track"].samples = [0.005, 0.005]
    timers["landmarks"].samples = [0.002, 0.002]
    timers["detector"].samples = [0.001]
    timers["picture"].samples = [0.007, 0.007]
    timers["lips"].samples = [0.001]
    timers["tick"].samples = [0.004]
    timers["window"].samples = [0.001]
    timers["decide"].samples = [0.002]
    timers["detect"].samples = [0.0015]
    found = {one.name: one for one in summarize(timers, 2.0)}
    assert found["face detector"].per_frame == pytest.approx(0.5)
    assert found["face detector"].per_call == pytest.approx(1.0)
    assert found["face detector"].calls_per_second == 0.5
    assert found["crops, pose, quality"].per_frame == pytest.approx(2.5)
    assert found["crops, pose, quality"].per_call_p95 is None
    assert found["resampling, book-keeping"].per_frame == pytest.approx(1.5)
    assert found["calibrate, decide"].per_call == pytest.approx(0.5)
    assert found["report"].per_call == pytest.approx(1.0)
    assert found["decode audio"].per_call is None
    assert face_milliseconds(list(found.values())) == pytest.approx(4.5)
    assert sum(one.per_frame for one in found.values()) == pytest.approx(1000 * (0.014 + 0.004) / 2)


# Rows and notes


def a_live(**changed: Any) -> Live:
    fields: dict[str, Any] = {
        "participants": 2,
        "enrolled": True,
        "span": 20.0,
        "ready": [2.0, 1.0, 9.0],
        "baseline_mb": 200.0,
        "first_mb": 90.0,
        "idle_cores": 0.01,
        "cores": 0.2,
        "loop_cores": 0.02,
        "others_cores": 0.05,
        "publisher_cores": 0.1,
        "publisher_late": 0.01,
        "memory_mb": 40.0,
        "slope_mb_per_hour": None,
        "age_p50": 0.4,
        "age_p95": 0.6,
        "socket_p50": 0.001,
        "socket_p95": 0.002,
        "received_p95": 0.003,
        "first_state": [0.5, 1.5],
        "first_verdict": [3.0, 4.0],
        "dropped": 0,
        "late_hops": 0,
        "frames_per_second": 30.0,
        "scored": {"pairwise": 1.0, "persona": 0.6, "synchrony": 0.9},
        "verdicts": {"inconclusive/not_enrolled": 80},
    }
    return Live(**(fields | changed))


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {one.name: one for one in rows}


def test_every_budget_of_a_live_call_has_a_row() -> None:
    rows = by_name(live_rows(a_live()))
    assert set(LIVE) <= set(rows)
    assert rows[READY].value == 2.0
    assert rows["first state after media"].value == 1.5
    assert rows[FIRST_VERDICT].value == 4.0
    assert rows["decision to socket p95"].value == 2.0
    assert "memory slope per participant" not in rows
    assert by_name(live_rows(a_live(slope_mb_per_hour=1.0)))["memory slope per participant"].value == 1.0
    assert rows["hops with a score of persona"].value == 60.0
    assert rows[CORES].note.endswith("every detector")
    assert by_name(live_rows(a_live(enrolled=False)))[CORES].note.endswith("synchrony only")


def test_a_call_of_which_some_were_shed_has_no_price() -> None:
    verdicts = {"bona_fide": 90, "inconclusive/overloaded": 10}
    rows = by_name(live_rows(a_live(verdicts=verdicts)))
    assert rows[CORES].note == "10 % of the hops were overloaded: fewer were judged than came"
    assert {rows[name].state for name in (CORES, LOOP)} == {"not measured"}
    assert rows[MEMORY].state == "ok"
    assert rows[AGE].note.startswith("of those who were judged: 10 %")
    assert by_name(live_rows(a_live(verdicts=verdicts | {"bona_fide": 900})))[CORES].state == "ok"


def test_memory_is_that_of_each_more() -> None:
    memory = Memory(200, 290)
    assert memory.each(350, 4) == 20.0
    assert memory.each(295, 1) == 95
    assert "over that of one" in by_name(live_rows(a_live()))[MEMORY].note
    assert "over that of none" in by_name(live_rows(a_live(participants=1)))[MEMORY].note
    assert by_name(live_rows(a_live()))["memory of the first participant"].value == 90.0


def test_what_was_not_seen_of_everybody_is_not_measured() -> None:
    rows = by_name(live_rows(a_live(first_verdict=[3.0], age_p95=None, socket_p95=None)))
    assert rows[FIRST_VERDICT].state == "not measured"
    assert "no face" in rows[FIRST_VERDICT].note
    assert rows[AGE].note == "no clock was mapped"
    assert {one.state for one in missing_live_rows("why")} == {"not measured"}
    assert {one.note for one in missing_live_rows("why")} == {"why"}


def test_doubtful_runs_say_so() -> None:
    assert len(live_notes(a_live(), 2)) == 1
    doubtful = a_live(others_cores=0.5, publisher_late=0.4, dropped=7, late_hops=2, frames_per_second=12.0)
    notes = " ".join(live_notes(doubtful, 2))
    assert "conclude nothing" in notes
    assert "400 ms" in notes
    assert "7 frames" in notes
    assert "2 hops" in notes
    assert "30 pictures a second 12 arrived" in notes
    assert "none arrived" in " ".join(live_notes(a_live(frames_per_second=None), 2))
    told = " ".join(live_notes(a_live(scored={"synchrony": 1.0, "pairwise": 0.1}), 2))
    assert "no score of pairwise, persona: the live rows cost less" in told
    assert len(live_notes(a_live(enrolled=False, scored={"synchrony": 1.0}), 2)) == 1


STAGES = [Stage("landmarks", 1.0, 1.0, 1.2, 30.0), Stage("crops, pose, quality", 0.5, 0.5, None, 30.0)]


def test_stage_and_scan_rows() -> None:
    face, whole = stage_rows(STAGES)
    assert (face.value, face.state) == (1.5, "ok")
    assert whole.value == 1.5
    assert stage_rows([Stage("landmarks", 0.0, None, None, 0.0)])[0].note == "there is no face in the clip"
    assert scan_row(SCAN, ScanSpeed(12.0, 0.5, 10.0), "clip.mp4").note.startswith("clip.mp4; loading")
    assert scan_row(SCAN, None, "the scan failed").state == "not measured"


@pytest.fixture
def result() -> Result:
    rows = [*live_rows(a_live(cores=0.4, first_verdict=[])), *stage_rows(STAGES), scan_row(SCAN, None, "no clip")]
    settings = {
        "engine": "openvino",
        "clip": "clip.mp4",
        "loop_seconds": 2.0,
        "kilobits_per_second": 1500,
        "participants": 2,
        "detectors": ["synchrony"],
    }
    return Result(describe_machine(), settings, STAGES, rows, {"inconclusive/silence": 4}, ["Something to know."])


def printed(result: Result, width: int) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        show(result, console)
    return capture.get()


def test_the_tables_fit_and_keep_every_number(result: Result) -> None:
    wide, narrow = printed(result, 160), printed(result, 80)
    for text in (wide, narrow):
        assert CORES in text
        assert "0.400 cores" in text
        assert "over" in text
        assert "Something to know." in text
        assert "inconclusive/silence 4" in text
    assert "process of the sidecar" in wide
    assert "process of the sidecar" not in narrow
    assert f"Not measured, {FIRST_VERDICT}" in narrow
    assert [number(value) for value in (None, 3, 0.1234, 1.234, 12.34)] == ["-", "3", "0.123", "1.23", "12.3"]


def test_the_picture_is_drawn(result: Result, tmp_path: Path) -> None:
    draw(result, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


# Processes


ORPHAN = (
    "import signal; from monitor.lab.bench.child import die_with_parent; die_with_parent(); "
    "print('up', flush=True); signal.pause()"
)
PARENT = (
    "import os, subprocess, sys; from monitor.lab.bench.child import environment; "
    f"subprocess.Popen([sys.executable, '-c', {ORPHAN!r}], env=environment()); sys.stdin.read()"
)


def test_a_child_does_not_outlive_a_killed_benchmark() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        parent.kill()
        # The grandchild holds the pipe: its end is the grandchild's.
        assert parent.stdout.read() == b""


def test_a_child_whose_parent_has_gone_leaves_at_once() -> None:
    env = {**os.environ, child.PARENT: "1"}
    done = subprocess.run([sys.executable, "-c", ORPHAN], env=env, capture_output=True, check=True, timeout=PATIENCE)
    assert done.stdout == b""


def test_the_operators_settings_do_not_reach_the_sidecar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_HOP_SECONDS", "5")
    monkeypatch.setenv("sidewitness_port", "1")
    env = child.environment(SIDEWITNESS_TOKEN="t")
    assert {name for name in env if name.upper().startswith("SIDEWITNESS_")} == {"SIDEWITNESS_TOKEN"}
    assert env["PATH"] == os.environ["PATH"]


async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "PATIENCE", 0.2)
    (tmp_path / "stubborn.py").write_text(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n"
        "while True:\n    signal.pause()\n"
    )
    env = child.environment(PYTHONPATH=str(tmp_path))
    process = await child.spawn("stubborn", errors=tmp_path / "log", env=env)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), PATIENCE) == b"up\n"
    await asyncio.wait_for(child.stop(process), PATIENCE)
    assert process.returncode == -signal.SIGKILL
    await child.stop(process)


def test_a_failed_child_is_told_by_its_last_line(tmp_path: Path) -> None:
    assert child.last_line(tmp_path / "absent") == "it said nothing"
    (tmp_path / "log").write_text("warning: this\nerror: cannot listen: choose another port\n")
    assert child.last_line(tmp_path / "log") == "cannot listen: choose another port"


async def test_a_sidecar_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"^the sidecar did not start: setting 'engine'"):
        async with parties.sidecar(Place(tmp_path, "abacus"), 1):
            pass


async def test_a_scan_runs_in_a_child_that_says_what_is_wrong(stream: Stream, folder: Path, tmp_path: Path) -> None:
    speed = await asyncio.wait_for(scanning.measure(folder / "clip.mp4", Place(tmp_path)), PATIENCE)
    assert speed.times_real > 0
    assert speed.load_seconds > 0
    assert speed.clip_seconds == pytest.approx(stream.seconds, abs=0.3)
    (tmp_path / "notes.mp4").write_text("no clip")
    with pytest.raises(BenchError, match=r"^the scan failed: notes\.mp4 is not a video"):
        await asyncio.wait_for(scanning.measure(tmp_path / "notes.mp4", Place(tmp_path)), PATIENCE)


async def test_a_publisher_that_is_refused_says_why(stream: Stream, folder: Path, tmp_path: Path) -> None:
    assert stream.video
    own = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await own.wait()
    nowhere = parties.Sidecar(own, "http://127.0.0.1:9", "token", 0.0)
    sent = folder / "stream.webm", nowhere, range(1, 2), Place(tmp_path), Witness(), lambda *_: None
    with pytest.raises(BenchError, match="the sidecar cannot be reached"):
        async with parties.publisher(*sent):
            pass
    with pytest.raises(BenchError, match="the sidecar ended while it was measured"):
        nowhere.usage()
    with pytest.raises(BenchError, match="the sidecar ended while it was measured"):
        nowhere.rss()


@pytest.mark.skipif(not local_addresses(), reason="this machine has no network address but loopback")
async def test_a_live_call_between_real_processes(
    stream: Stream, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STARTS", 1)
    monkeypatch.setattr(live, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(watching, "SETTLE_SECONDS", 1.0)
    assert stream.seconds
    told: list[str] = []
    tell = lambda part, _: told.append(part)  # noqa: E731
    found = await asyncio.wait_for(live.measure(folder / "stream.webm", Place(tmp_path), 1, 3.0, tell), 2 * PATIENCE)
    assert found.participants == 1
    assert len(found.ready) == len(found.first_state) == 1
    assert found.first_verdict == []
    assert found.cores > found.loop_cores > 0
    assert found.publisher_cores > 0
    assert found.received_p95 is not None
    assert sum(found.verdicts.values()) >= 1
    assert {verdict.partition("/")[0] for verdict in found.verdicts} == {"inconclusive"}
    assert told[-1] == "a live call"


@pytest.mark.skipif(not local_addresses(), reason="this machine has no network address but loopback")
async def test_a_sidecar_that_dies_meanwhile_is_told(
    folder: Path, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STARTS", 1)
    assert stream.seconds
    started = child.spawn
    made: list[asyncio.subprocess.Process] = []

    async def remember(*args: Any, **named: Any) -> asyncio.subprocess.Process:
        made.append(await started(*args, **named))
        return made[-1]

    def kill(part: str, _: float) -> None:
        if part == "the first participant" and made[0].returncode is None:
            made[0].kill()

    monkeypatch.setattr(parties, "spawn", remember)
    with pytest.raises(BenchError, match="the sidecar "):
        await asyncio.wait_for(live.measure(folder / "stream.webm", Place(tmp_path), 1, 30.0, kill), PATIENCE)
    assert [process.returncode is not None for process in made] == [True, True]


async def test_a_machine_with_loopback_only_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "local_addresses", tuple)
    with pytest.raises(BenchError, match="no network address but loopback"):
        await live.measure(tmp_path / "stream.webm", Place(tmp_path), 1, 1.0)


# The whole, and the command


@pytest.fixture
def quick(stream: Stream, folder: Path, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but the parts that take long."""

    async def scanned(clip: Path, place: Place) -> ScanSpeed:
        if clip.name == "stream.webm":
            raise BenchError("the scan failed: no reason")
        return ScanSpeed(12.0, 0.5, 10.0)

    async def no_call(*_: object) -> Live:
        raise BenchError("this machine has no network")

    async def nobody(*_: object) -> enrolling.Enrolled:
        raise BenchError("no face was found")

    monkeypatch.setattr(enrolling, "enrol_stream", nobody)
    monkeypatch.setattr(speeds, "measure_all", lambda *_, **__: speeds.Speeds((), ("Engine x: absent.",)))
    monkeypatch.setattr(run, "load_models", lambda *_, **__: models)
    monkeypatch.setattr(run, "prepare", lambda *_: stream)
    monkeypatch.setattr(stages, "measure", lambda *_: STAGES)
    monkeypatch.setattr(scanning, "measure", scanned)
    monkeypatch.setattr(live, "measure", no_call)


@pytest.mark.usefixtures("quick")
def test_a_part_that_cannot_run_leaves_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["bench", "--clip", "talk.mp4", "--participants", "3", "--json", "--out", str(tmp_path / "new" / "out")]
    assert cli.run(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads((tmp_path / "new" / "out" / "bench.json").read_text())
    assert (tmp_path / "new" / "out" / "bench.png").stat().st_size > 1000
    rows = {one["name"]: one for one in said["rows"]}
    assert set(rows) >= {*LIVE, SCAN, SCAN_ALL}
    assert rows[SCAN_ALL]["note"] == "nobody could be enrolled"
    assert any(note.startswith("Nobody could be enrolled (no face was found): ") for note in said["notes"])
    assert "Engine x: absent." in said["notes"]
    assert rows[SCAN]["state"] == "ok"
    assert rows["scan of the 720p30 stream, one core"]["note"] == "the scan failed: no reason"
    assert rows[MEMORY]["note"] == "this machine has no network"
    assert said["settings"]["clip"] == "talk.mp4"
    assert said["settings"]["participants"] == 3
    assert "The live part could not run: this machine has no network." in said["notes"]
    monkeypatch.setenv("SIDEWITNESS_DATA", str(tmp_path))
    assert cli.run(["bench"]) == 0
    assert "generated pattern" in capsys.readouterr().out


def test_a_busy_machine_is_told_before_anything_is_measured() -> None:
    assert run.of_the_machine({"load_before": 0.4, "cores": 2}) == []
    assert run.of_the_machine({"load_before": 0.6, "cores": 2}) == [
        "The load of this machine was 0.6 of 2 cores before it began: conclude nothing from this run, repeat it on an "
        "idle machine."
    ]


def test_participants_follow_the_cores() -> None:
    assert [run.Options().people(cores) for cores in (1, 2, 16)] == [2, 4, 8]
    assert run.Options(participants=5).people(1) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_is_given_back(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    folders: list[Path] = []

    def interrupted(_: run.Options, folder: Path, __: object) -> Result:
        folders.append(folder)
        os.kill(os.getpid(), number)
        raise AssertionError("the signal was not taken")

    monkeypatch.setattr(run, "run", interrupted)
    assert cli.run(["bench"]) == 130
    assert not folders[0].exists()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_clip_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.mp4").write_text("not a clip")
    assert cli.run(["bench", "--clip", str(tmp_path / "notes.mp4")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: notes.mp4 is not a video")
    assert said.err.count("\n") == 1
