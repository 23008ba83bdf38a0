"""GStreamer's `webrtcbin` publishes: its certificate is RSA."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from monitor.tap.webrtc import WebRtcPeer
from monitor.types import AudioBlock, MediaItem, ParticipantKey, VideoFrame
from tests.interop.check import Bench, stopped
from tests.interop.installed import version_of
from tests.interop.results import Row
from tests.interop.sidecar import TOKEN as BENCH_TOKEN
from tests.monitor.api.server import TOKEN, WHIP, Site, serving
from tests.monitor.rig import ScriptedSession, quiet_log
from tests.monitor.tap.publisher import LOCAL

PYTHON = "/usr/bin/python3"
PUBLISHER = Path(__file__).with_name("publish_gstreamer.py")
ELEMENTS = ("webrtcbin", "vp8enc", "x264enc", "opusenc", "nicesink", "dtlsenc")
FRAMES, BLOCKS = 50, 100
PATIENCE_SECONDS = 30


def has_gstreamer() -> bool:
    """Whether the system's Python has GStreamer with all that the publisher needs."""
    probe = (
        "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstWebRTC', '1.0');"
        "from gi.repository import Gst, GstWebRTC; Gst.init(None);"
        f"raise SystemExit(not all(map(Gst.ElementFactory.find, {ELEMENTS})))"
    )
    try:
        return subprocess.run([PYTHON, "-c", probe], capture_output=True, timeout=30).returncode == 0
    except OSError:
        return False


pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not has_gstreamer(),
        reason="GStreamer is not installed: python3-gst-1.0, gstreamer1.0-nice and the plugins base, good, bad, ugly",
    ),
]


class Watching(ScriptedSession):
    """Says when enough of both tracks came through the host."""

    enough: Callable[[], object]

    def push(self, item: MediaItem) -> None:
        self.seen.append(item)
        if self.count(VideoFrame) >= FRAMES and self.count(AudioBlock) >= BLOCKS:
            self.enough()

    def count(self, kind: type) -> int:
        return sum(isinstance(item, kind) for item in self.seen)


@pytest.fixture
def enough() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def site(tmp_path: Path, enough: asyncio.Event) -> AsyncIterator[Site]:
    loop = asyncio.get_running_loop()

    def factory(key: ParticipantKey) -> Watching:
        session = Watching(key)
        session.enough = partial(loop.call_soon_threadsafe, enough.set)
        return session

    async def answer(offer: str) -> tuple[WebRtcPeer, str]:
        return await WebRtcPeer.answer(offer, LOCAL)

    with quiet_log():
        async with serving(tmp_path, sessions=factory, answer=answer) as made:
            yield made


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_gstreamer_publishes(site: Site, enough: asyncio.Event, codec: str) -> None:
    arguments = [PYTHON, str(PUBLISHER), site.base + WHIP, TOKEN, codec]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    publisher = await asyncio.create_subprocess_exec(*arguments, **pipes)  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await enough.wait()
            async with site.client() as client:
                assert (await client.get("/v1/calls/board")).json()["participants"][0]["participant"] == "p1"
                _, said = await publisher.communicate(b"")
                assert publisher.returncode == 0, said.decode()
                assert (await client.get("/v1/calls")).json() == {"calls": []}
    finally:
        if publisher.returncode is None:
            publisher.kill()
            await publisher.wait()


@pytest.mark.parametrize("codec", ["VP8", "H264"])
@pytest.mark.asyncio(loop_scope="session")
async def test_what_gstreamer_publishes_is_judged(bench: Bench, codec: str) -> None:
    row = Row("GStreamer webrtcbin", version_of("gst-inspect-1.0"), f"{codec.replace('H264', 'H.264')}, Opus")
    async with bench.judged(row, codec.lower()) as name:
        arguments = [str(PUBLISHER), bench.host.endpoint(name), BENCH_TOKEN, codec, str(bench.clip.webm)]
        pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
        publisher = await asyncio.create_subprocess_exec(PYTHON, *arguments, **pipes)  # type: ignore[arg-type]
        async with stopped(publisher):
            await bench.published(name)
            _, said = await publisher.communicate(b"")
            assert publisher.returncode == 0, said.decode()
