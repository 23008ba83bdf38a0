"""The benchmark's processes for real, as small as they can be: enrolling, holding back, overload, a soak; no timing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engines.load import pack_names
from engines.registry import EngineName
from monitor.detectors.persona import movement
from monitor.detectors.persona.personalise import PersonaliseConfig
from monitor.lab.bench import capacity, child, clip, overload, processes
from monitor.lab.bench import engine_speed as speeds
from monitor.lab.bench import enrolment as enrolling
from monitor.lab.bench import soak as soaking
from monitor.lab.bench import subscriber as watching
from monitor.lab.bench.child import BenchError
from monitor.lab.bench.clip import Stream, prepare
from monitor.lab.bench.enrolment import IDENTITY, enrol_here, enrolled
from monitor.lab.bench.observations import Observer
from monitor.lab.bench.processes import BenchSetup, SidecarFull, SidecarProcess
from monitor.tap.media.config import local_addresses
from monitor.types import AudioBlock, VideoFrame

PATIENCE = 120.0
# The one whose models are loaded soonest.
ENGINE: EngineName = "onnx"
networked = pytest.mark.skipif(not local_addresses(), reason="this machine has no network address but loopback")


# Whom to send


@asynccontextmanager
async def full_server() -> AsyncIterator[str]:
    """A server that has no room for anybody; gives its address."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@networked
async def test_who_is_refused_is_counted_when_held_and_told_otherwise(webm: Path, tmp_path: Path) -> None:
    own = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await own.wait()
    async with full_server() as base:
        sent = (
            webm,
            SidecarProcess(own, base, base, "token", 0.0),
            range(4, 6),
            BenchSetup(tmp_path, identity="who else"),
            Observer(),
        )
        async with processes.publisher(*sent, lambda *_: None, held=True) as sender:
            assert sender.refused == 2
        with pytest.raises(SidecarFull, match=r"refused a publication \(503\)"):
            async with processes.publisher(*sent, lambda *_: None):
                pass


def test_the_sidecar_has_its_cores_and_the_publisher_the_rest(tmp_path: Path) -> None:
    mine = frozenset(os.sched_getaffinity(0))
    assert BenchSetup(tmp_path).rest is None
    assert BenchSetup(tmp_path, cores=mine).rest is None
    assert BenchSetup(tmp_path, cores=frozenset({min(mine)})).rest == (mine - {min(mine)} or None)
    assert child.on(None) == {}
    assert child.on({3, 1}) == {child.CORES: "1,3"}


async def test_a_child_stays_on_its_cores(tmp_path: Path) -> None:
    one = max(os.sched_getaffinity(0))
    (tmp_path / "where.py").write_text(
        "import os\nfrom monitor.lab.bench.child import keep_to_cores\nkeep_to_cores()\n"
        "print(os.sched_getaffinity(0))\n"
    )
    env = child.environment(PYTHONPATH=f"{tmp_path}:{Path.cwd()}", **child.on({one}))
    process = await child.spawn("where", errors=tmp_path / "log", env=env)
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert said.decode().strip() == f"{{{one}}}"


# Whom to enrol


async def test_nobody_is_enrolled_of_a_pattern(webm: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no face was found|is not installed"):
        await asyncio.wait_for(enrolling.enrol_clip(webm, tmp_path, ENGINE), PATIENCE)


@pytest.mark.long
@pytest.mark.data
def test_every_detector_works_on_the_streams_own_person(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not {"face_artefacts", "persona", "persona_tokens"} <= set(pack_names()):
        pytest.skip("the packs that compare faces and movement are not installed")
    stream = tmp_path / "stream.webm"
    monkeypatch.setattr(clip, "LOOP_SECONDS", 8.0)
    whole = data_dir / "clips/real/fakeVideoForensics__obama.mp4"
    prepare(whole, stream)
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path / "state"))
    # A few steps are enough to see that it is learnt at all.
    monkeypatch.setattr(movement, "PersonaliseConfig", lambda: PersonaliseConfig(steps=4, least=2, check=2, checked=2))
    who = enrol_here(whole, "openvino")
    voices = "voice_identity" in pack_names()
    assert (who.identity, who.movement, who.voice) == (IDENTITY, True, voices)
    assert who.looks > 1
    assert enrolled(None)() is None
    assert enrolled("somebody else")() is None
    assert enrolled(IDENTITY)() is not None
    *points, summary = soaking.soak_here(stream, 0.17, "openvino", IDENTITY)
    assert [point["seconds"] for point in points] == pytest.approx([0.5, 10.0], abs=0.1)
    scored = summary["scored"]
    assert isinstance(scored, dict)
    assert set(scored) - {"voiceprint"} == {"synchrony", "pairwise", "persona"}
    # In ten seconds it hears a voice for three in few hops.
    assert min(share for name, share in scored.items() if name != "voiceprint") > 0.3


# How much it holds


@pytest.mark.long
@networked
async def test_twice_the_load_between_real_processes(
    webm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MIN_SECONDS", "LAST_SECONDS", "BEFORE_SECONDS"):
        monkeypatch.setattr(overload, name, 1.0)
    for name in ("BALANCE_SECONDS", "RECOVERY_SECONDS"):
        monkeypatch.setattr(overload, name, 0.2)
    monkeypatch.setattr(watching, "SETTLE_SECONDS", 0.5)
    found = await asyncio.wait_for(overload.measure(webm, BenchSetup(tmp_path), 1, 1.0), PATIENCE)
    assert (found.sustainable, found.admitted, found.refused) == (1, 2, 0)
    assert sorted((*found.shed, *found.kept, *found.between, *found.silent)) == [1, 2]
    assert found.failures == 0
    assert found.cores > 0


@networked
async def test_a_call_is_tried_between_real_processes(
    webm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SETTLE_SECONDS", 0.5)
    found = await asyncio.wait_for(
        capacity.measure(webm, BenchSetup(tmp_path, ENGINE), 1, 1.0, max_participants=1), PATIENCE
    )
    assert [step.participants for step in found.steps] == [1]
    assert found.steps[0].cores > 0
    assert not found.enrolled
    assert found.cores == found.machine


# What it costs in the long run


async def test_a_soak_runs_in_a_child_that_says_what_is_wrong(webm: Path, tmp_path: Path) -> None:
    told: list[float] = []
    found = await asyncio.wait_for(
        soaking.measure(webm, BenchSetup(tmp_path, ENGINE), 0.05, lambda _, done: told.append(done)), PATIENCE
    )
    assert found.minutes > 0
    assert found.points[0].bytes > 1e8
    assert found.times_real > 0
    assert {verdict.partition("/")[0] for verdict in found.verdicts} == {"inconclusive"}
    assert told == sorted(told)
    with pytest.raises(BenchError, match="the soak failed: unknown engine 'abacus'"):
        await asyncio.wait_for(soaking.measure(webm, BenchSetup(tmp_path, "abacus"), 0.1), PATIENCE)


def test_a_loop_goes_on_in_time(webm: Path) -> None:
    from monitor.lab.bench.clip import load
    from monitor.lab.bench.pairwise_cost import items

    short = soaking.first_seconds(load(webm), 0.45)
    assert short.seconds == pytest.approx(0.4)
    assert len(short.audio) == 20
    decoded = sorted(items(short, 1), key=lambda item: item.stamp.arrival)
    turned = list(soaking.rounds(decoded, short.seconds, 1.0))
    times = [item.stamp.media for item in turned]
    assert times == sorted(times)
    assert 0.9 < times[-1] < 1.0
    assert all(item.stamp.media == item.stamp.capture == item.stamp.arrival for item in turned)
    pictures = [item for item in turned if isinstance(item, VideoFrame)]
    assert len(pictures) == 30
    # Nothing is copied: an hour costs no more memory than one turn.
    assert pictures[12].y is pictures[0].y
    assert any(isinstance(item, AudioBlock) for item in turned)
    assert soaking.first_seconds(Stream((b"",) * 3, (b"",) * 5), 9.0).seconds == pytest.approx(0.1)


# How fast the encoders are


def test_encoders_are_timed_in_every_engine_that_is_there() -> None:
    engines: tuple[EngineName, ...] = ("openvino", "onnx", "tensorrt")
    done: list[float] = []
    found = speeds.measure_all(engines, (1, 2), 0.001, ("motion",), done.append)
    told = {(row.pack, row.engine, row.batch) for row in found.rows}
    assert told >= {("motion", engine, batch) for engine in ("openvino", "onnx") for batch in (1, 2)}
    for row in found.rows:
        assert row.items_per_second == pytest.approx(row.batch / row.p50_ms * 1000)
        assert row.gain == 1.0 or row.batch > 1
    # Without a GPU the third is told in a line, with one it is timed.
    assert len(found.notes) == (0 if any(row.engine == "tensorrt" for row in found.rows) else 1)
    assert done == sorted(done)
