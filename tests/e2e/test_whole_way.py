"""An analyst's whole way, once: from signing in to the report, with nothing in between made up.

Somebody publishes a dub into a room of a real Janus, and `sidewitness serve` judges them by its plug-in. In a real
Chromium an analyst signs in at a real OpenID provider, is told, reads why, writes down what they know, and mutes them
in the room as the policy asks. Then the command line makes and verifies the report, and exports the label.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser import CHROMIUM
from tests.e2e.test_call import GENUINE, OTHER
from tests.e2e.test_sign_in import sign_in
from tests.e2e.visit import LIVE
from tests.interop import janus, janus_room
from tests.interop.aiortc_client import connected, peer
from tests.interop.far_ends import make
from tests.interop.installed import needs
from tests.interop.sidecar import Sidecar, free_port, local_address, sidecar
from tests.monitor.api.signing_in import ROLES
from tests.toys.identity_provider import CLIENT, IdentityProvider, identity_provider

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.data,
    needs("janus", "janus"),
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
    pytest.mark.skipif(not GENUINE.exists(), reason="the research clips are absent (SIDEWITNESS_DATA)"),
]

CALL, NAME, SECRET = "board", "Jane", "the-room's-secret"
NOTE = "Called her back at her office: she is not in this call."
CLIP_SECONDS = 75.0
ALERT_MS = 150_000
PATIENCE_SECONDS = 30.0
MORE_PICTURES = 25


def settings(folder: Path, provider: IdentityProvider, room: str, port: int) -> dict[str, str]:
    """The settings of the sidecar: how people sign in, where it watches, and what follows from an alert."""
    oidc = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": "a-secret", "roles": ROLES}
    source = {"plugin": "janus", "url": room, "room": janus.ROOM, "room_secret": SECRET, "call": CALL}
    # Alerts come sooner than by default: a test need not wait for an hour's worth of certainty.
    group = {"name": "board", "calls": [CALL], "false_alerts_per_hour": 12, "at_alert": {"actions": ["mute"]}}
    written: dict[str, Any] = {
        "oidc": oidc | {"allow_private": True},
        "sources": [source],
        "policy": {"groups": [group], "link_base": f"http://127.0.0.1:{port}"},
        "sinks": [{"kind": "jsonl", "path": str(folder / "findings.jsonl")}],
        "allowed_networks": [f"{local_address()}/32"],
        "port": port,
    }
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in written.items()}


@dataclass
class Listener:
    """Somebody else in the room: how many pictures and blocks of sound came to them."""

    counts: dict[str, int] = field(default_factory=lambda: {"audio": 0, "video": 0})
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, track: MediaStreamTrack) -> None:
        """Count what comes until it ends."""
        try:
            while True:
                await track.recv()
                self.counts[track.kind] += 1
                self.changed.set()
        except MediaStreamError:
            return

    async def more(self, kind: str, count: int = MORE_PICTURES) -> int:
        """Wait until so much more of a kind has come; gives how much of the other kind came meanwhile."""
        (other,) = self.counts.keys() - {kind}
        before = dict(self.counts)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.counts[kind] < before[kind] + count:
                self.changed.clear()
                await self.changed.wait()
        return self.counts[other] - before[other]


@asynccontextmanager
async def listening(room: str) -> AsyncIterator[Listener]:
    """Sit in the room and listen to the one who publishes there."""
    one, listener, tasks = RTCPeerConnection(RTCConfiguration(iceServers=[])), Listener(), []
    one.on("track", lambda track: tasks.append(asyncio.create_task(listener.take(track))))
    try:
        async with janus.session(room) as session:
            answer = await session.message(await session.attach(), "listparticipants", room=janus.ROOM)
            people = answer["plugindata"]["data"]["participants"]
            (feed,) = [person["id"] for person in people if person["publisher"]]
            handle, offer = await janus.subscribe(session, feed)
            await one.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            await one.setLocalDescription(await one.createAnswer())
            await janus.start(session, handle, one.localDescription.sdp)
            await connected(one)
            yield listener
    finally:
        await one.close()
        await asyncio.gather(*tasks)


async def command(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a command of `sidewitness` beside the server; gives the JSON that it prints. Its exit status must be 0."""
    environment = {**os.environ, "SIDEWITNESS_STATE_DIR": str(folder)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor.cli", *arguments, "--json", env=environment, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert process.returncode == 0, told.decode()
    return dict(json.loads(told))


@dataclass
class Stage:
    """Everything that is there before anything happens."""

    folder: Path
    room: str
    house: Sidecar
    page: Page


@pytest_asyncio.fixture(loop_scope="session")
async def stage(tmp_path: Path, browser: Browser) -> AsyncIterator[Stage]:
    state, port, errors = tmp_path / "state", free_port(), list[str]()
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(janus.janus(tmp_path))
        await janus_room.make_room(room, secret=SECRET)
        provider = await stack.enter_async_context(identity_provider())
        await provider.add("ann", groups=["secops"])
        house = await stack.enter_async_context(sidecar(state, **settings(tmp_path, provider, room, port)))
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        stack.push_async_callback(context.close)
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield Stage(tmp_path, room, house, page)
    assert errors == []


async def test_an_analyst_signs_in_is_told_mutes_and_reports(stage: Stage) -> None:
    page = stage.page
    clip = await asyncio.to_thread(make, stage.folder, "dubbed", OTHER, CLIP_SECONDS)
    await page.goto(stage.house.url)
    await sign_in(page, "ann")
    await page.wait_for_selector(LIVE)
    await expect(page.locator("#account")).to_contain_text("oidc:ann")
    async with janus_room.publishing(stage.room, NAME, make=lambda: peer(clip.webm)):
        await expect(page.locator(".finding")).to_have_count(1, timeout=ALERT_MS)
        await page.locator(".finding summary").click()
        await page.get_by_role("link", name="Work on it").click()
        await explained(page)
        finding = await page.locator("#id").inner_text()
        await worked_on(page)
        async with listening(stage.room) as listener:
            assert await listener.more("video") > 0
            await muted(page)
            # What was under way still comes.
            await listener.more("video")
            assert await listener.more("video") == 0
    await reported(stage.folder, finding)


async def explained(page: Page) -> None:
    """The page says what was seen, in words and in pictures, and what waits."""
    await expect(page.locator("#title")).to_have_text("Lips and voice do not fit")
    await expect(page.locator("#claim")).to_contain_text(f"{NAME} in call {CALL}")
    await expect(page.locator("#sure")).to_contain_text("The evidence reached")
    for picture in ("#strip svg .line", "#figures svg.curve .line"):
        await expect(page.locator(picture).first).to_be_attached()
    await expect(page.locator("#conditions")).to_be_visible()
    await expect(page.locator("#events")).to_contain_text("proposed mute")


async def worked_on(page: Page) -> None:
    """A note and a label."""
    await page.locator("#note-text").fill(NOTE)
    await page.locator("#note button[type=submit]").click()
    await expect(page.locator("#events")).to_contain_text(f"oidc:ann noted: {NOTE}")
    await page.locator("#label-true").click()
    await expect(page.locator("#case")).to_contain_text("a fraud, by oidc:ann")


async def muted(page: Page) -> None:
    """What the policy asks for is confirmed on a page of its own."""
    await page.get_by_role("link", name="Answer: mute").click()
    await expect(page.locator("#action-title")).to_have_text(f"Mute: {NAME} in {CALL}")
    await page.locator("#confirm").click()
    await expect(page.locator("#state")).to_have_text("It is done. Confirmed by oidc:ann.")


async def reported(folder: Path, finding: str) -> None:
    """The report holds and says what was done, the sink was told, and the label is in the export."""
    state, report, labels = folder / "state", folder / "report.html", folder / "labels.csv"
    await command(state, "findings", "report", finding, "--out", str(report))
    told = await command(state, "report", "verify", str(report))
    assert (told["ok"], told["finding"], told["in_journal"], told["faults"]) == (True, finding, True, [])
    text = report.read_text()
    assert NOTE in text
    assert "mute: done, confirmed by oidc:ann" in text
    await command(state, "findings", "export", "--labels", str(labels))
    with labels.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["finding"], row["label"], row["detector"]) == (finding, "true", "synchrony")
    sent = [json.loads(line) for line in (folder / "findings.jsonl").read_text().splitlines()]
    assert {one["id"] for one in sent} == {finding}
    (asked,) = sent[0]["handling"]["actions"]
    assert asked["link"].endswith(f"/action#{finding}/{asked['id']}")
