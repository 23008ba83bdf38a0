"""Somebody in a Zoom call is judged in the end: a real clip as H.264 and PCM through RTMS, by a whole sidecar."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from monitor import Settings, Sidecar
from monitor.config import SourceSettings
from monitor.host.remembering import Remembered
from tests.interop.sidecar import free_port
from tests.monitor.rig import host_of, quiet_log
from tests.plugins.zoom_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    SOUND_RATE,
    WEBHOOK_SECRET,
    Person,
    Zoom,
    encode,
    post,
    started,
    stopped,
    zoom,
)

FPS = 25
SECONDS = 8.0
PATIENCE = 180.0
PICTURES = "clips/real/DiffDub__reconstruction__WRA_PeterRoskam0_000_25fps__GT.mp4"

pytestmark = pytest.mark.data


def pictures_of(clip: Path, seconds: float = SECONDS) -> list[tuple[float, av.VideoFrame]]:
    with av.open(clip) as opened:
        frames = [frame.reformat(format="yuv420p") for frame in opened.decode(video=0) if (frame.time or 0) < seconds]
    return [
        (n / FPS, av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")) for n, frame in enumerate(frames)
    ]


def sound_of(clip: Path) -> bytes:
    resampler = av.AudioResampler("s16", "mono", SOUND_RATE)
    with av.open(clip) as opened:
        pieces = [out.to_ndarray()[0] for frame in opened.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate(pieces).astype("<i2").tobytes()


def person(data: Path, sound: str) -> Person:
    frames = pictures_of(data / PICTURES)
    period = int(len(frames) / FPS / 0.02) * 0.02
    heard = sound_of(data / sound)
    heard += bytes(max(0, round(period * SOUND_RATE) * 2 - len(heard)))
    return Person(16778240, "Ada L", encode(frames, FPS), heard, period)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)
    with quiet_log():
        yield


@asynccontextmanager
async def judging(server: Zoom, folder: Path) -> AsyncIterator[tuple[Sidecar, int]]:
    port = free_port()
    source = {"plugin": "zoom_rtms", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "port": port}
    source |= {"webhook_secret": WEBHOOK_SECRET, "ca_file": str(server.issued.ca), "call": "board"}
    settings = Settings(state_dir=folder, sources=[SourceSettings.model_validate(source)])
    async with Sidecar(settings) as sidecar, asyncio.timeout(PATIENCE):
        await until(lambda: sidecar.components.ingest.describe()[0]["phase"] == "waiting")
        yield sidecar, port


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - sockets and threads say it
        await asyncio.sleep(0.05)


async def first_scored(messages: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    async for message in messages:
        scores = message.get("scores", {})
        if message["type"] == "state" and scores.get("synchrony", {}).get("score") is not None:
            return message
    raise AssertionError("nothing was scored")


async def test_somebody_in_a_zoom_call_is_scored_and_a_revoked_call_is_forgotten(
    tmp_path: Path, data_dir: Path
) -> None:
    async with (
        zoom(tmp_path, person(data_dir, PICTURES)) as server,
        judging(server, tmp_path / "state") as (sidecar, port),
    ):
        messages = sidecar.alerts(states=True)
        assert (await post(port, started(server.url))).status_code == 200
        state = await first_scored(messages)
        assert (state["call"], state["participant"]) == ("board", "Ada_L")
        assert state["quality"]["fps"] == pytest.approx(FPS, abs=6)
        (call,) = await sidecar.calls()
        assert call["participants"][0]["coverage"]["watched"]
        await post(port, stopped(8))
        host = host_of(sidecar.components)
        await until(lambda: not host.watching.calls())
        assert isinstance(host.memory, Remembered)
        assert host.memory.memory.departed == ()
