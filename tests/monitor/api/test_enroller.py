"""Real clips, sent to the real server, become the reference that a session would be compared with."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.api.enroller import enroller
from monitor.api.enrolments import Enrolments
from monitor.api.identities import People, Policy
from monitor.api.uploads import Uploads
from monitor.face.outline import OUTLINE
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.vault.registry import Identities
from monitor.session.models import Models
from tests.monitor.api.people import vault_in
from tests.monitor.api.server import serving
from tests.monitor.identity.conftest import faceless, models, speaker, unidentified
from tests.monitor.tap.test_bombs import BOMBS

__all__ = ("faceless", "models", "speaker", "unidentified")

# Of those that would cost the most, what whoever uploaded one is told.
TOLD = {
    "jump": "jumps ahead in time again and again",
    "four streams": "holds nothing that can be decoded",
    "compressed header": "takes more memory than a clip may",
}
LOW = EnrolConfig(min_face_seconds=8.0, min_speech_seconds=4.0, gallery=24)
JANE = "/v1/identities/Jane"
PATIENCE = 300.0
pytestmark = pytest.mark.data


async def enrolled(client: httpx.AsyncClient, people: People, clips: list[Path]) -> dict[str, Any]:
    """Send clips, wait for the end of the job, and return it as it is told."""
    consent = json.dumps({"by": "Jane", "given": "2026-01-02"})
    files = [("clips", (clip.name, clip.read_bytes())) for clip in clips]
    sent = await client.post(JANE, data={"consent": consent}, files=files)
    assert sent.status_code == 202, sent.text
    job = people.enrolments.find(sent.json()["id"])
    assert job is not None
    await asyncio.wait_for(job.ended.wait(), PATIENCE)
    return dict((await client.get(sent.headers["location"])).json())


async def test_real_clips_become_a_reference(models: Models, speaker: list[Path], tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    uploads = Uploads(tmp_path / "uploads", 1 << 30)
    uploads.open()
    policy = Policy(is_outdated=models.is_outdated)
    people = People(vault, Identities(vault), uploads, Enrolments(enroller(models, vault, LOW)), policy)
    async with serving(tmp_path, people=people) as site, site.client() as client:
        short = await enrolled(client, people, speaker[:1])
        assert short["state"] == "refused"
        assert any("record" in reason or "needed" in reason for reason in short["reasons"])
        assert not any(str(tmp_path) in reason for reason in short["reasons"])
        noise = tmp_path / "noise.mp4"
        noise.write_bytes(b"not a video" * 100)
        unreadable = await enrolled(client, people, [noise])
        assert unreadable["reasons"] == [
            "noise.mp4 is not a video that can be read: give an MP4, WebM, MKV, MOV or AVI"
        ]
        for name, says in TOLD.items():
            suffix, make, _, _ = BOMBS[name]
            bomb = await enrolled(client, people, [make(tmp_path / f"bomb.{suffix}")])
            assert (bomb["state"], len(bomb["reasons"])) == ("refused", 1)
            assert says in bomb["reasons"][0]
        job = await enrolled(client, people, speaker[:4])
        assert (job["state"], job["enrolled"]) == ("done", {"version": 1, "state": "active"})
        assert job["quality"]["gallery"] == len(job["poses"]) == 24
        assert all(len(pose) == len(OUTLINE) for pose in job["poses"])
        reference = (await client.get(JANE)).json()["reference"]
        assert reference["outdated"] is False
        assert reference["moments"] == 24
        assert [source["name"] for source in reference["sources"]] == [clip.name for clip in speaker[:4]]
        held = people.identities.reference("Jane")
        assert held is not None
        assert not models.is_outdated(held)
        assert list((tmp_path / "uploads").rglob("*")) == []
    vault.close()
